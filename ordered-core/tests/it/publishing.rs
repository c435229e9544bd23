//! Publishers over a transport that a test decides about.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use ordered_core::event::{Envelope, EventId, Key, TraceParent};
use ordered_core::publish::{
    NewEvent, NotPublishedKind, OnNotPublished, Outgoing, Publisher, PublisherBuilder, header,
};
use ordered_core::transport::{Flow, Publish, TransportError};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

/// Writes down what it is given, answers when it has permits, and says what the test says.
#[derive(Clone)]
struct Scripted {
    calls: Arc<Mutex<Vec<Vec<Outgoing>>>>,
    permits: Arc<Semaphore>,
    behaviour: Arc<Behaviour>,
    blocked: Arc<Mutex<Option<String>>>,
}

/// What happens to an event in the attempt with this number, from 1.
type Behaviour = dyn Fn(usize, &str) -> Result<(), TransportError> + Send + Sync;

impl Scripted {
    fn new(
        behaviour: impl Fn(usize, &str) -> Result<(), TransportError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            calls: Arc::default(),
            permits: Arc::new(Semaphore::new(1_000_000)),
            behaviour: Arc::new(behaviour),
            blocked: Arc::default(),
        }
    }

    /// It answers nothing until it has permits.
    fn silent() -> Self {
        let permits = Arc::new(Semaphore::new(0));
        let all = Self::new(|_, _| Ok(()));
        Self { permits, ..all }
    }

    fn publisher(&self) -> PublisherBuilder {
        Publisher::builder(self.clone())
    }

    fn calls(&self) -> Vec<Vec<String>> {
        let calls = self.calls.lock().unwrap();
        let bodies = |call: &Vec<Outgoing>| call.iter().map(body).collect();
        calls.iter().map(bodies).collect()
    }
}

#[async_trait]
impl Publish for Scripted {
    async fn send(&self, events: &[Outgoing]) -> Vec<Result<(), TransportError>> {
        let number = {
            let mut calls = self.calls.lock().unwrap();
            calls.push(events.to_vec());
            calls.len()
        };
        self.permits.acquire().await.unwrap().forget();
        events
            .iter()
            .map(|event| (self.behaviour)(number, &body(event)))
            .collect()
    }

    fn flow(&self) -> Flow {
        match self.blocked.lock().unwrap().clone() {
            Some(why) => Flow::Blocked { why },
            None => Flow::Open,
        }
    }
}

fn body(event: &Outgoing) -> String {
    String::from_utf8(event.envelope().body.to_vec()).unwrap()
}

fn event(key: &str, body: &str) -> Outgoing {
    Outgoing::new(Key::new(key).unwrap(), Envelope::new(body.to_owned()))
}

