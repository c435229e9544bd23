//! `rediss://`, with a certificate made for tests.

use ordered_redis::RedisStore;
use ordered_testkit::server::{AUTHORITY, RedisServer};

use crate::talk::{apply, group, key, offer, open};

#[tokio::test]
async fn everything_goes_over_tls_and_a_strange_certificate_is_refused() {
    let server = RedisServer::builder().tls().start().await.unwrap();
    let url = server.tls_url().unwrap();
    let untrusted = RedisStore::builder(&url).connect().await.err().unwrap();
    assert!(untrusted.to_string().contains("certificate"), "{untrusted}");

    let trusting = RedisStore::builder(&url).ca_certificates(AUTHORITY);
    let store = trusting.connect().await.unwrap();
    let group = group("tls");
    open(&store, &group).await.unwrap();
    apply(&store, &group, &[offer(&key("k"), 1)]).await.unwrap();
}

#[tokio::test]
async fn authorities_are_refused_where_nothing_is_encrypted() {
    let builder = RedisStore::builder("redis://127.0.0.1:1").ca_certificates(AUTHORITY);
    let refused = builder.connect().await.err().unwrap();
    assert!(refused.to_string().contains("rediss://"), "{refused}");
}
