use std::time::{Duration, Instant};

use ordered_core::protocol::{Obstacle, Policy, QuotaLimit, Verdict, Waiting, WorkerId};
use ordered_core::store::{Group, Store, StoreErrorKind};
use ordered_redis::RedisStore;
use ordered_testkit::eventually;
use ordered_testkit::server::RedisServer;

use crate::talk::{
    alone, apply, ask, commit, group, hold, inspect, key, offer, open, process, raw,
};

#[tokio::test]
async fn a_server_that_forgot_its_scripts_is_given_them_again() {
    let server = RedisServer::start().await.unwrap();
    let store = RedisStore::connect(server.url()).await.unwrap();
    let group = group("flush");
    let keys: Vec<_> = (0..50).map(|number| key(&format!("k{number}"))).collect();
    let offers: Vec<_> = keys.iter().map(|key| offer(key, 1)).collect();
    // Never loaded.
    apply(&store, &group, &offers).await.unwrap();
    let _: () = ask(&mut raw(&server).await, "SCRIPT FLUSH").await;
    let verdicts = apply(&store, &group, &offers).await.unwrap();
    assert!(
        verdicts
            .iter()
            .all(|verdict| matches!(verdict, Verdict::Run(_)))
    );
}

/// "The consumer's objects vanish with a Redis restart, and the error loops for ever."
#[tokio::test]
async fn a_power_cut_loses_nothing_and_the_store_goes_on() {
    let mut server = RedisServer::start().await.unwrap();
    let store = RedisStore::connect(server.url()).await.unwrap();
    let (group, key) = (group("power"), key("k"));
    open(&store, &group).await.unwrap();
    process(&store, &group, &key, 5).await;
    apply(&store, &group, &[hold(&key, 7, 10)]).await.unwrap();
    let before = inspect(&store, &group, &key).await.unwrap();
    server.kill();
    let error = apply(&store, &group, &[offer(&key, 6)]).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(error.to_string().contains("127.0.0.1"), "{error}");
    server.start_again().await.unwrap();
    eventually("the store is back", async || {
        inspect(&store, &group, &key)
            .await
            .is_ok_and(|view| view == before)
    })
    .await;
    let verdicts = apply(&store, &group, &[offer(&key, 6), commit(&key, 6, 6)])
        .await
        .unwrap();
    let Verdict::Committed { next, .. } = &verdicts[1] else {
        panic!("{verdicts:?}");
    };
    assert_eq!(next.len(), 1);
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_unavailable_in_time_and_then_goes_on() {
    let server = RedisServer::start().await.unwrap();
    let timeout = Duration::from_millis(300);
    let store = RedisStore::builder(server.url())
        .timeout(timeout)
        .connect()
        .await
        .unwrap();
    let (group, key) = (group("pause"), key("k"));
    apply(&store, &group, &[offer(&key, 1)]).await.unwrap();
    server.pause();
    let began = Instant::now();
    let error = apply(&store, &group, &[commit(&key, 1, 1)])
        .await
        .unwrap_err();
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(error.to_string().contains("in time"), "{error}");
    server.resume();
    eventually("the store is back", async || {
        // What was sent before may have been executed: it is said again.
        let verdicts = apply(&store, &group, &[commit(&key, 1, 1)]).await;
        verdicts.is_ok_and(|verdicts| matches!(verdicts[0], Verdict::Committed { .. }))
    })
    .await;
}

#[tokio::test]
async fn a_server_out_of_memory_takes_nothing_half_and_lets_the_rest_drain() {
    let (server, store) = alone(1).await;
    let mut admin = raw(&server).await;
    let (group, key) = (group("memory"), key("k"));
    let early: Vec<_> = (2..40).map(|seq| hold(&key, seq, 1_000)).collect();
    apply(&store, &group, &early).await.unwrap();
    apply(&store, &group, &[offer(&key, 1)]).await.unwrap();
    let before = inspect(&store, &group, &key).await.unwrap().unwrap();
    let _: () = ask(&mut admin, "CONFIG SET maxmemory 1mb").await;
    for taking in [hold(&key, 99, 1_000), offer(&crate::talk::key("new"), 1)] {
        let error = apply(&store, &group, &[taking]).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        assert!(error.to_string().contains("out of memory"), "{error}");
    }
    // Of what is merely told that it is early nothing is written.
    let new = crate::talk::key("new");
    let verdicts = apply(&store, &group, &[offer(&new, 2)]).await.unwrap();
    let (for_seq, why) = (1, Obstacle::Gap);
    assert_eq!(verdicts, [Verdict::Early(Waiting { for_seq, why })]);
    assert_eq!(inspect(&store, &group, &new).await.unwrap(), None);
    assert_eq!(
        inspect(&store, &group, &key).await.unwrap().unwrap(),
        before
    );
    let (worker, lease) = (WorkerId::new("w"), Duration::from_secs(9));
    store.heartbeat(&group, &worker, lease).await.unwrap();
    let batch = [commit(&key, 1, 1), hold(&key, 99, 1_000)];
    let verdicts = apply(&store, &group, &batch).await.unwrap();
    assert!(matches!(&verdicts[0], Verdict::Committed { next, .. } if next.len() == 16));
    assert_eq!(verdicts[1], Verdict::HoldFull(QuotaLimit::GroupBytes));
    for seq in 2..40 {
        let verdicts = apply(&store, &group, &[commit(&key, seq, 1)])
            .await
            .unwrap();
        assert!(matches!(verdicts[0], Verdict::Committed { .. }), "{seq}");
    }
    let _: () = ask(&mut admin, "CONFIG SET maxmemory 0").await;
    apply(&store, &group, &[hold(&key, 99, 1_000)])
        .await
        .unwrap();
    let view = inspect(&store, &group, &key).await.unwrap().unwrap();
    assert_eq!((view.last_seq, view.held.len()), (39, 1));
}

/// A key with trouble takes a longer way through the script than one with none; the order of the batch counts all the same.
#[tokio::test]
async fn what_comes_first_takes_the_room_that_is_left() {
    let (_server, store) = alone(1).await;
    let mut policy = Policy::default();
    policy.group_quota.events = 2;
    let group = Group::new(ordered_testkit::unique("room"), policy);
    let (one, two, three) = (key("one"), key("two"), key("three"));
    apply(&store, &group, &[hold(&one, 2, 10)]).await.unwrap();
    let batch = [hold(&one, 3, 10), hold(&two, 2, 10), hold(&three, 2, 10)];
    let verdicts = apply(&store, &group, &batch).await.unwrap();
    let (for_seq, why) = (1, Obstacle::Gap);
    let full = Verdict::HoldFull(QuotaLimit::GroupEvents);
    let held = Verdict::Held(Waiting { for_seq, why });
    assert_eq!(verdicts, [held, full.clone(), full]);
}

/// It is for the handler to refuse it, which halts its key; an error of the store would end every worker.
#[tokio::test]
async fn an_event_that_is_damaged_in_redis_is_handed_on_as_it_is() {
    let server = RedisServer::start().await.unwrap();
    let store = RedisStore::connect(server.url()).await.unwrap();
    let (group, key) = (group("damaged"), key("k"));
    open(&store, &group).await.unwrap();
    let held = [hold(&key, 2, 10), hold(&key, 3, 10)];
    apply(&store, &group, &held).await.unwrap();
    let mut redis = raw(&server).await;
    let payloads: Vec<String> = ask(&mut redis, "KEYS *:p").await;
    let _: u64 = ask(&mut redis, &format!("HSET {} 2:k nothing", payloads[0])).await;
    let verdicts = apply(&store, &group, &[offer(&key, 1), commit(&key, 1, 1)])
        .await
        .unwrap();
    let Verdict::Committed { next, .. } = &verdicts[1] else {
        panic!("{verdicts:?}");
    };
    assert_eq!(next.len(), 2, "{next:?}");
    assert_eq!(next[0].envelope.body, "nothing");
    assert_eq!(next[1].envelope.body.len(), 10);
}
