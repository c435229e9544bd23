//! Workers that are killed again and again: by a machine that takes them away, or by an event that none of them
//! survives.

use std::time::{Duration, Instant};

use ordered_core::admin::Admin;
use ordered_core::protocol::KeyView;
use ordered_redis::RedisStore;
use ordered_testkit::eventually_within;

use crate::support::fleet::{Fleet, Member, Record, TIMEOUT, name};
use crate::support::{alone, key};

const KEYS: usize = 21;
/// What a quorum queue of RabbitMQ allows by default.
const DELIVERY_LIMIT: u32 = 20;

fn keys() -> Vec<String> {
    (0..KEYS).map(|number| format!("k{number}")).collect()
}

fn start(fleet: &Fleet, store: &RedisStore, life: usize) -> Member {
    fleet.start(&format!("life{life}"), store.clone(), |worker| {
        worker
            .lease(Duration::from_millis(300))
            .heartbeat(Duration::from_millis(50))
            .sweep_interval(Duration::from_millis(50))
    })
}

async fn view(store: &RedisStore, fleet: &Fleet, name: &str) -> KeyView {
    let admin = Admin::new(std::sync::Arc::new(store.clone()));
    let view = admin.inspect(&fleet.group, &key(name)).await.unwrap();
    view.unwrap()
}

#[tokio::test]
async fn kills_from_outside_halt_no_key_and_use_up_no_delivery_limit() {
    let fleet = Fleet::new("killed");
    let (_server, store) = alone(1).await;
    for key in keys() {
        fleet.block(&key, 1);
        fleet.publish(&key, [1]).await;
    }
    let began = Instant::now();
    for life in 1..=23 {
        let before = fleet.record().runs.len();
        let worker = start(&fleet, &store, life);
        // The third worker on tries them one at a time.
        let at_once = if life <= 2 { KEYS } else { 1 };
        let begun = |record: &Record| record.runs.len() >= before + at_once;
        let what = format!("handlers begin in life {life}");
        fleet.until(&what, begun).await;
        worker.kill().await;
    }
    println!("23 workers were killed: {:?}", began.elapsed());
    for key in keys() {
        assert_eq!(view(&store, &fleet, &key).await.phase, "open", "{key}");
        fleet.unblock(&key, 1);
    }
    let began = Instant::now();
    let worker = start(&fleet, &store, 24);
    let all = |record: &Record| record.commits.len() == KEYS;
    fleet.until("every event is committed", all).await;
    println!("all were committed afterwards: {:?}", began.elapsed());
    for key in keys() {
        let record = fleet.record();
        assert_eq!(record.commits_of(&key), [1], "{key}");
        let deliveries = record.deliveries[&name(&key, 1)];
        assert!(
            deliveries <= DELIVERY_LIMIT,
            "{key} was delivered {deliveries} times"
        );
        record.assert_fences_rise(&key);
    }
    let most = fleet.record().deliveries.values().max().copied();
    println!("the most deliveries of an event: {most:?}");
    worker.stop().await;
    assert_eq!(fleet.backlog(), 0);
}

#[tokio::test]
async fn an_event_that_kills_its_worker_halts_its_key_and_no_other() {
    let fleet = Fleet::new("poison");
    let (_server, store) = alone(1).await;
    let others: Vec<String> = keys().into_iter().skip(1).collect();
    fleet.block("poison", 1);
    fleet.publish("poison", [1]).await;
    let began = Instant::now();
    let (mut life, mut deaths) = (0, 0);
    let view_of_poison = loop {
        life += 1;
        // Each life brings more work to the other keys, which are at it when the worker dies.
        for key in &others {
            fleet.publish(key, [life as u64]).await;
        }
        let before = fleet.record().runs_of("poison").len();
        let worker = start(&fleet, &store, life);
        let begins = || fleet.record().runs_of("poison").len() > before;
        let mut halted = false;
        eventually_within(TIMEOUT, "the event kills, or is halted", async || {
            let seen = Admin::new(std::sync::Arc::new(store.clone()))
                .inspect(&fleet.group, &key("poison"))
                .await
                .unwrap();
            halted = seen.is_some_and(|view| view.phase == "halted");
            halted || begins()
        })
        .await;
        if halted {
            let last = life as u64;
            let all = |record: &Record| {
                let is_done = |key: &String| record.last_commit(key) == last;
                others.iter().all(is_done)
            };
            fleet.until("the other keys go on", all).await;
            let view = view(&store, &fleet, "poison").await;
            worker.stop().await;
            break view;
        }
        worker.kill().await;
        deaths += 1;
    };
    println!("halted after {deaths} deaths: {:?}", began.elapsed());
    let error = view_of_poison.last_error.unwrap().error;
    assert!(
        error.contains("died while it ran this event alone"),
        "{error}"
    );
    // Two deaths make a suspect, and each later one is its own.
    let most = 2 + usize::try_from(fleet.options.policy.max_crashes).unwrap();
    assert_eq!(deaths, most, "{error}");
    for key in &others {
        assert_eq!(view(&store, &fleet, key).await.phase, "open", "{key}");
        let last = life as u64;
        assert_eq!(view(&store, &fleet, key).await.last_seq, last, "{key}");
        let record = fleet.record();
        let commits = record.commits_of(key);
        // A worker that is killed before it hears the answer to a save does not say that the event is committed.
        let is_in_order = commits.is_sorted_by(|one, next| one < next);
        assert!(is_in_order, "{key}: {commits:?}");
        let is_done = |seq: u64| {
            let mut runs = record.runs.iter();
            runs.any(|run| run.is_done && run.event == name(key, seq))
        };
        assert!((1..=last).all(is_done), "{key}: {:#?}", record.runs_of(key));
    }
}
