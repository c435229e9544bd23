//! What the store costs and what it leaves behind.

use std::collections::BTreeSet;
use std::time::Duration;

use ordered_core::protocol::{Command, Policy, Verdict, WorkerId};
use ordered_core::store::{Group, Store};
use ordered_redis::RedisStore;
use ordered_testkit::server::RedisServer;
use ordered_testkit::{eventually, unique};

use crate::talk::{alone, apply, ask, commit, group, hold, key, offer, open, process, raw};

/// How often each command was called, from `INFO commandstats`.
fn calls(stats: &str, command: &str) -> u64 {
    let line = stats
        .lines()
        .find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
}

#[tokio::test]
async fn a_batch_is_one_script_call_for_each_bucket_and_a_few_commands_whatever_its_size() {
    let (server, store) = alone(4).await;
    let group = group("stats");
    open(&store, &group).await.unwrap();
    let mut admin = raw(&server).await;
    let _: () = ask(&mut admin, "CONFIG RESETSTAT").await;
    let keys: Vec<_> = (0..400).map(|number| key(&format!("k{number}"))).collect();
    let offers: Vec<Command> = keys.iter().map(|key| offer(key, 1)).collect();
    let commits: Vec<Command> = keys.iter().map(|key| commit(key, 1, 1)).collect();
    apply(&store, &group, &offers).await.unwrap();
    apply(&store, &group, &commits).await.unwrap();
    let stats: String = ask(&mut admin, "INFO commandstats").await;
    assert_eq!(calls(&stats, "evalsha"), 2 * 4, "{stats}");
    assert_eq!(calls(&stats, "hmget"), 4 * (2 + 1) + 4 * (2 + 1), "{stats}");
    // The last four make a table of each hash of states, once.
    assert_eq!(calls(&stats, "hset"), 4 * 3 + 4 * 2 + 2 * 4 + 4, "{stats}");
    for untouched in ["zadd", "zrem", "eval", "hexists"] {
        assert_eq!(calls(&stats, untouched), 0, "{stats}");
    }
}

#[tokio::test]
async fn a_key_that_is_done_leaves_its_two_numbers_and_what_is_remembered() {
    let (server, store) = alone(1).await;
    let (group, key, worker) = (group("left"), key("order-1"), WorkerId::new("w"));
    open(&store, &group).await.unwrap();
    store
        .heartbeat(&group, &worker, Duration::from_secs(9))
        .await
        .unwrap();
    let hold = |seq| hold(&key, seq, 100);
    let first = [hold(2), hold(3), offer(&key, 1), commit(&key, 1, 1)];
    let verdicts = apply(&store, &group, &first).await.unwrap();
    assert!(matches!(&verdicts[3], Verdict::Committed { next, .. } if next.len() == 2));
    let attempt = ordered_core::protocol::Attempt {
        event: crate::talk::event(2),
        fence: ordered_core::protocol::Fence(1),
        number: 1,
        error: "no".into(),
    };
    let envelope = ordered_core::event::Envelope::new("x");
    let postpone = ordered_core::protocol::Action::Postpone(attempt, envelope, Duration::ZERO);
    let say = |action| Command {
        key: key.clone(),
        action,
    };
    let claim = say(ordered_core::protocol::Action::Claim);
    let rest = [say(postpone), claim, commit(&key, 2, 2), commit(&key, 3, 2)];
    let verdicts = apply(&store, &group, &rest).await.unwrap();
    assert!(
        matches!(verdicts[3], Verdict::Committed { front: None, .. }),
        "{verdicts:?}"
    );
    store.leave(&group, &worker).await.unwrap();
    let mut admin = raw(&server).await;
    let names: BTreeSet<String> = ask(&mut admin, "KEYS *").await;
    let tag = format!("{{ordered:{}:0}}", group.name());
    let left: Vec<&str> = names
        .iter()
        .filter_map(|name| name.strip_prefix(&tag))
        .filter(|name| !name.starts_with(":d"))
        .collect();
    assert_eq!(left, [":k", ":m"]);
    let state: Vec<u8> = ask(&mut admin, &format!("HGET {tag}:k order-1")).await;
    assert_eq!(state, [3, 2]);
    let totals: Vec<u64> = ask(&mut admin, &format!("HMGET {tag}:m events bytes")).await;
    assert_eq!(totals, [0, 0]);
}

#[tokio::test]
async fn what_is_remembered_expires_and_what_a_key_has_done_does_not() {
    let server = RedisServer::shared().await.unwrap();
    let store = RedisStore::builder(server.url())
        .buckets(1)
        .connect()
        .await
        .unwrap();
    let mut policy = Policy::default();
    policy.dedup_ttl = Duration::from_millis(200);
    let group = Group::new(unique("ring"), policy);
    let (tag, key) = (format!("{{ordered:{}:0}}", group.name()), key("k"));
    let mut admin = raw(server).await;
    process(&store, &group, &key, 3).await;
    let ring = (0..3).map(|slot| format!("{tag}:d{slot}"));
    let ring = ring.collect::<Vec<_>>().join(" ");
    eventually("the ring is gone", async || {
        ask::<u64>(&mut admin, &format!("EXISTS {ring}")).await == 0
    })
    .await;
    assert_eq!(
        apply(&store, &group, &[offer(&key, 3)]).await.unwrap(),
        [Verdict::Stale]
    );
    let lives: i64 = ask(&mut admin, &format!("PTTL {tag}:k")).await;
    assert_eq!(lives, -1, "the state of a key has no time to live");
}

