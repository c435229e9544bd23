//! Remembered ids: generations grow, follow each other, and expire.

use std::time::Duration;

use ordered_core::clock::Clock;
use ordered_core::protocol::Policy;
use ordered_core::store::Group;
use ordered_core::store::{Acquire, AcquireMode, Answer, Request, Save};
use ordered_testkit::server::RedisServer;
use ordered_testkit::{eventually, unique};

use crate::support::*;

const START: u64 = 4_102_444_800_000;
const TTL: u64 = 1_000_000;

fn remembering(millis: u64) -> Group {
    let mut policy = Policy::default();
    policy.dedup_ttl = Duration::from_millis(millis);
    Group::new(unique("ids"), policy)
}

async fn remember(worker: &Worker, name: &str, ids: impl Iterator<Item = u64>) {
    let owned = worker.acquire(name).await;
    let remember = ids.map(|number| id(&number.to_string())).collect();
    let saving = Save {
        remember,
        ..release(name, owned.fence)
    };
    worker.save(saving).await;
}

/// Which of the ids are remembered under a key that nobody has.
async fn seen(worker: &Worker, name: &str, ids: impl Iterator<Item = u64>) -> Vec<bool> {
    let request = Request::Acquire(Acquire {
        key: key(name),
        mode: AcquireMode::Ask,
        letters: Vec::new(),
        look_up: ids.map(|number| id(&number.to_string())).collect(),
    });
    let Answer::Owned(owned) = worker.one(request).await else {
        panic!("nobody has it");
    };
    worker.save(release(name, owned.fence)).await;
    owned.seen
}

async fn generations(server: &RedisServer, group: &Group) -> Vec<(u64, u64, u64)> {
    let mut admin = raw(server).await;
    let text: String = ask(&mut admin, &format!("HGET {}:M ids", tag(group))).await;
    let generation = |text: &str| {
        let numbers: Vec<u64> = text
            .split(':')
            .map(|number| number.parse().unwrap())
            .collect();
        (numbers[0], numbers[1], numbers[2])
    };
    text.split(',').map(generation).collect()
}

#[tokio::test]
async fn an_id_is_remembered_under_its_key_for_one_to_two_times_to_live() {
    let server = RedisServer::shared().await.unwrap();
    let clock = Clock::manual(START);
    let store = connect(server, 1).await.with_clock(clock.clone());
    let group = remembering(TTL);
    let worker = Worker::open(&store, &group, "w").await;
    remember(&worker, "k", 0..1).await;
    assert_eq!(seen(&worker, "k", 0..2).await, [true, false]);
    assert_eq!(seen(&worker, "another", 0..1).await, [false]);
    for round in 1..20 {
        clock.advance(TTL / 4 + 1);
        worker.beat().await;
        remember(&worker, "k", round..round + 1).await;
        let remembered = seen(&worker, "k", 0..round + 1).await;
        for (number, is_seen) in (0..).zip(remembered) {
            let age = (round - number) * (TTL / 4 + 1);
            assert!(
                is_seen || age >= TTL,
                "{number} is forgotten after {age} ms"
            );
            assert!(
                !is_seen || age <= 2 * TTL,
                "{number} is known after {age} ms"
            );
        }
        let known = generations(server, &group).await;
        assert!(known.len() <= 3, "{known:?}");
    }
}

#[tokio::test]
async fn a_save_that_looks_up_what_it_remembers_does_not_find_it() {
    let server = RedisServer::shared().await.unwrap();
    let store = connect(server, 1).await;
    let group = remembering(TTL);
    let worker = Worker::open(&store, &group, "w").await;
    let owned = worker.acquire("k").await;
    let both = || Save {
        look_up: vec![id("a"), id("b")],
        remember: vec![id("a")],
        ..save("k", owned.fence)
    };
    assert_eq!(worker.save(both()).await.seen, [false, false]);
    assert_eq!(worker.save(both()).await.seen, [true, false]);
    let lost = Save {
        remember: vec![id("lost")],
        look_up: vec![id("lost")],
        ..save("k", ordered_core::protocol::Fence(owned.fence.0 - 1))
    };
    assert_eq!(
        worker.one(Request::Save(Box::new(lost))).await,
        Answer::Lost
    );
    let check = Save {
        look_up: vec![id("lost")],
        ..release("k", owned.fence)
    };
    assert_eq!(worker.save(check).await.seen, [false]);
}

