//! The publisher suite over the broker in memory.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ordered_core::publish::Outgoing;
use ordered_core::transport::{MemoryBroker, Publish, Transport, TransportError};
use ordered_testkit::publisher_suite::{Cuts, PublisherFixture, checks};

struct Memory(MemoryBroker);

impl PublisherFixture for Memory {
    async fn transport(&self) -> Arc<dyn Publish> {
        Arc::new(self.0.clone())
    }

    async fn consumer(&self) -> Arc<dyn Transport> {
        Arc::new(self.0.consumer())
    }
}

#[tokio::test]
async fn each_event_is_published_once_and_in_order() {
    checks::publishes_each_once_and_in_order(&Memory(MemoryBroker::new())).await;
}

/// Takes some events, refuses others, and forgets to confirm some that it took.
struct Moody {
    broker: MemoryBroker,
    random: Mutex<fastrand::Rng>,
}

#[async_trait]
impl Publish for Moody {
    async fn send(&self, events: &[Outgoing]) -> Vec<Result<(), TransportError>> {
        let mut outcomes = Vec::with_capacity(events.len());
        for event in events {
            let mood = self.random.lock().unwrap().u8(0..10);
            if mood == 0 {
                outcomes.push(Err(TransportError::busy("full")));
                continue;
            }
            self.broker.send(std::slice::from_ref(event)).await;
            outcomes.push(match mood {
                1 => Err(TransportError::unavailable("the confirm was lost")),
                _ => Ok(()),
            });
        }
        tokio::task::yield_now().await;
        outcomes
    }
}

struct MoodyMemory(MemoryBroker);

impl PublisherFixture for MoodyMemory {
    async fn transport(&self) -> Arc<dyn Publish> {
        Arc::new(Moody {
            broker: self.0.clone(),
            random: Mutex::new(fastrand::Rng::with_seed(7)),
        })
    }

    async fn consumer(&self) -> Arc<dyn Transport> {
        Arc::new(self.0.consumer())
    }
}

impl Cuts for MoodyMemory {
    fn cut(&self) {}
}

#[tokio::test]
async fn events_that_fail_one_by_one_stay_in_order() {
    let broker = MoodyMemory(MemoryBroker::new());
    checks::goes_on_after_cut_connections(&broker).await;
}
