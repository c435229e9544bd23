use ordered_core::store::{Durability, StoreErrorKind};
use ordered_redis::RedisStore;
use ordered_testkit::server::{RedisBuilder, RedisServer};

use crate::support::{ask, group, open, raw};

async fn expect(server: RedisBuilder, durability: Durability, word: &str) {
    let server = server.start().await.unwrap();
    let store = RedisStore::connect(server.url()).await.unwrap();
    let report = open(&store, &group("durability"), "w")
        .await
        .unwrap()
        .report;
    assert_eq!(report.durability, durability, "{}", report.reason);
    assert!(report.reason.contains(word), "{}", report.reason);
    let strict = RedisStore::builder(server.url()).strict(true);
    let opened = open(&strict.connect().await.unwrap(), &group("strict"), "w").await;
    if durability == Durability::Durable {
        opened.unwrap();
    } else {
        let error = opened.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Refused);
        let text = error.to_string();
        assert!(
            text.contains(word) && text.contains("appendfsync always"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_server_that_writes_before_it_answers_is_durable() {
    expect(RedisServer::builder(), Durability::Durable, "always").await;
}

#[tokio::test]
async fn a_server_that_writes_every_second_loses_moments() {
    let server = RedisServer::builder().appendfsync("everysec");
    expect(server, Durability::LosesRecentWrites, "everysec").await;
}

#[tokio::test]
async fn a_server_with_snapshots_only_loses_what_came_since() {
    let server = RedisServer::builder()
        .no_persistence()
        .setting("save", "3600 1");
    expect(server, Durability::LosesRecentWrites, "snapshot").await;
}

#[tokio::test]
async fn a_server_without_persistence_is_volatile() {
    let server = RedisServer::builder().no_persistence();
    expect(server, Durability::Volatile, "nothing on disk").await;
}

#[tokio::test]
async fn a_server_that_evicts_is_told_whatever_it_persists() {
    let server = RedisServer::builder()
        .setting("maxmemory", "100mb")
        .setting("maxmemory-policy", "allkeys-lru");
    expect(server, Durability::Evictable, "allkeys-lru").await;
}

#[tokio::test]
async fn a_user_without_a_right_to_look_learns_that_nothing_is_known() {
    let server = RedisServer::start().await.unwrap();
    let mut admin = raw(&server).await;
    let rights = "ACL SETUSER app on >secret ~* +@all -config -info";
    let _: () = ask(&mut admin, rights).await;
    let url = server.url().replace("redis://", "redis://app:secret@");
    let store = RedisStore::connect(&url).await.unwrap();
    let report = open(&store, &group("acl"), "w").await.unwrap().report;
    assert_eq!(report.durability, Durability::Unknown);
    assert!(report.reason.contains("CONFIG"), "{}", report.reason);
    let strict = RedisStore::builder(&url)
        .strict(true)
        .connect()
        .await
        .unwrap();
    let error = open(&strict, &group("acl"), "w").await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Refused);
    assert!(error.to_string().contains("CONFIG GET"), "{error}");
}