#[tokio::test(start_paused = true)]
async fn no_more_events_are_with_it_than_it_may_have() {
    let transport = Scripted::silent();
    let publisher = transport.publisher().max_in_flight(10).build().unwrap();
    for number in 0..10 {
        let _receipt = publisher
            .enqueue(event("k", &number.to_string()))
            .await
            .unwrap();
    }
    assert_eq!(publisher.status().in_flight, 10);
    let given_back = publisher.try_enqueue(event("k", "more")).unwrap_err();
    assert_eq!(body(&given_back), "more");
    let waiting = publisher.enqueue(event("k", "more"));
    assert!(timeout(Duration::from_secs(60), waiting).await.is_err());
    transport.permits.add_permits(1);
    let receipt = publisher.enqueue(event("k", "more")).await.unwrap();
    assert_eq!(publisher.status().in_flight, 10);
    transport.permits.add_permits(100);
    receipt.await.unwrap();
    publisher.flush().await;
    assert_eq!(publisher.status().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn no_more_bytes_are_with_it_than_it_may_have_but_for_one_event() {
    let transport = Scripted::silent();
    let publisher = transport.publisher().max_in_flight_bytes(1_000);
    let publisher = publisher.build().unwrap();
    let large = publisher
        .enqueue(event("a", &"x".repeat(5_000)))
        .await
        .unwrap();
    assert!(publisher.try_enqueue(event("b", "y")).is_err());
    transport.permits.add_permits(1);
    large.await.unwrap();
    let _receipt = publisher.try_enqueue(event("b", &"y".repeat(500))).unwrap();
    assert!(publisher.try_enqueue(event("c", &"z".repeat(600))).is_err());
    assert!(publisher.try_enqueue(event("d", &"z".repeat(400))).is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_fails_goes_out_again_before_the_rest_of_its_key() {
    let transport = Scripted::new(|call, body| match (call, body) {
        (1..=3, "a-1") => Err(TransportError::busy("full")),
        _ => Ok(()),
    });
    let publisher = transport.publisher().build().unwrap();
    let mut receipts = Vec::new();
    for (key, body) in [("a", "a-1"), ("a", "a-2"), ("b", "b-1"), ("b", "b-2")] {
        receipts.push(publisher.enqueue(event(key, body)).await.unwrap());
    }
    for receipt in receipts {
        receipt.await.unwrap();
    }
    let flat: Vec<String> = transport.calls().into_iter().flatten().collect();
    assert_eq!(flat, ["a-1", "b-1", "b-2", "a-1", "a-1", "a-2"]);
    publisher.close().await;
    let closed = publisher.enqueue(event("a", "a-3")).await.unwrap_err();
    assert_eq!(closed.kind(), NotPublishedKind::Closed);
}

#[tokio::test(start_paused = true)]
async fn what_the_broker_will_not_take_is_reported_and_the_key_goes_on_or_stops() {
    for (after, expected) in [
        (OnNotPublished::Continue, None),
        (OnNotPublished::FailKey, Some(NotPublishedKind::HeldBack)),
    ] {
        let transport = Scripted::new(|_, body| match body {
            "a-1" => Err(TransportError::fatal("too large")),
            _ => Ok(()),
        });
        let publisher = transport
            .publisher()
            .on_not_published(after)
            .build()
            .unwrap();
        let first = publisher.enqueue(event("a", "a-1")).await.unwrap();
        let second = publisher.enqueue(event("a", "a-2")).await.unwrap();
        let error = first.await.unwrap_err();
        assert_eq!(error.kind(), NotPublishedKind::Refused);
        assert_eq!(error.to_string(), "too large");
        assert!(!error.may_be_published());
        assert_eq!(second.await.err().map(|error| error.kind()), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_confirmed_in_time_is_reported() {
    let transport = Scripted::new(|_, _| Err(TransportError::unavailable("away")));
    let publisher = transport.publisher().give_up_after(Duration::from_secs(10));
    let publisher = publisher.build().unwrap();
    let begun = tokio::time::Instant::now();
    let error = publisher
        .enqueue(event("a", "1"))
        .await
        .unwrap()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), NotPublishedKind::GaveUp);
    assert!(error.may_be_published());
    let text = error.to_string();
    assert!(
        text.contains("give_up_after") && text.ends_with("away"),
        "{text}"
    );
    let took = begun.elapsed();
    assert!((10..=16).contains(&took.as_secs()), "{took:?}");
    let blocked = publisher.status().blocked.unwrap();
    assert!(!blocked.is_back_pressure && blocked.why == "away");
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_does_not_answer_is_not_waited_for_for_ever() {
    let transport = Scripted::silent();
    let publisher = transport
        .publisher()
        .attempt_timeout(Duration::from_secs(3));
    let publisher = publisher.build().unwrap();
    let receipt = publisher.enqueue(event("a", "1")).await.unwrap();
    sleep(Duration::from_secs(4)).await;
    let why = publisher.status().blocked.unwrap().why;
    assert!(why.contains("attempt_timeout"), "{why}");
    transport.permits.add_permits(10);
    receipt.await.unwrap();
    assert_eq!(publisher.status().blocked, None);
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_is_full_is_back_pressure() {
    let transport = Scripted::new(|call, _| match call {
        1..=5 => Err(TransportError::busy("the queue is full")),
        _ => Ok(()),
    });
    let publisher = transport.publisher().build().unwrap();
    let receipt = publisher.enqueue(event("a", "1")).await.unwrap();
    sleep(Duration::from_millis(60)).await;
    let blocked = publisher.status().blocked.unwrap();
    assert!(blocked.is_back_pressure && blocked.why == "the queue is full");
    receipt.await.unwrap();
    assert_eq!(publisher.status().blocked, None);
    *transport.blocked.lock().unwrap() = Some("short of memory".into());
    let blocked = publisher.status().blocked.unwrap();
    assert!(blocked.is_back_pressure && blocked.why == "short of memory");
}

#[tokio::test(start_paused = true)]
async fn so_many_attempts_are_under_way_with_so_many_events_each() {
    let transport = Scripted::silent();
    let publisher = transport.publisher().batch(3).concurrent_batches(2);
    let publisher = publisher.build().unwrap();
    let mut receipts = Vec::new();
    for number in 0..20 {
        let key = format!("k{number}");
        receipts.push(publisher.enqueue(event(&key, &key)).await.unwrap());
    }
    sleep(Duration::from_secs(1)).await;
    let sizes: Vec<usize> = transport.calls().iter().map(Vec::len).collect();
    assert_eq!(sizes, [3, 3]);
    transport.permits.add_permits(100);
    for receipt in receipts {
        receipt.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_may_have_several_events_under_way() {
    let transport = Scripted::silent();
    let publisher = transport
        .publisher()
        .max_in_flight_per_key(4)
        .build()
        .unwrap();
    for number in 0..6 {
        let _receipt = publisher
            .enqueue(event("k", &number.to_string()))
            .await
            .unwrap();
    }
    sleep(Duration::from_secs(1)).await;
    assert_eq!(transport.calls(), [["0", "1", "2", "3"]]);
}

#[tokio::test(start_paused = true)]
async fn what_is_with_it_is_published_when_it_is_dropped() {
    let transport = Scripted::new(|call, _| match call {
        1 => Err(TransportError::unavailable("away")),
        _ => Ok(()),
    });
    let publisher = transport.publisher().build().unwrap();
    let receipt = publisher.enqueue(event("a", "1")).await.unwrap();
    drop(publisher);
    receipt.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_event_has_its_headers_its_time_and_the_span_of_its_producer() {
    const SPAN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let transport = Scripted::new(|_, _| Ok(()));
    let publisher = transport.publisher().trace(|| TraceParent::parse(SPAN));
    let publisher = publisher.build().unwrap();
    let new = NewEvent::json("order", "order-7", "placed", &5).unwrap();
    let new = new
        .header("tenant", "acme")
        .id(EventId::new("id-1").unwrap());
    let outcomes = publisher
        .publish_all(&[new.clone(), new.trace("00-own")])
        .await;
    assert!(outcomes.iter().all(Result::is_ok));
    let calls = transport.calls.lock().unwrap();
    let sent: Vec<&Outgoing> = calls.iter().flatten().collect();
    let headers = &sent[0].envelope().headers;
    for (name, value) in [
        ("tenant", "acme"),
        (TraceParent::HEADER, SPAN),
        (header::KEY, "order-7"),
        (header::ID, "id-1"),
        (header::TYPE, "placed"),
        (header::AGGREGATE, "order"),
    ] {
        assert_eq!(headers[name], value, "{name}");
    }
    assert!(sent[0].envelope().published_at.is_some());
    assert_eq!(sent[1].envelope().headers[TraceParent::HEADER], "00-own");
}

#[tokio::test]
async fn settings_that_cannot_be_are_named() {
    let builder = || Scripted::new(|_, _| Ok(())).publisher();
    let (none, second) = (Duration::ZERO, Duration::from_secs(1));
    for (builder, name) in [
        (builder().max_in_flight(0), "max_in_flight"),
        (builder().max_in_flight_bytes(0), "max_in_flight_bytes"),
        (builder().max_in_flight_per_key(0), "max_in_flight_per_key"),
        (builder().batch(0), "batch"),
        (builder().concurrent_batches(0), "concurrent_batches"),
        (builder().backoff(none, second), "backoff"),
        (builder().backoff(second, second / 2), "backoff"),
        (builder().attempt_timeout(none), "attempt_timeout"),
    ] {
        let error = builder.build().unwrap_err().to_string();
        assert!(error.contains(&format!("`{name}`")), "{error}");
    }
}
