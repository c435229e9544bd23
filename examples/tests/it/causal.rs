//! Comments and their replies, over two queues.

use crate::support::load::Load;
use crate::support::processes::Setting;

const LOAD: Load = Load {
    keys: 12,
    events: 40,
    seed: 0,
};

/// Three workers, each on two queues, shuffled and with repetitions. Two of the three are killed.
#[tokio::test(flavor = "multi_thread")]
async fn no_comment_runs_before_what_it_answers_though_workers_are_killed() {
    let (_, setting) = Setting::shared("causal", "causal", "").await;
    let also = format!("{}-also", setting.queue);
    let mut arguments = LOAD.keys_and_events();
    arguments.extend(["--also".to_owned(), also.clone()]);
    setting.begin_to_produce_with(&arguments).finished().await;
    let options = ["--work-ms", "5", "--lease-ms", "2000", "--also", &also];
    let workers = ["w1", "w2", "w3"].map(|id| setting.work(id, &options));
    let marks = [LOAD.total() / 4, LOAD.total() / 2];
    setting
        .finished_by_the_last_of(workers.into(), &marks, &LOAD)
        .await;
    let killed = |worker: &str| worker.starts_with("w1") || worker.starts_with("w2");
    setting.log.assert_repeated_only_by(killed, &LOAD);
}
