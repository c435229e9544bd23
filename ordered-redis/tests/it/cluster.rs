use ordered_core::store::StoreErrorKind;
use ordered_core::store::{Answer, Inspect, Request, Save, Store};
use ordered_redis::RedisStore;
use ordered_testkit::eventually;
use ordered_testkit::server::{RedisBuilder, RedisServer};

use crate::support::*;

/// Three masters that share the slots.
async fn cluster() -> (Vec<RedisServer>, String) {
    let servers = masters(
        &RedisServer::builder(),
        &["0 5000", "5001 11000", "11001 16383"],
    )
    .await;
    let urls: Vec<String> = servers.iter().map(RedisServer::url).collect();
    (servers, urls.join(","))
}

/// A master for each range of slots.
async fn masters(builder: &RedisBuilder, ranges: &[&str]) -> Vec<RedisServer> {
    let mut servers = Vec::new();
    for _ in ranges {
        let node = builder.clone().setting("cluster-enabled", "yes");
        servers.push(node.start().await.unwrap());
    }
    for (place, slots) in ranges.iter().enumerate() {
        let mut node = raw(&servers[place]).await;
        let _: () = ask(&mut node, &format!("CLUSTER ADDSLOTSRANGE {slots}")).await;
        let _: () = ask(
            &mut node,
            &format!("CLUSTER SET-CONFIG-EPOCH {}", place + 1),
        )
        .await;
    }
    let mut first = raw(&servers[0]).await;
    for server in &servers[1..] {
        let _: () = ask(
            &mut first,
            &format!("CLUSTER MEET 127.0.0.1 {}", server.port()),
        )
        .await;
    }
    for server in &servers {
        let mut node = raw(server).await;
        eventually("the cluster is up", async || {
            let info: String = ask(&mut node, "CLUSTER INFO").await;
            let known = format!("cluster_known_nodes:{}", ranges.len());
            info.contains("cluster_state:ok") && info.contains(&known)
        })
        .await;
    }
    servers
}

#[tokio::test]
async fn a_cluster_serves_as_a_single_server_does() {
    let (servers, urls) = cluster().await;
    let store = RedisStore::builder(&urls).cluster(true).connect();
    let store = store.await.unwrap();
    let group = group("cluster");
    let worker = Worker::open(&store, &group, "w").await;
    let names: Vec<String> = (0..200).map(|number| format!("k{number}")).collect();
    let requests: Vec<Request> = names.iter().map(|name| acquire(name)).collect();
    let owned = worker.say(&requests).await.unwrap();
    for server in &servers {
        let count: u64 = ask(&mut raw(server).await, "DBSIZE").await;
        assert!(count > 0, "the buckets are spread");
        let _: () = ask(&mut raw(server).await, "SCRIPT FLUSH").await;
    }
    let saves = names.iter().zip(owned).map(|(name, answer)| match answer {
        Answer::Owned(owned) => Request::Save(Box::new(Save {
            changes: vec![put(7, letter("seven", name))],
            remember: vec![id(name)],
            look_up: vec![id(name)],
            ..release(name, owned.fence)
        })),
        other => panic!("{other:?}"),
    });
    let saves: Vec<Request> = saves.collect();
    let answers = worker.say(&saves).await.unwrap();
    assert!(
        answers
            .iter()
            .all(|answer| matches!(answer, Answer::Saved(saved) if saved.released))
    );
    let totals = store.totals(&group).await.unwrap();
    assert_eq!((totals.held_events, totals.owned), (200, 0));
    worker.beat().await;
    store
        .sweep(&group, &worker.session, &sweep(10))
        .await
        .unwrap();

    // One node loses all that it had.
    let _: () = ask(&mut raw(&servers[1]).await, "FLUSHALL").await;
    let error = store
        .heartbeat(&group, &worker.session, LEASE)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::StateLost, "{error}");
    let opened = open(&store, &group, "w").await.unwrap();
    assert!(opened.created && opened.session != worker.session);
    let worker = Worker::open(&store, &group, "w").await;
    assert!(
        worker
            .say(&requests)
            .await
            .unwrap()
            .iter()
            .all(|answer| matches!(answer, Answer::Owned(_)))
    );
}

/// What a node that is down was asked is unknown; the rest is answered.
#[tokio::test]
async fn requests_of_a_node_that_is_down_are_unknown_and_the_others_are_answered() {
    let (mut servers, urls) = cluster_without_full_coverage().await;
    let builder = RedisStore::builder(&urls).cluster(true);
    let store = builder.timeout(std::time::Duration::from_secs(3)).connect();
    let store = store.await.unwrap();
    let group = group("cluster-down");
    let worker = Worker::open(&store, &group, "w").await;
    let names: Vec<String> = (0..200).map(|number| format!("k{number}")).collect();
    let requests: Vec<Request> = names.iter().map(|name| acquire(name)).collect();
    worker.say(&requests).await.unwrap();
    servers[2].kill();
    let answers = worker.say(&requests).await.unwrap();
    let unknown = answers
        .iter()
        .filter(|answer| **answer == Answer::Unknown)
        .count();
    let owned = answers
        .iter()
        .filter(|answer| matches!(answer, Answer::Owned(_)))
        .count();
    assert!(
        unknown > 0 && owned > 0 && unknown + owned == 200,
        "{unknown} {owned}"
    );
}

/// Whose other nodes go on when one is down.
async fn cluster_without_full_coverage() -> (Vec<RedisServer>, String) {
    let builder = RedisServer::builder().no_persistence();
    let builder = builder.setting("cluster-require-full-coverage", "no");
    let ranges = ["0 5000", "5001 11000", "11001 16383"];
    let servers = masters(&builder, &ranges).await;
    let urls: Vec<String> = servers.iter().map(RedisServer::url).collect();
    (servers, urls.join(","))
}
