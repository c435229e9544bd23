//! `rediss://`, with a certificate made for tests.

use std::time::Duration;

use ordered_redis::RedisStore;
use ordered_testkit::server::{AUTHORITY, RedisServer};

use crate::support::{Worker, group};

#[tokio::test]
async fn everything_goes_over_tls_and_a_strange_certificate_is_refused() {
    let server = RedisServer::builder().tls().start().await.unwrap();
    let url = server.tls_url().unwrap();
    let untrusted = RedisStore::builder(&url).connect().await.err().unwrap();
    assert!(untrusted.to_string().contains("certificate"), "{untrusted}");

    let trusting = RedisStore::builder(&url).ca_certificates(AUTHORITY);
    let store = trusting.connect().await.unwrap();
    let group = group("tls");
    Worker::open(&store, &group, "w").await.acquire("k").await;
}

#[tokio::test]
async fn authorities_that_are_no_certificates_are_refused() {
    for pem in ["", "authority.pem", "-----BEGIN CERTIFICATE-----\nx\n"] {
        let builder = RedisStore::builder("rediss://127.0.0.1:1").ca_certificates(pem);
        let refused = builder.connect().await.err().unwrap();
        assert!(refused.to_string().contains("PEM"), "{refused}");
    }
}

#[tokio::test]
async fn a_port_that_speaks_no_tls_is_told() {
    let server = RedisServer::shared().await.unwrap();
    let url = server.url().replace("redis:", "rediss:");
    let builder = RedisStore::builder(url).ca_certificates(AUTHORITY);
    // Each waits for the other to say more.
    let impatient = builder.timeout(Duration::from_millis(100));
    let away = impatient.connect().await.err().unwrap();
    assert!(away.to_string().contains("speak TLS there"), "{away}");
}

#[tokio::test]
async fn authorities_are_refused_where_nothing_is_encrypted() {
    let builder = RedisStore::builder("redis://127.0.0.1:1").ca_certificates(AUTHORITY);
    let refused = builder.connect().await.err().unwrap();
    assert!(refused.to_string().contains("rediss://"), "{refused}");
}
