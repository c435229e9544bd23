use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ordered_core::event::{Envelope, EventId, Key};
use ordered_core::publish::{NotPublished, Outgoing, Publisher, PublisherBuilder};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::PublisherFixture;
use super::queue::Queue;
use crate::eventually_within;

/// How many events a check publishes, and over how many keys.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) keys: usize,
    pub(super) of_each: usize,
}

/// How long a check waits for what must happen, and so much longer for each event.
const TIMEOUT: Duration = Duration::from_secs(300);
const TIMEOUT_FOR_AN_EVENT: Duration = Duration::from_millis(10);
const EVENTS: usize = 2_000;

impl Load {
    pub(super) fn asked() -> Self {
        let asked = std::env::var("ORDERED_PUBLISH_EVENTS").ok();
        let asked = asked.map(|text| text.parse().expect("ORDERED_PUBLISH_EVENTS is a number"));
        let events: usize = asked.unwrap_or(EVENTS);
        let keys = if events > 20_000 { 500 } else { 50 };
        Self {
            keys,
            of_each: events.div_ceil(keys),
        }
    }

    /// The first quarter of each key, and the rest.
    pub(super) fn parts(self) -> [RangeInclusive<usize>; 2] {
        let first = self.of_each.div_ceil(4);
        [1..=first, first + 1..=self.of_each]
    }

    pub(super) fn total(self) -> usize {
        self.keys * self.of_each
    }

    pub(super) fn limit(self) -> Duration {
        let events = u32::try_from(self.total()).unwrap_or(u32::MAX);
        TIMEOUT + TIMEOUT_FOR_AN_EVENT * events
    }
}

/// The event of a key with a number; its body is both.
pub(super) fn event(key: usize, number: usize) -> Outgoing {
    let body = format!("key-{key} {number}");
    let id = EventId::new(body.replace(' ', "-")).expect("an id");
    let key = Key::new(format!("key-{key}")).expect("a key");
    Outgoing::new(key, Envelope::new(body)).with_id(id)
}

/// Settings under which a check sees in seconds what takes minutes otherwise.
pub(super) async fn builder(fixture: &impl PublisherFixture, load: Load) -> PublisherBuilder {
    Publisher::builder(fixture.transport().await)
        .backoff(Duration::from_millis(20), Duration::from_millis(500))
        .attempt_timeout(Duration::from_secs(5))
        .give_up_after(load.limit())
}

/// Publishing that is under way.
pub(super) struct Run {
    load: Load,
    confirmed: Arc<AtomicUsize>,
    task: JoinHandle<Vec<Outcome>>,
}

/// What the publisher said of an event.
pub(super) struct Outcome {
    pub(super) key: usize,
    pub(super) number: usize,
    pub(super) outcome: Result<(), NotPublished>,
}

impl Run {
    /// All events of the load of this queue.
    pub(super) fn start(publisher: &Publisher, queue: &Queue) -> Self {
        Self::start_with(publisher, queue, 1..=queue.load.of_each)
    }

    /// The events with these numbers of all keys.
    pub(super) fn start_with(
        publisher: &Publisher,
        queue: &Queue,
        numbers: RangeInclusive<usize>,
    ) -> Self {
        let (receipts, mut received) = mpsc::unbounded_channel();
        let (feeding, load, room) = (publisher.clone(), queue.load, queue.room());
        tokio::spawn(async move {
            for number in numbers {
                for key in 0..load.keys {
                    if let Some(room) = &room {
                        room.acquire().await.expect("it is open").forget();
                    }
                    let receipt = feeding.enqueue(event(key, number)).await;
                    let receipt = receipt.expect("the publisher is open");
                    // Whoever waits for them has failed otherwise.
                    let _ = receipts.send((key, number, receipt));
                }
            }
        });
        let confirmed = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&confirmed);
        let task = tokio::spawn(async move {
            let mut outcomes = Vec::new();
            while let Some((key, number, receipt)) = received.recv().await {
                let outcome = receipt.await;
                counter.fetch_add(1, Ordering::Relaxed);
                outcomes.push(Outcome {
                    key,
                    number,
                    outcome,
                });
            }
            outcomes
        });
        Self {
            load,
            confirmed,
            task,
        }
    }

    /// Waits until so many are confirmed or reported.
    pub(super) async fn reached(&self, count: usize) {
        let limit = self.load.limit();
        eventually_within(limit, "so many are published", async || {
            self.confirmed.load(Ordering::Relaxed) >= count
        })
        .await;
    }

    pub(super) async fn ended(self) -> Vec<Outcome> {
        let ended = tokio::time::timeout(self.load.limit(), self.task).await;
        ended.expect("it ends").expect("it does not panic")
    }
}

/// Every one of so many events was confirmed.
pub(super) fn all_confirmed(outcomes: &[Outcome], count: usize) {
    assert_eq!(outcomes.len(), count, "each has one outcome");
    for Outcome {
        key,
        number,
        outcome,
    } in outcomes
    {
        if let Err(error) = outcome {
            panic!("key-{key} {number} is not published: {error}");
        }
    }
}
