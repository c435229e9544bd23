use std::time::Duration;

use ordered_core::transport::TransportError;
use ordered_postgres::status;
use ordered_testkit::eventually;

use crate::support::recording_publisher::RecordingPublisher;
use crate::support::{Running, connect, database, everything_was_looked_at, relay, stage};

#[tokio::test]
async fn a_key_whose_publication_fails_stops_alone_and_goes_on_in_order() {
    let url = database().await;
    let mut client = connect(&url).await;
    let publisher = RecordingPublisher::new();
    publisher.fail(|key, seq| {
        let fails = key == "poison" && seq == 3;
        fails.then(|| TransportError::fatal("its header is too long"))
    });
    let first = Running::start(relay(&url, &publisher));
    for _ in 0..5 {
        stage(&mut client, &["a", "poison", "b"]).await;
    }
    eventually("the others go on", async || {
        publisher.seqs("a").ends_with(&[5]) && publisher.seqs("b").ends_with(&[5])
    })
    .await;
    eventually("it is tried again and again", async || {
        let status = status::status(&client).await.unwrap();
        let lagging = status.lagging_keys.first();
        lagging.is_some_and(|lagging| lagging.attempts > 3)
    })
    .await;
    let status = status::status(&client).await.unwrap();
    let lagging = &status.lagging_keys[0];
    assert_eq!((status.lagging, lagging.key.as_str()), (1, "poison"));
    assert_eq!(lagging.next_seq, 3);
    assert_eq!(lagging.error.as_deref(), Some("its header is too long"));
    assert_eq!(status.pending.events, 3);

    // Another relay knows of it, too.
    first.stop().await.unwrap();
    let _second = Running::start(relay(&url, &publisher));
    stage(&mut client, &["a", "poison", "b"]).await;
    eventually("the others go on", async || {
        publisher.seqs("a").ends_with(&[6])
    })
    .await;
    everything_was_looked_at(&client).await;
    assert!(publisher.seqs("poison").iter().all(|seq| *seq < 3));
    publisher.recover();
    eventually("the key goes on", async || {
        publisher.seqs("poison").ends_with(&[3, 4, 5, 6])
    })
    .await;
    publisher.in_order();
    eventually("nothing lags", async || {
        status::status(&client).await.unwrap().lagging == 0
    })
    .await;
    stage(&mut client, &["poison"]).await;
    eventually("the key goes on", async || {
        publisher.seqs("poison").ends_with(&[7])
    })
    .await;
    publisher.in_order();
}

#[tokio::test]
async fn a_broker_that_is_unavailable_stops_everything_and_makes_no_key_lag() {
    let url = database().await;
    let mut client = connect(&url).await;
    let publisher = RecordingPublisher::new();
    let _relay = Running::start(relay(&url, &publisher));
    stage(&mut client, &["a", "b", "c"]).await;
    publisher.has(3).await;
    for error in [TransportError::unavailable, TransportError::fatal] {
        let before = publisher.calls().len();
        publisher.fail(move |_, _| Some(error("no broker")));
        stage(&mut client, &["a", "b", "c"]).await;
        eventually("it tries again", async || {
            publisher.calls().len() > before + 20
        })
        .await;
        assert_eq!(status::status(&client).await.unwrap().lagging, 0);
        publisher.recover();
        eventually("all is published", async || {
            publisher.calls().len() > before + 20
        })
        .await;
        eventually("nothing waits", async || {
            status::pending(&client).await.unwrap().events == 0
        })
        .await;
    }
    publisher.has(9).await;
    publisher.in_order();
}

#[tokio::test]
async fn more_failing_keys_than_allowed_stop_everything() {
    let url = database().await;
    let mut client = connect(&url).await;
    let publisher = RecordingPublisher::new();
    publisher.fail(|key, _| {
        let fails = key.starts_with("bad");
        fails.then(|| TransportError::fatal("no"))
    });
    let few = relay(&url, &publisher).max_lagging_keys(2);
    let _relay = Running::start(few.max_backoff(Duration::from_millis(10)));
    stage(&mut client, &["bad-1", "bad-2", "good"]).await;
    publisher.has(1).await;
    eventually("two keys lag", async || {
        status::status(&client).await.unwrap().lagging == 2
    })
    .await;
    stage(&mut client, &["bad-3", "good"]).await;
    eventually("it tries all again", async || {
        publisher.seqs("good").ends_with(&[2, 2, 2])
    })
    .await;
    let status = status::status(&client).await.unwrap();
    assert_eq!((status.lagging, status.pending.events), (2, 4));
    publisher.recover();
    publisher.has(5).await;
    publisher.in_order();
}
