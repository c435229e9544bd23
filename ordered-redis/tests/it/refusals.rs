use std::error::Error;
use std::time::Duration;

use ordered_core::protocol::{Policy, Verdict};
use ordered_core::store::{Group, StoreError, StoreErrorKind};
use ordered_redis::RedisStore;
use ordered_testkit::server::RedisServer;
use ordered_testkit::unique;

use crate::talk::{apply, ask, commit, group, hold, key, offer, open, raw};

/// All that an error says, with its causes.
fn whole(error: &StoreError) -> String {
    let mut text = format!("{error} {error:?}");
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text} {next} {next:?}");
        cause = next.source();
    }
    text
}

#[tokio::test]
async fn an_address_where_nothing_listens_is_told_with_what_to_do() {
    let refused = RedisStore::builder("redis://user:hunter2@127.0.0.1:1")
        .timeout(Duration::from_secs(1))
        .connect()
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Unavailable);
    let text = whole(&refused);
    assert!(
        text.contains("127.0.0.1:1") && text.contains("is it running"),
        "{text}"
    );
    assert!(!text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn an_address_that_is_none_is_told_with_how_to_write_it() {
    for address in [
        "",
        "127.0.0.1:6379",
        "http://user:hunter2@h/",
        "redis://user:hunter2@h/x",
    ] {
        let error = RedisStore::connect(address).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Refused, "{address}");
        let text = whole(&error);
        assert!(text.contains("redis://[user:password@]host"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[tokio::test]
async fn a_wrong_password_and_a_missing_one_are_told_and_not_shown() {
    let server = RedisServer::builder()
        .setting("requirepass", "right")
        .start()
        .await
        .unwrap();
    let url = server.url().replace("redis://", "redis://:hunter2@");
    let error = RedisStore::connect(url).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Refused);
    assert!(error.to_string().contains("password"), "{error}");
    assert!(!whole(&error).contains("hunter2"));
    let strict = RedisStore::builder(server.url()).strict(true);
    let error = match strict.connect().await {
        Ok(store) => open(&store, &group("none")).await.unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(error.kind(), StoreErrorKind::Refused);
    assert!(error.to_string().contains("asks for a password"), "{error}");
    let right = RedisStore::connect(server.url().replace("redis://", "redis://:right@"));
    let right = right.await.unwrap();
    open(&right, &group("right")).await.unwrap();
    assert!(!format!("{right:?}").contains("right@"));
}

#[tokio::test]
async fn the_builder_shows_no_password() {
    let builder = RedisStore::builder("redis://:hunter2@h")
        .prefix("p")
        .buckets(0);
    let text = format!("{builder:?}");
    assert!(
        text.contains("\"p\"") && !text.contains("hunter2"),
        "{text}"
    );
    let error = builder.connect().await.unwrap_err();
    assert!(error.to_string().contains("`buckets`"), "{error}");
}

#[tokio::test]
async fn a_worker_with_another_number_of_buckets_is_refused() {
    let server = RedisServer::shared().await.unwrap();
    let group = group("buckets");
    let four = RedisStore::builder(server.url())
        .buckets(4)
        .connect()
        .await
        .unwrap();
    open(&four, &group).await.unwrap();
    open(&four, &group).await.unwrap();
    let eight = RedisStore::builder(server.url())
        .buckets(8)
        .connect()
        .await
        .unwrap();
    let error = open(&eight, &group).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Refused);
    assert!(error.to_string().contains("`.buckets(4)`"), "{error}");
}

#[tokio::test]
async fn the_deepest_lane_works_and_a_deeper_one_is_refused() {
    let server = RedisServer::shared().await.unwrap();
    let store = RedisStore::connect(server.url()).await.unwrap();
    let with_depth = |depth| {
        let mut policy = Policy::default();
        policy.lane_depth = depth;
        Group::new(unique("depth"), policy)
    };
    let error = open(&store, &with_depth(3_001)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Refused);
    assert!(error.to_string().contains("3000 at the most"), "{error}");

    let (group, key) = (with_depth(3_000), key("hot"));
    open(&store, &group).await.unwrap();
    let offers: Vec<_> = (1..=3_001).map(|seq| offer(&key, seq)).collect();
    let verdicts = apply(&store, &group, &offers).await.unwrap();
    assert!(
        verdicts[..3_000]
            .iter()
            .all(|verdict| matches!(verdict, Verdict::Run(_)))
    );
    assert!(matches!(verdicts[3_000], Verdict::Early(_)));
    // What was granted is read again by the part for what is not plain.
    apply(&store, &group, &[hold(&key, 3_001, 10)])
        .await
        .unwrap();
    let verdicts = apply(&store, &group, &[commit(&key, 1, 1)]).await.unwrap();
    assert!(matches!(
        &verdicts[0],
        Verdict::Committed { front: Some(2), .. }
    ));
}

#[tokio::test]
async fn another_layout_is_refused() {
    let server = RedisServer::shared().await.unwrap();
    let group = group("layout");
    let name = format!("ordered:{}:meta", group.name());
    let _: () = ask(&mut raw(server).await, &format!("HSET {name} layout 99")).await;
    let store = RedisStore::connect(server.url()).await.unwrap();
    let error = open(&store, &group).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Refused);
    assert!(error.to_string().contains("layout 99"), "{error}");
}

#[tokio::test]
async fn something_else_under_our_names_is_refused() {
    let server = RedisServer::shared().await.unwrap();
    let group = group("wrongtype");
    let store = RedisStore::builder(server.url())
        .buckets(1)
        .connect()
        .await
        .unwrap();
    let name = format!("{{ordered:{}:0}}:k", group.name());
    let _: () = ask(&mut raw(server).await, &format!("SET {name} x")).await;
    let error = apply(&store, &group, &[offer(&key("a"), 1)])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Refused);
    assert!(error.to_string().contains("prefix"), "{error}");
}

#[tokio::test]
async fn a_user_who_may_not_write_is_refused_with_the_rights_it_takes() {
    let server = RedisServer::start().await.unwrap();
    let mut admin = raw(&server).await;
    let group = group("acl");
    let rights = "~ordered:* ~{ordered:* +@read +@write +@scripting +time +info +config|get +ping";
    let may = format!("ACL SETUSER may on >secret {rights}");
    let _: () = ask(&mut admin, &may).await;
    let _: () = ask(&mut admin, "ACL SETUSER reader on >secret ~* +@all -@write").await;
    let connect = |user: &str| {
        let url = server
            .url()
            .replace("redis://", &format!("redis://{user}:secret@"));
        RedisStore::connect(url)
    };
    let may = connect("may").await.unwrap();
    open(&may, &group).await.unwrap();
    apply(&may, &group, &[offer(&key("a"), 1)]).await.unwrap();
    let reader = connect("reader").await.unwrap();
    let error = apply(&reader, &group, &[offer(&key("a"), 2)])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Refused);
    assert!(error.to_string().contains("+@write"), "{error}");
}
