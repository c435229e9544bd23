use std::time::Duration;

use async_trait::async_trait;
use ordered_core::publish::{NewEvent, Outgoing};
use ordered_core::transport::{MemoryBroker, Publish, TransportError};
use ordered_redis::sequencer::{MAX_BATCH, SequencerErrorKind};
use ordered_testkit::server::RedisServer;

use crate::support::list_broker::{builder, event};
use crate::support::{ask, raw};

/// A broker that is not there.
struct Away;

#[async_trait]
impl Publish for Away {
    async fn send(&self, events: &[Outgoing]) -> Vec<Result<(), TransportError>> {
        events
            .iter()
            .map(|_| Err(TransportError::unavailable("away")))
            .collect()
    }
}

#[tokio::test]
async fn no_more_is_kept_than_may_be() {
    let server = RedisServer::shared().await.unwrap();
    let server_of_its_own = RedisServer::start().await.unwrap();
    for (server, bytes, events) in [
        (&server_of_its_own, u64::MAX >> 12, 3),
        (server, 500, u64::MAX >> 12),
    ] {
        let sequencer = builder(&server.url(), Away).await;
        let sequencer = sequencer
            .max_events(events)
            .max_bytes(bytes)
            .max_event_bytes(600);
        let sequencer = sequencer.connect().await.unwrap();
        for id in ["1", "2", "3"] {
            sequencer.stage(&event("a", id)).await.unwrap();
        }
        let too_many = [
            event("b", "4"),
            event("a", "5"),
            event("a", "6"),
            event("a", "7"),
        ];
        let error = sequencer.stage_all(&too_many).await.unwrap_err();
        assert_eq!(error.kind(), SequencerErrorKind::Full, "{error}");
        assert!(error.to_string().contains("max_events"), "{error}");
        // Nothing was numbered by that, and what is there already is no more.
        let again = sequencer.stage(&event("a", "3")).await.unwrap();
        assert_eq!(again.seq.get(), 3);
        let counter: Option<u64> = ask(
            &mut raw(server).await,
            "HGET {ordered:%sequencer:orders}:last b",
        )
        .await;
        assert_eq!(counter, None);
        let large = event("a", "8").header("large", "x".repeat(600));
        let error = sequencer.stage(&large).await.unwrap_err();
        assert_eq!(error.kind(), SequencerErrorKind::Invalid);
        assert!(error.to_string().contains("max_event_bytes"), "{error}");
    }
}

#[tokio::test]
async fn no_more_events_are_staged_in_one_step_than_may_be() {
    let server = RedisServer::start().await.unwrap();
    let sequencer = builder(&server.url(), MemoryBroker::new())
        .await
        .connect()
        .await
        .unwrap();
    let events: Vec<NewEvent> = (0..=MAX_BATCH)
        .map(|id| event("a", &id.to_string()))
        .collect();
    let error = sequencer.stage_all(&events).await.unwrap_err();
    assert_eq!(error.kind(), SequencerErrorKind::Invalid);
    assert!(error.to_string().contains("1000 at a time"), "{error}");
    assert!(sequencer.stage_all(&events[1..]).await.unwrap().len() == MAX_BATCH);
}

#[tokio::test]
async fn settings_that_cannot_be_are_named() {
    let server = RedisServer::start().await.unwrap();
    let builder = async || builder(&server.url(), MemoryBroker::new()).await;
    let none = Duration::ZERO;
    for (builder, name) in [
        (builder().await.lease(none), "lease"),
        (builder().await.poll_interval(none), "poll_interval"),
        (builder().await.retry_after(none), "retry_after"),
        (builder().await.give_up_after(none), "give_up_after"),
        (builder().await.drain_timeout(none), "drain_timeout"),
        (builder().await.max_events(0), "max_events"),
        (builder().await.max_bytes(0), "max_bytes"),
        (builder().await.max_event_bytes(0), "max_event_bytes"),
        (builder().await.max_in_flight(0), "max_in_flight"),
        (builder().await.batch(0), "batch"),
        (
            builder().await.remember(Duration::from_secs(10)),
            "remember",
        ),
    ] {
        let error = builder.connect().await.unwrap_err();
        assert_eq!(error.kind(), SequencerErrorKind::Invalid);
        assert!(error.to_string().contains(&format!("`{name}`")), "{error}");
    }
    let _: u64 = ask(
        &mut raw(&server).await,
        "HSET {ordered:%sequencer:orders}:meta layout 99",
    )
    .await;
    let error = builder().await.connect().await.unwrap_err();
    assert!(error.to_string().contains("another version"), "{error}");
}
