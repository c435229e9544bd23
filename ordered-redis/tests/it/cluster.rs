use std::time::Duration;

use ordered_core::clock::Clock;
use ordered_core::protocol::WorkerId;
use ordered_core::store::{Durability, Store};
use ordered_redis::RedisStore;
use ordered_testkit::eventually;
use ordered_testkit::server::{RedisBuilder, RedisServer};
use ordered_testkit::store_suite::equals_the_model;

use crate::talk::{apply, ask, group, key, offer, open, raw};

/// Three masters that share the slots.
pub(crate) async fn cluster() -> (Vec<RedisServer>, String) {
    let servers = masters(
        &RedisServer::builder(),
        &["0 5000", "5001 11000", "11001 16383"],
    )
    .await;
    let urls: Vec<String> = servers.iter().map(RedisServer::url).collect();
    (servers, urls.join(","))
}

/// A master for each range of slots.
pub(crate) async fn masters(builder: &RedisBuilder, ranges: &[&str]) -> Vec<RedisServer> {
    let mut servers = Vec::new();
    for _ in ranges {
        let server = builder.clone().setting("cluster-enabled", "yes");
        servers.push(server.start().await.unwrap());
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

/// Of one node, which then has nobody to talk to but us.
#[cfg(feature = "tls")]
#[tokio::test]
async fn a_cluster_serves_over_tls() {
    use ordered_testkit::server::{AUTHORITY, AUTHORITY_FILE};

    let builder = RedisServer::builder().tls().setting("tls-cluster", "yes");
    let builder = builder.setting("tls-ca-cert-file", AUTHORITY_FILE);
    let servers = masters(&builder, &["0 16383"]).await;
    let url = servers[0].tls_url().unwrap();
    let builder = RedisStore::builder(url).cluster(true);
    let trusting = builder.ca_certificates(AUTHORITY);
    let store = trusting.connect().await.unwrap();
    let group = group("cluster-tls");
    open(&store, &group).await.unwrap();
    let keys = (0..50).map(|number| key(&format!("k{number}")));
    let offers: Vec<_> = keys.map(|key| offer(&key, 1)).collect();
    apply(&store, &group, &offers).await.unwrap();
}

/// "CROSSSLOT on Redis Cluster."
#[tokio::test]
async fn a_cluster_serves_as_a_single_server_does() {
    let (servers, urls) = cluster().await;
    let store = RedisStore::builder(&urls)
        .cluster(true)
        .connect()
        .await
        .unwrap();
    let group = group("cluster");
    let report = open(&store, &group).await.unwrap();
    assert_eq!(report.durability, Durability::Durable, "{}", report.reason);
    let worker = WorkerId::new("w");
    store
        .heartbeat(&group, &worker, Duration::from_secs(9))
        .await
        .unwrap();
    let keys: Vec<_> = (0..200).map(|number| key(&format!("k{number}"))).collect();
    let offers: Vec<_> = keys.iter().map(|key| offer(key, 1)).collect();
    apply(&store, &group, &offers).await.unwrap();
    for server in &servers {
        let names: u64 = ask(&mut raw(server).await, "DBSIZE").await;
        assert!(names > 0, "the buckets are spread");
        let _: () = ask(&mut raw(server).await, "SCRIPT FLUSH").await;
    }
    apply(&store, &group, &offers).await.unwrap();
    let eight = RedisStore::builder(&urls)
        .cluster(true)
        .buckets(8)
        .connect()
        .await
        .unwrap();
    equals_the_model(|clock: Clock| eight.with_clock(clock), 8, 0..50).await;
}

#[tokio::test]
async fn a_node_of_a_cluster_says_that_it_is_one() {
    let (servers, _) = cluster().await;
    let store = RedisStore::connect(servers[0].url()).await.unwrap();
    let error = open(&store, &group("node")).await.err();
    let keys: Vec<_> = (0..50)
        .map(|number| offer(&key(&format!("k{number}")), 1))
        .collect();
    let applied = apply(&store, &group("node"), &keys).await.err();
    let error = error.or(applied).expect("it has not all slots");
    assert!(error.to_string().contains("`.cluster(true)`"), "{error}");
}