#[tokio::test]
async fn a_full_generation_is_followed_by_a_larger_one_and_nothing_is_forgotten() {
    const IDS: u64 = 60_000;
    let server = RedisServer::shared().await.unwrap();
    let clock = Clock::manual(START);
    let store = connect(server, 1).await.with_clock(clock.clone());
    let group = remembering(TTL);
    let worker = Worker::open(&store, &group, "w").await;
    // Another process, which learns of the generations from the answers to its calls.
    let other_store = connect(server, 1).await.with_clock(clock.clone());
    let other = Worker::open(&other_store, &group, "other").await;
    for first in (0..IDS).step_by(3_000) {
        remember(&worker, "k", first..first + 3_000).await;
    }
    let known = generations(server, &group).await;
    let parts: Vec<u64> = known.iter().map(|(_, parts, _)| *parts).collect();
    assert_eq!(parts, [512, 64], "{known:?}");
    for first in (0..IDS).step_by(3_000) {
        let remembered = seen(&other, "k", first..first + 3_000).await;
        assert!(remembered.into_iter().all(|is_seen| is_seen), "{first}");
    }
    let strange = seen(&other, "k", IDS..IDS + 3_000).await;
    assert!(!strange.into_iter().any(|is_seen| is_seen));

    // The next one is made for as many as this one had.
    clock.advance(TTL + 1);
    other.beat().await;
    remember(&other, "k", IDS..IDS + 1).await;
    let known = generations(server, &group).await;
    // A sample says that it had some 33,000.
    assert!(
        known[0].0 == 3 && [128, 256].contains(&known[0].1),
        "{known:?}"
    );
    assert_eq!(seen(&other, "k", 0..1).await, [true]);
}

#[tokio::test]
async fn parts_expire_and_records_do_not() {
    let server = RedisServer::shared().await.unwrap();
    let store = connect(server, 1).await;
    let group = remembering(150);
    let worker = Worker::open(&store, &group, "w").await;
    remember(&worker, "k", 0..50).await;
    // A worker that started anew does not know that the parts have an expiry, and one is set all the same.
    let again = connect(server, 1).await;
    let again = Worker::open(&again, &group, "again").await;
    remember(&again, "k", 50..100).await;
    let mut admin = raw(server).await;
    eventually("the parts are gone", async || {
        let parts: Vec<String> = ask(&mut admin, &format!("KEYS {}:I:*", tag(&group))).await;
        parts.is_empty()
    })
    .await;
    assert_eq!(seen(&worker, "k", 0..1).await, [false]);
    let lives: i64 = ask(&mut admin, &format!("PTTL {}:M", tag(&group))).await;
    assert_eq!(lives, -1);
}

/// A deployment with a longer memory must not be cut short by one with a shorter, nor the other way round.
#[tokio::test]
async fn two_times_to_live_in_one_group_are_both_kept() {
    let server = RedisServer::shared().await.unwrap();
    let clock = Clock::manual(START);
    let store = connect(server, 1).await.with_clock(clock.clone());
    let short = remembering(TTL / 10);
    let mut policy = Policy::default();
    policy.dedup_ttl = Duration::from_millis(TTL);
    let long = Group::new(short.name(), policy);
    let brief = Worker::open(&store, &short, "short").await;
    let lasting = Worker::open(&store, &long, "long").await;
    for round in 0..30 {
        brief.beat().await;
        lasting.beat().await;
        remember(&brief, "short", round..round + 1).await;
        remember(&lasting, "long", round..round + 1).await;
        clock.advance(TTL / 20);
        brief.beat().await;
        lasting.beat().await;
        let first = (round + 1).saturating_sub(19);
        let remembered = seen(&lasting, "long", first..round + 1).await;
        assert!(
            remembered.iter().all(|is_seen| *is_seen),
            "{round}: {remembered:?}"
        );
        assert_eq!(seen(&brief, "short", round..round + 1).await, [true]);
    }
}
