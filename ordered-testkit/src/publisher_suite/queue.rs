use std::collections::HashMap;
use std::time::Duration;

use ordered_core::transport::{Fate, Intake, Settlement};
use tokio::time::timeout;

use super::PublisherFixture;
use super::load::{Load, PATIENCE};

/// How long the queue is watched for what must not be in it.
const WATCH: Duration = Duration::from_millis(500);

/// What is in a queue: of each key the numbers, in the order in which they came.
pub(super) struct Content(HashMap<usize, Vec<usize>>);

impl Content {
    /// Reads the queue until each event of the load has come, and then for a while what else there is.
    pub(super) async fn read(fixture: &impl PublisherFixture, load: Load) -> Self {
        let consumer = fixture.consumer().await;
        let intake = Intake {
            max_unsettled: 1_000,
        };
        consumer.start(intake).await.expect("a consumer starts");
        let mut content = Self(HashMap::new());
        let (mut missing, mut patience) = (load.total(), PATIENCE);
        loop {
            if missing == 0 {
                patience = WATCH;
            }
            let Ok(received) = timeout(patience, consumer.receive(500)).await else {
                break;
            };
            let received = received.expect("receive waits out what passes");
            let mut settlements = Vec::with_capacity(received.len());
            for delivery in received {
                if content.add(&delivery.envelope.body) {
                    missing -= 1;
                }
                settlements.push(Settlement {
                    token: delivery.token,
                    fate: Fate::Ack,
                });
            }
            let settled = consumer.settle(settlements).await;
            settled.expect("they are acknowledged");
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
