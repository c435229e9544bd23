//! Servers that are elsewhere, encrypted, or only copies.

use futures_util::TryStreamExt;
use ordered_postgres::inbox::{self, Inbox};
use ordered_postgres::{
    Outbox, PostgresError, PostgresErrorKind as Kind, Relay, connect, migrate, status,
};
use ordered_testkit::eventually;
use ordered_testkit::server::PostgresServer;

use crate::support::inbox::pool;
use crate::support::recording_publisher::RecordingPublisher;
use crate::support::{event, stage};

#[track_caller]
pub(crate) fn says(error: &PostgresError, kind: Kind, words: &[&str]) {
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    for word in words {
        assert!(text.contains(word), "no {word:?} in: {text}");
    }
}

#[tokio::test]
async fn who_reaches_nobody_is_told_the_address_and_what_to_look_at() {
    let url = "postgres://ada:secret@127.0.0.1:1/orders";
    let words = [
        "127.0.0.1:1 (database orders, user ada)",
        "is it running",
        "refused",
    ];
    let error = connect(url).await.err().unwrap();
    says(&error, Kind::Unavailable, &words);
    assert!(!error.to_string().contains("secret"));
    let relay = Relay::builder(url, RecordingPublisher::new() as _)
        .build()
        .unwrap();
    let error = relay.run(std::future::pending()).await.unwrap_err();
    says(&error, Kind::Unavailable, &words);
    let error = inbox::positions(url, "orders").await.err().unwrap();
    says(&error, Kind::Unavailable, &words);
}

#[tokio::test]
async fn a_hot_standby_takes_no_writes_and_says_so_and_tells_positions() {
    let primary = PostgresServer::start().await.unwrap();
    let url = primary.database().await.unwrap();
    let mut client = connect(&url).await.unwrap();
    migrate(&mut client).await.unwrap();
    stage(&mut client, &["k"]).await;
    let standby = primary.standby().await.unwrap();
    let url = standby.url(url.rsplit('/').next().unwrap());
    // It follows.
    let mut there = connect(&url).await.unwrap();
    let applied = "insert into ordered_progress (group_name, key, last_seq, event_id, fence) values ('g', 'k', 1, 'x', \
                   1)";
    client.batch_execute(applied).await.unwrap();
    eventually("the standby has it", async || {
        let rows = there.query("select 1 from ordered_progress", &[]).await;
        !rows.unwrap().is_empty()
    })
    .await;

    let primary_words = ["replica", "primary"];
    let error = Inbox::open(pool(&url, 1)).await.unwrap_err();
    says(&error, Kind::ReadOnly, &primary_words);
    let relay = Relay::builder(&url, RecordingPublisher::new() as _)
        .build()
        .unwrap();
    let error = relay.run(std::future::pending()).await.unwrap_err();
    says(&error, Kind::ReadOnly, &primary_words);
    let mut tx = there.transaction().await.unwrap();
    let error = Outbox::stage(&mut tx, &event("k", "1")).await.unwrap_err();
    says(
        &error,
        Kind::ReadOnly,
        &["replica", "target_session_attrs=read-write"],
    );
    tx.rollback().await.unwrap();
    let error = migrate(&mut there).await.unwrap_err();
    says(&error, Kind::ReadOnly, &["replica"]);
    // Reading is what a standby is for.
    let positions = inbox::positions(&url, "g").await.unwrap();
    let positions: Vec<_> = positions.try_collect().await.unwrap();
    assert_eq!(positions.len(), 1);
    status::status(&there).await.unwrap();
}
