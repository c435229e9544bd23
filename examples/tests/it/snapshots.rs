//! Snapshots, of which the newest wins.

use crate::support::load::Load;
use crate::support::processes::Setting;

const LOAD: Load = Load {
    keys: 20,
    events: 150,
    seed: 0,
};

/// Three workers share a queue, and two of them are killed.
#[tokio::test(flavor = "multi_thread")]
async fn the_newest_snapshot_wins_though_workers_are_killed() {
    let (_, setting) = Setting::shared("snapshots", "snapshots", "").await;
    let arguments = LOAD.keys_and_events();
    setting.begin_to_produce_with(&arguments).finished().await;
    let options = ["--work-ms", "20", "--lease-ms", "2000"];
    let workers = ["w1", "w2", "w3"].map(|id| setting.work(id, &options));
    // Of what waits together only the newest is handled, so that all may be done sooner.
    setting
        .finished_by_the_last_of(workers.into(), &[10, 40], &LOAD)
        .await;
    setting.log.assert_newer_and_newer(&LOAD);
}
