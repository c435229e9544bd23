use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ordered_core::transport::{ConsumeOptions, Disposition, Settlement, Transport};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::PublisherFixture;
use super::load::Load;

/// How long the queue is watched for what must not be in it.
const WATCH: Duration = Duration::from_millis(500);

/// The queue of a check. One that may not hold all of the load is read from the beginning on.
pub(super) struct Queue {
    pub(super) load: Load,
    meanwhile: Option<Meanwhile>,
}

/// A queue that is read while events are published.
struct Meanwhile {
    /// A permit for each event that it may hold beside those that are there.
    room: Arc<Semaphore>,
    content: JoinHandle<Content>,
}

impl Queue {
    pub(super) async fn of(fixture: &impl PublisherFixture, load: Load) -> Self {
        let most = fixture.most_held();
        let mut meanwhile = None;
        if load.total() > most {
            let room = Arc::new(Semaphore::new(most));
            let reading = Content::read(consumer(fixture).await, load, Some(Arc::clone(&room)));
            let content = tokio::spawn(reading);
            meanwhile = Some(Meanwhile { room, content });
        }
        Self { load, meanwhile }
    }

    pub(super) fn room(&self) -> Option<Arc<Semaphore>> {
        let meanwhile = self.meanwhile.as_ref()?;
        Some(Arc::clone(&meanwhile.room))
    }

    /// All that was in it, once each event of the load has come.
    pub(super) async fn content(self, fixture: &impl PublisherFixture) -> Content {
        match self.meanwhile {
            Some(meanwhile) => meanwhile.content.await.expect("it reads to the end"),
            None => Content::read(consumer(fixture).await, self.load, None).await,
        }
    }
}

async fn consumer(fixture: &impl PublisherFixture) -> Arc<dyn Transport> {
    let consumer = fixture.consumer().await;
    let max_unsettled = 1_000;
    let started = consumer.start(ConsumeOptions { max_unsettled }).await;
    started.expect("a consumer starts");
    consumer
}

/// What is in a queue: of each key the numbers, in the order in which they came.
pub(super) struct Content(HashMap<usize, Vec<usize>>);

impl Content {
    /// Reads the queue until each event of the load has come, and then for a while what else there is.
    async fn read(consumer: Arc<dyn Transport>, load: Load, room: Option<Arc<Semaphore>>) -> Self {
        let mut content = Self(HashMap::new());
        let (mut missing, mut limit) = (load.total(), load.limit());
        loop {
            if missing == 0 {
                limit = WATCH;
            }
            let Ok(received) = timeout(limit, consumer.receive(500)).await else {
                break;
            };
            let received = received.expect("receive waits out what passes");
            let mut settlements = Vec::with_capacity(received.len());
            for delivery in received {
                if content.add(&delivery.envelope.body) {
                    missing -= 1;
                    if let Some(room) = &room {
                        room.add_permits(1);
                    }
                }
                settlements.push(Settlement {
                    token: delivery.token,
                    disposition: Disposition::Ack,
                });
            }
            let settled = consumer.settle(settlements).await;
            // Meanwhile the broker may be in trouble: then they come again.
            if room.is_none() {
                settled.expect("they are acknowledged");
            }
        }
        consumer.close().await.expect("it closes");
        assert_eq!(missing, 0, "confirmed events that are not in the queue");
        content
    }

    /// True for one that comes for the first time.
    fn add(&mut self, body: &[u8]) -> bool {
        let text = str::from_utf8(body).expect("text");
        let (key, number) = text.split_once(' ').expect("a key and a number");
        let key = key
            .strip_prefix("key-")
            .expect("a key")
            .parse()
            .expect("a key");
        let number = number.parse().expect("a number");
        let numbers = self.0.entry(key).or_default();
        let is_new = !numbers.contains(&number);
        numbers.push(number);
        is_new
    }

    /// How many came more than once.
    pub(super) fn repeats(&self) -> usize {
        let repeats = self.0.values().map(|numbers| {
            let mut known = numbers.clone();
            known.sort_unstable();
            known.dedup();
            numbers.len() - known.len()
        });
        repeats.sum()
    }

    /// What came for the first time came in order, in each key.
    pub(super) fn is_in_order(&self) {
        for (key, numbers) in &self.0 {
            let mut last = 0;
            for number in numbers {
                assert!(*number <= last + 1, "key-{key}: {number} came after {last}");
                last = last.max(*number);
            }
        }
    }
}
