//! The server forgets everything, or what it was told last.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ordered_core::admin::{Admin, KeyFilter};
use ordered_core::handler::OnStateLoss;
use ordered_core::worker::WorkerError;
use ordered_redis::RedisStore;
use ordered_testkit::server::RedisServer;
use ordered_testkit::{LogCapture, eventually_within};

use crate::support::fleet::{Fleet, Member, TIMEOUT, name};
use crate::support::{alone, ask, key, raw};

async fn flush(server: &RedisServer) {
    let () = ask(&mut raw(server).await, "FLUSHALL").await;
}

/// Three keys at seq 3, of which `c` has its handler at work.
async fn three_keys(fleet: &Fleet) {
    fleet.block("c", 3);
    for key in ["a", "b", "c"] {
        fleet.publish(key, 1..=3).await;
    }
    fleet.commits("a", 3).await;
    fleet.commits("b", 3).await;
    fleet.begins("c", 3).await;
}

async fn publish_the_rest(fleet: &Fleet) {
    for key in ["a", "b", "c"] {
        fleet.publish(key, 4..=5).await;
    }
}

fn admin(store: &RedisStore) -> Admin {
    Admin::new(Arc::new(store.clone()))
}

async fn last_seq(store: &RedisStore, fleet: &Fleet, name: &str) -> u64 {
    let view = admin(store).inspect(&fleet.group, &key(name)).await;
    view.unwrap().unwrap().last_seq
}

#[tokio::test]
async fn after_flushall_every_worker_stops_and_says_how_far_its_keys_were() {
    let (log, fleet) = (LogCapture::of_this_thread(), Fleet::new("flushed"));
    let (server, store) = alone(1).await;
    let workers = ["w1", "w2"].map(|name| fleet.start(name, store.clone(), |worker| worker));
    three_keys(&fleet).await;
    flush(&server).await;
    publish_the_rest(&fleet).await;
    let began = Instant::now();
    eventually_within(TIMEOUT, "every worker ends", async || {
        workers.iter().all(Member::is_over)
    })
    .await;
    println!(
        "every worker stopped after a FLUSHALL: {:?}",
        began.elapsed()
    );
    for worker in workers {
        let error = worker.error().await;
        assert!(
            matches!(error, WorkerError::StateLost { .. }),
            "{error}, and not a loss of state"
        );
        let text = error.to_string();
        for part in [fleet.group.name(), "backup", "import", "`on_state_loss`"] {
            assert!(text.contains(part), "{part} is not in: {text}");
        }
    }
    let known = log
        .lines(&["the store lost the state of the group"])
        .concat();
    for part in ["a: seq 3 (fence ", "b: seq 3 (fence ", "c: seq 2 (fence "] {
        assert!(known.contains(part), "{part} is not in: {known}");
    }
    {
        let record = fleet.record();
        let none_began = record.runs.iter().all(|run| run.event.1 <= 3);
        assert!(none_began, "something was granted: {:#?}", record.runs);
        assert_eq!(record.commits_of("c"), [1, 2]);
    }
    assert_eq!(fleet.backlog(), 7, "what was not committed is given back");
    let seen = admin(&store).group(fleet.group.name()).await.unwrap();
    assert!(seen.is_none(), "operators are told of a group: {seen:?}");
}

#[tokio::test]
async fn after_flushall_a_worker_that_adopts_goes_on_with_every_key_and_commits_what_was_at_work() {
    let (log, fleet) = (LogCapture::of_this_thread(), Fleet::new("adopted"));
    let (server, store) = alone(1).await;
    let adopts = OnStateLoss::Adopt;
    let worker = fleet.start("w", store.clone(), |worker| worker.on_state_loss(adopts));
    three_keys(&fleet).await;
    go_on_after_flushall(&server, &store, &fleet, "one worker").await;
    let known = log.lines(&["the store lost the state of the group"]);
    assert_eq!(known.len(), 1, "{known:#?}");
    worker.stop().await;
}

#[tokio::test]
async fn after_flushall_workers_that_each_know_some_keys_go_on_with_all_of_them() {
    let fleet = Fleet::new("shared");
    let (server, store) = alone(1).await;
    let adopts = OnStateLoss::Adopt;
    let start = |name| fleet.start(name, store.clone(), |worker| worker.on_state_loss(adopts));
    let workers = ["w1", "w2"].map(start);
    three_keys(&fleet).await;
    go_on_after_flushall(&server, &store, &fleet, "two workers").await;
    for worker in workers {
        worker.stop().await;
    }
}

