//! Sentinels that choose another master, and an address that names only them.

use std::time::Duration;

use ordered_core::store::{StoreError, StoreErrorKind};
use ordered_redis::RedisStore;
use ordered_testkit::eventually;
use ordered_testkit::server::{RedisSentinels, RedisServer};

use crate::support::recording_worker::RecordingWorker;
use crate::support::{group, open};

const MASTER: usize = 0;
const REPLICA: usize = 1;

/// What happens to the master.
enum End {
    Killed,
    Hangs,
}

/// The Sentinels may have changed the roles by themselves before, on a machine that is very busy.
async fn roles(servers: &mut [RedisServer; 2], sentinels: &RedisSentinels) {
    eventually("the replica has what its master has", async || {
        if sentinels.master().await == Some(servers[REPLICA].port()) {
            servers.reverse();
        }
        let is_master = sentinels.master().await == Some(servers[MASTER].port());
        is_master && servers[REPLICA].is_in_step_with(&servers[MASTER]).await
    })
    .await;
}

async fn the_worker_follows(end: End, what: &str) {
    let master = RedisServer::start().await.unwrap();
    let replica = RedisServer::builder().replica_of(&master).start();
    let replica = replica.await.unwrap();
    let mut sentinels = RedisSentinels::start(&master).await.unwrap();
    let mut servers = [master, replica];
    let builder = RedisStore::builder(sentinels.url()).timeout(Duration::from_secs(2));
    let worker = RecordingWorker::start(builder.connect().await.unwrap());
    worker.publish(&[1]).await;
    worker.handles(&[1], "a first event").await;
    roles(&mut servers, &sentinels).await;
    match end {
        End::Killed => {
            servers[MASTER].kill();
            // The one that was asked first; the other two are a majority.
            sentinels.kill(0);
        }
        End::Hangs => servers[MASTER].pause(),
    }
    worker.publish(&[2, 3]).await;
    worker.handles(&[1, 2, 3], what).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_master_that_is_killed_together_with_a_sentinel_is_replaced_and_the_worker_follows() {
    let what = "a fail-over by Sentinels after the death of the master and of one of them";
    the_worker_follows(End::Killed, what).await;
}

#[tokio::test]
async fn a_master_that_hangs_is_replaced_by_the_sentinels_and_the_worker_follows() {
    let what = "a fail-over by Sentinels from a master that hangs";
    the_worker_follows(End::Hangs, what).await;
}

async fn refused(url: &str) -> StoreError {
    RedisStore::connect(url).await.unwrap_err()
}

#[tokio::test]
async fn sentinels_and_their_master_are_each_given_their_own_password() {
    let master = RedisServer::builder().setting("requirepass", "of-master");
    let master = master.start().await.unwrap();
    let sentinels = RedisSentinels::builder(&master)
        .password("of-sentinels")
        .master_password("of-master");
    let sentinels = sentinels.start().await.unwrap();
    let with_login = sentinels.url().replace("://", "://:of-master@");

    let url = format!("{with_login}?sentinel_password=of-sentinels");
    let store = RedisStore::connect(&url).await.unwrap();
    open(&store, &group("sentinel"), "w").await.unwrap();
    assert!(!format!("{store:?}").contains("of-"), "{store:?}");

    let none = refused(&with_login).await;
    assert_eq!(none.kind(), StoreErrorKind::Refused, "{none}");
    assert!(none.to_string().contains("sentinel_password="), "{none}");
    let wrong = refused(&format!("{with_login}?sentinel_password=hunter2")).await;
    assert_eq!(wrong.kind(), StoreErrorKind::Refused, "{wrong}");
    assert!(!format!("{wrong} {wrong:?}").contains("hunter2"), "{wrong}");

    let of_master = url.replace("of-master", "hunter2");
    let wrong = refused(&of_master).await;
    assert_eq!(wrong.kind(), StoreErrorKind::Refused, "{wrong}");
    assert!(wrong.to_string().contains("the password"), "{wrong}");
    assert!(!wrong.to_string().contains("sentinel_password"), "{wrong}");
    assert!(!format!("{wrong} {wrong:?}").contains("hunter2"), "{wrong}");

    let unknown = refused(&url.replace("mymaster", "yourmaster")).await;
    let text = unknown.to_string();
    assert!(text.contains("does not know `yourmaster`"), "{text}");
}

#[tokio::test]
async fn a_place_without_sentinels_is_told() {
    let server = RedisServer::shared().await.unwrap();
    let port = server.port();
    let url = format!("redis+sentinel://127.0.0.1:1,127.0.0.1:{port}/mymaster");
    let error = refused(&url).await;
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
    let text = error.to_string();
    assert!(text.contains("127.0.0.1:1 cannot be reached"), "{text}");
    let other = format!("127.0.0.1:{port} does not answer as a Sentinel");
    assert!(text.contains(&other), "{text}");
}

#[tokio::test]
async fn an_address_of_sentinels_that_is_none_is_told_with_how_to_write_it() {
    for address in [
        "redis+sentinel://:hunter2@h",
        "redis+sentinel://h/m?hunter2",
    ] {
        let error = refused(address).await;
        assert_eq!(error.kind(), StoreErrorKind::Refused, "{address}");
        let text = format!("{error} {error:?}");
        assert!(text.contains("host:port/master"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn sentinels_and_their_master_are_both_asked_over_tls() {
    use ordered_testkit::server::{AUTHORITY, AUTHORITY_FILE};

    let master = RedisServer::builder().tls();
    let master = master.setting("tls-ca-cert-file", AUTHORITY_FILE);
    let master = master.start().await.unwrap();
    let sentinels = RedisSentinels::builder(&master).tls(&master);
    let sentinels = sentinels.start().await.unwrap();
    let url = sentinels.tls_url().unwrap();
    let untrusted = RedisStore::connect(&url).await.unwrap_err();
    assert!(untrusted.to_string().contains("certificate"), "{untrusted}");
    let trusting = RedisStore::builder(&url).ca_certificates(AUTHORITY);
    let store = trusting.connect().await.unwrap();
    open(&store, &group("sentinel-tls"), "w").await.unwrap();
}
