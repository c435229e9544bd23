use std::sync::Arc;

use async_trait::async_trait;
use ordered_core::publish::Outgoing;
use ordered_core::transport::{Publish, Transport, TransportError};
use ordered_sqs::{SqsPublisher, names};
use ordered_testkit::transport_suite::{DeadLetter, TransportFixture};
use ordered_testkit::unique;

use crate::support::queue::Queue;

/// Long enough for a busy machine, short enough to wait for where a consumer vanishes.
const VISIBILITY: &str = "6";

impl TransportFixture for Queue {
    async fn consumer(&self) -> Arc<dyn Transport> {
        Arc::new(self.connect().await.unwrap())
    }

    async fn publisher(&self) -> Arc<dyn Publish> {
        let sqs = self.connect().await.unwrap();
        Arc::new(Grouped {
            publisher: sqs.publisher(),
            is_fifo: sqs.is_fifo(),
        })
    }

    async fn dead_letters(&self) -> Vec<DeadLetter> {
        self.read_dead_letters().await
    }

    fn is_brokers_own(&self, header: &str) -> bool {
        [
            names::MESSAGE_GROUP_ID,
            names::MESSAGE_DEDUPLICATION_ID,
            names::SEQUENCE_NUMBER,
        ]
        .contains(&header)
    }
}

/// Gives every event for a FIFO queue a message group of its own: the suite knows nothing of groups.
struct Grouped {
    publisher: SqsPublisher,
    is_fifo: bool,
}

#[async_trait]
impl Publish for Grouped {
    async fn send(&self, events: &[Outgoing]) -> Vec<Result<(), TransportError>> {
        let with_group = |event: &Outgoing| {
            if !self.is_fifo {
                return event.clone();
            }
            let mut envelope = event.envelope().clone();
            let group = (names::MESSAGE_GROUP_ID.to_owned(), unique("group"));
            envelope.headers.extend([group]);
            Outgoing::from(envelope)
        };
        let events: Vec<Outgoing> = events.iter().map(with_group).collect();
        self.publisher.send(&events).await
    }
}

mod standard {
    use super::{Queue, VISIBILITY};

    ordered_testkit::transport_suite!(async || Queue::standard(VISIBILITY).await);
}

mod fifo {
    use super::{Queue, VISIBILITY};

    ordered_testkit::transport_suite!(
        async || Queue::with_redrive(VISIBILITY, "1000", ".fifo").await
    );
}