#[tokio::test]
async fn after_flushall_no_key_begins_anew_before_a_worker_that_knows_it_has_said_so() {
    let fleet = Fleet::new("first");
    let (server, store) = alone(1).await;
    let adopts = OnStateLoss::Adopt;
    // It takes nothing from the broker any more once the handler of `c` is at work.
    let knows = fleet.start("knows", store.clone(), |worker| {
        worker.on_state_loss(adopts).read_ahead(1)
    });
    three_keys(&fleet).await;
    let new = fleet.start("new", store.clone(), |worker| worker.on_state_loss(adopts));
    eventually_within(TIMEOUT, "the other worker is there", async || {
        let workers = admin(&store).workers(&fleet.group).await.unwrap();
        workers.workers.len() == 2
    })
    .await;
    let whose = "two workers, of which the one knew nothing,";
    go_on_after_flushall(&server, &store, &fleet, whose).await;
    knows.stop().await;
    new.stop().await;
}

async fn go_on_after_flushall(
    server: &RedisServer,
    store: &RedisStore,
    fleet: &Fleet,
    whose: &str,
) {
    let began = Instant::now();
    flush(server).await;
    publish_the_rest(fleet).await;
    fleet.commits("a", 5).await;
    fleet.commits("b", 5).await;
    println!("{whose} adopted after a FLUSHALL: {:?}", began.elapsed());
    fleet.unblock("c", 3);
    fleet.commits("c", 5).await;
    eventually_within(TIMEOUT, "everything is acknowledged", async || {
        fleet.backlog() == 0
    })
    .await;
    for key in ["a", "b", "c"] {
        {
            let record = fleet.record();
            assert_eq!(record.commits_of(key), [1, 2, 3, 4, 5], "{key}");
            let runs: Vec<u64> = record.runs_of(key).iter().map(|run| run.event.1).collect();
            assert_eq!(runs, [1, 2, 3, 4, 5], "the runs of {key}");
            record.assert_fences_rise(key);
        }
        assert_eq!(last_seq(store, fleet, key).await, 5, "{key}");
    }
    let admin = admin(store);
    let stuck = admin.keys(&fleet.group, KeyFilter::Stuck, None).await;
    assert!(stuck.as_ref().unwrap().keys.is_empty(), "{stuck:#?}");
    let overview = admin.overview(&fleet.group).await.unwrap();
    assert_eq!(overview.held_events, 0);
}

/// A server that writes to disk only when it is told to.
async fn forgetful() -> (RedisServer, RedisStore) {
    let server = RedisServer::builder().no_persistence().start();
    let server = server.await.unwrap();
    let builder = RedisStore::builder(server.url()).timeout(Duration::from_secs(1));
    let store = builder.connect().await.unwrap();
    (server, store)
}

/// The worker has handled 20 events of the key, and the server dies and remembers 10.
async fn lose_the_last_moments(server: &mut RedisServer, store: &RedisStore, fleet: &Fleet) {
    fleet.publish("k", 1..=10).await;
    fleet.commits("k", 10).await;
    eventually_within(TIMEOUT, "the key is given up", async || {
        let view = admin(store).inspect(&fleet.group, &key("k")).await;
        view.unwrap().unwrap().claim.is_none()
    })
    .await;
    let () = ask(&mut raw(server).await, "SAVE").await;
    fleet.publish("k", 11..=20).await;
    fleet.commits("k", 20).await;
    crash(server, store, fleet).await;
    assert_eq!(last_seq(store, fleet, "k").await, 10);
}

async fn crash(server: &mut RedisServer, store: &RedisStore, fleet: &Fleet) {
    server.kill();
    server.start_again().await.unwrap();
    eventually_within(TIMEOUT, "the store is back", async || {
        let view = admin(store).inspect(&fleet.group, &key("k")).await;
        view.is_ok()
    })
    .await;
}

