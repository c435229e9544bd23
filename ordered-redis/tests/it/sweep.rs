//! Sweeps find every key that needs an owner, a bounded number at a time.

use std::collections::BTreeSet;

use ordered_core::clock::Clock;
use ordered_core::protocol::WorkerId;
use ordered_core::store::{
    Answer, Inspect, ListingChange, NEVER_DUE, Previous, Request, Save, Store, Swept,
};
use ordered_testkit::server::RedisServer;

use crate::support::*;

const START: u64 = 4_102_444_800_000;

async fn look(worker: &Worker, limit: usize) -> Swept {
    let sweep = sweep(limit);
    let swept = worker.store.sweep(&worker.group, &worker.session, &sweep);
    swept.await.unwrap()
}

async fn list(worker: &Worker, name: &str, due: Option<u64>) {
    let owned = worker.acquire(name).await;
    let listing = ListingChange {
        due: Some(due),
        ..ListingChange::default()
    };
    let listed = Save {
        listing,
        ..release(name, owned.fence)
    };
    worker.save(listed).await;
}

#[tokio::test]
async fn all_keys_of_a_worker_that_died_are_found_a_few_at_a_time() {
    const KEYS: u64 = 3_000;
    for buckets in [1, 3] {
        let clock = Clock::manual(START);
        let (server, store) = alone(buckets).await;
        let store = store.with_clock(clock.clone());
        let group = group("orphans");
        let dead = Worker::open(&store, &group, "dead").await;
        let alive = Worker::open(&store, &group, "alive").await;
        let all: Vec<Request> = (0..KEYS)
            .map(|number| acquire(&format!("k{number}")))
            .collect();
        for some in all.chunks(500) {
            dead.say(some).await.unwrap();
        }
        alive.acquire("mine").await;
        // Two looks, half a lease apart.
        for _ in 0..2 {
            clock.advance(5_000);
            alive.beat().await;
            assert!(look(&alive, 100).await.orphaned.len() <= 100);
        }
        let mut found = BTreeSet::new();
        for _ in 0..200 {
            let swept = look(&alive, 100).await;
            assert!(swept.orphaned.len() <= 100);
            let keys = swept.orphaned;
            let taking: Vec<Request> = keys.iter().map(|key| acquire(key.as_str())).collect();
            for answer in alive.say(&taking).await.unwrap() {
                let died = Previous::Died(WorkerId::new("dead"));
                assert!(matches!(answer, Answer::Owned(owned) if owned.previous == died));
            }
            for key in keys {
                assert!(found.insert(key));
            }
        }
        assert_eq!(found.len() as u64, KEYS);
        // Nothing is left of the worker, so that sweeps need not look for its keys any more.
        let workers = store.workers(&group).await.unwrap();
        assert_eq!(workers.len(), 1);
        let mut admin = raw(&server).await;
        let calls: Vec<String> = ask(&mut admin, &format!("HKEYS {}:M", tag(&group))).await;
        assert!(!calls.contains(&"call:dead".to_owned()), "{calls:?}");
    }
}

#[tokio::test]
async fn keys_are_due_longest_first_and_those_of_a_clock_that_stepped_back_last() {
    let server = RedisServer::shared().await.unwrap();
    let clock = Clock::manual(START);
    let store = connect(server, 3).await.with_clock(clock.clone());
    let group = group("due");
    let worker = Worker::open(&store, &group, "w").await;
    let hour = 3_600_000;
    list(&worker, "second", Some(START - 5)).await;
    list(&worker, "first", Some(START - 10)).await;
    list(&worker, "now", Some(START)).await;
    list(&worker, "later", Some(START + 1)).await;
    list(&worker, "latest", Some(START + hour)).await;
    list(&worker, "ahead", Some(START + hour + 1)).await;
    list(&worker, "for operators", Some(NEVER_DUE)).await;
    list(&worker, "removed", Some(START)).await;
    list(&worker, "removed", None).await;
    let names =
        |swept: Swept| -> Vec<String> { swept.due.iter().map(ToString::to_string).collect() };
    assert_eq!(
        names(look(&worker, 10).await),
        ["first", "second", "now", "ahead"]
    );
    assert_eq!(names(look(&worker, 2).await), ["first", "second"]);
    worker.acquire("first").await;
    assert_eq!(names(look(&worker, 2).await), ["second", "now"]);
    assert_eq!(store.totals(&group).await.unwrap().listed, 7);
}