/// A deployment with a longer memory must not be cut short by one with a shorter, nor the other way round.
#[tokio::test]
async fn two_times_to_live_in_one_ring_are_both_kept() {
    let server = RedisServer::shared().await.unwrap();
    let store = RedisStore::builder(server.url())
        .buckets(1)
        .connect()
        .await
        .unwrap();
    let clock = ordered_core::clock::Clock::manual(4_102_444_800_000);
    let store = store.with_clock(clock.clone());
    let name = unique("ttls");
    let with_ttl = |millis| {
        let mut policy = Policy::default();
        policy.dedup_ttl = Duration::from_millis(millis);
        Group::new(&name, policy)
    };
    let (long, short) = (with_ttl(1_000), with_ttl(100));
    let (a, b) = (key("a"), key("b"));
    for round in 0..40_u64 {
        let seq = round + 1;
        apply(&store, &long, &[offer(&a, seq), commit(&a, seq, seq)])
            .await
            .unwrap();
        apply(&store, &short, &[offer(&b, seq), commit(&b, seq, seq)])
            .await
            .unwrap();
        clock.advance(60);
        for back in 0..20 {
            let Some(past) = seq.checked_sub(back).filter(|past| *past > 0) else {
                continue;
            };
            let age = 60 * (back + 1);
            let told = |ttl| {
                if age < ttl {
                    Verdict::Duplicate
                } else {
                    Verdict::Stale
                }
            };
            let asked = [offer(&a, past), offer(&b, past)];
            let verdicts = apply(&store, &long, &asked).await.unwrap();
            assert_eq!(verdicts, [told(1_000), told(100)], "after {age} ms");
        }
    }
}

/// The memory that a key at rest and a remembered event take. Bounds, not measurements: it is there to notice a layout
/// that grew.
#[tokio::test]
async fn a_key_at_rest_costs_tens_of_bytes() {
    let (server, store) = alone(1).await;
    let group = group("memory");
    let tag = format!("{{ordered:{}:0}}", group.name());
    for first in (0..20_000).step_by(500) {
        let keys: Vec<_> = (first..first + 500)
            .map(|number| key(&format!("order-{number:06}")))
            .collect();
        let batch: Vec<_> = keys
            .iter()
            .flat_map(|key| [offer(key, 1), commit(key, 1, 1)])
            .collect();
        apply(&store, &group, &batch).await.unwrap();
    }
    let mut admin = raw(&server).await;
    let states: u64 = ask(&mut admin, &format!("MEMORY USAGE {tag}:k SAMPLES 0")).await;
    let mut ring = 0;
    for slot in 0..3 {
        let usage: Option<u64> =
            ask(&mut admin, &format!("MEMORY USAGE {tag}:d{slot} SAMPLES 0")).await;
        ring += usage.unwrap_or(0);
    }
    let (state, record) = (states / 20_000, ring / 20_000);
    println!("{state} bytes a key, {record} bytes a remembered event");
    assert!(state < 100, "{state} bytes a key");
    assert!(record < 150, "{record} bytes a remembered event");
}

/// A hash that Redis keeps as a list is gone through for each field, so that an event costs more the more keys there are.
#[tokio::test]
async fn the_states_are_a_table_from_the_first_key_on_and_after_a_restart() {
    let (server, store) = alone(1).await;
    let group = group("coding");
    let states = format!("{{ordered:{}:0}}:k", group.name());
    let coding = format!("OBJECT ENCODING {states}");
    process(&store, &group, &key("one"), 1).await;
    let mut admin = raw(&server).await;
    let first: String = ask(&mut admin, &coding).await;
    assert_eq!(first, "hashtable");
    // As it is read from a file: what is small is a list again.
    let dumped: Vec<u8> = ask(&mut admin, &format!("DUMP {states}")).await;
    let _: () = redis::cmd("RESTORE")
        .arg(&states)
        .arg(0)
        .arg(dumped)
        .arg("REPLACE")
        .query_async(&mut admin)
        .await
        .unwrap();
    let read: String = ask(&mut admin, &coding).await;
    assert_eq!(read, "listpack");
    let lease = Duration::from_secs(9);
    let worker = WorkerId::new("worker");
    store.heartbeat(&group, &worker, lease).await.unwrap();
    let beaten: String = ask(&mut admin, &coding).await;
    assert_eq!(beaten, "hashtable");
    let fields: u64 = ask(&mut admin, &format!("HLEN {states}")).await;
    assert_eq!(fields, 1, "nothing else is left in it");
}