#[tokio::test]
async fn a_crash_that_loses_the_last_moments_is_told_at_once_and_the_key_is_set_right() {
    let (log, fleet) = (LogCapture::of_this_thread(), Fleet::new("moments"));
    let (mut server, store) = forgetful().await;
    let worker = fleet.start("w", store.clone(), |worker| worker);
    lose_the_last_moments(&mut server, &store, &fleet).await;
    fleet.publish("k", [21]).await;
    let took = fleet.commits("k", 21).await;
    println!("a key went on after the last moments were lost: {took:?}");
    let told = log.lines(&["found=10 known=20"]);
    assert_eq!(told.len(), 1, "{told:#?}");
    let numbers: Vec<u64> = (1..=21).collect();
    assert_eq!(fleet.record().commits_of("k"), numbers);
    fleet.record().assert_fences_rise("k");
    assert_eq!(last_seq(&store, &fleet, "k").await, 21);
    worker.stop().await;
}

#[tokio::test]
async fn an_event_at_work_when_the_last_moments_are_lost_is_committed() {
    let (log, fleet) = (LogCapture::of_this_thread(), Fleet::new("at-work"));
    fleet.block("k", 21);
    let (mut server, store) = forgetful().await;
    let worker = fleet.start("w", store.clone(), |worker| worker);
    lose_the_last_moments(&mut server, &store, &fleet).await;
    fleet.publish("k", [21]).await;
    fleet.begins("k", 21).await;
    crash(&mut server, &store, &fleet).await;
    fleet.unblock("k", 21);
    let took = fleet.commits("k", 21).await;
    println!("an event at work was committed after the last moments were lost: {took:?}");
    let told = log.lines(&["found=10 known=20"]);
    assert_eq!(told.len(), 2, "once for each of the two crashes: {told:#?}");
    fleet.publish("k", [22]).await;
    fleet.commits("k", 22).await;
    fleet.record().assert_fences_rise("k");
    assert_eq!(last_seq(&store, &fleet, "k").await, 22);
    worker.stop().await;
}

#[tokio::test]
async fn a_worker_that_knows_the_key_sets_it_right_although_another_one_got_the_event() {
    let (log, fleet) = (LogCapture::of_this_thread(), Fleet::new("bystander"));
    // It takes nothing from the broker any more once it has what the test blocks.
    fleet.block("busy", 1);
    let (mut server, store) = forgetful().await;
    let knows = fleet.start("knows", store.clone(), |worker| worker.read_ahead(1));
    lose_the_last_moments(&mut server, &store, &fleet).await;
    fleet.publish("busy", [1]).await;
    fleet.begins("busy", 1).await;
    let other = fleet.start("new", store.clone(), |worker| worker);
    fleet.publish("k", [21]).await;
    let took = fleet.commits("k", 21).await;
    println!("a bystander set right what another worker found: {took:?}");
    let told = log.lines(&["found=10 known=20"]);
    assert_eq!(told.len(), 1, "{told:#?}");
    fleet.unblock("busy", 1);
    fleet.commits("busy", 1).await;
    fleet.record().assert_fences_rise("k");
    other.stop().await;
    knows.stop().await;
}

/// Nobody knows that 11 to 20 were handled: the broker has them no more, and the store says that 10 was the last. The
/// key waits for 11, and says so, until an operator skips to what is there.
#[tokio::test]
async fn a_worker_that_started_after_the_loss_reports_a_gap() {
    let (log, mut fleet) = (LogCapture::of_this_thread(), Fleet::new("newcomer"));
    fleet.options.policy.stuck_after = Duration::from_millis(200);
    let (mut server, store) = forgetful().await;
    let old = fleet.start("old", store.clone(), |worker| worker);
    lose_the_last_moments(&mut server, &store, &fleet).await;
    old.kill().await;
    let new = fleet.start("new", store.clone(), |worker| worker);
    fleet.publish("k", [21]).await;
    let began = Instant::now();
    let what = "a key has waited long for an event that has not come";
    eventually_within(TIMEOUT, "the gap is told", async || {
        !log.lines(&[what]).is_empty()
    })
    .await;
    println!("the gap was told: {:?}", began.elapsed());
    let told = log.lines(&[what]);
    assert!(told[0].contains("key=\"k\" seq=11"), "{told:#?}");
    let view = admin(&store).inspect(&fleet.group, &key("k")).await;
    let view = view.unwrap().unwrap();
    assert_eq!((view.last_seq, view.held_events), (10, 1));
    assert!(view.gap_since.is_some(), "{view:#?}");
    let last = name("k", 21);
    assert!(fleet.record().runs.iter().all(|run| run.event != last));
    new.stop().await;
}
