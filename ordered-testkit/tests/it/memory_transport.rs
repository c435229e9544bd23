//! The memory transport against the suite.

use std::sync::Arc;

use ordered_core::transport::{MemoryBroker, Publish, Transport};
use ordered_testkit::transport_suite::{DeadLetter, TransportFixture};

struct Memory(MemoryBroker);

impl TransportFixture for Memory {
    async fn consumer(&self) -> Arc<dyn Transport> {
        Arc::new(self.0.consumer())
    }

    async fn publisher(&self) -> Arc<dyn Publish> {
        Arc::new(self.0.clone())
    }

    async fn dead_letters(&self) -> Vec<DeadLetter> {
        let dead = self.0.dead_letters().into_iter();
        dead.map(|(envelope, reason)| DeadLetter {
            envelope,
            kind: reason.kind.as_str().to_owned(),
            text: reason.text,
        })
        .collect()
    }
}

ordered_testkit::transport_suite!(
    async || Memory(MemoryBroker::new()),
    excused: [(bounds_what_is_unsettled, "it gives out all that it has: the queue is in this process anyway")],
);
