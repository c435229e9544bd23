//! The transport suite, on a topic with two partitions.

use std::sync::Arc;

use ordered_core::transport::{Publish, Transport};
use ordered_kafka::names;
use ordered_testkit::transport_suite::{DeadLetter, TransportFixture};

use crate::support::Topic;

impl TransportFixture for Topic {
    async fn consumer(&self) -> Arc<dyn Transport> {
        Arc::new(self.connect().await.unwrap())
    }

    async fn publisher(&self) -> Arc<dyn Publish> {
        Arc::new(Topic::publisher(self).await)
    }

    async fn dead_letters(&self) -> Vec<DeadLetter> {
        Topic::dead_letters(self)
    }

    fn is_brokers_own(&self, header: &str) -> bool {
        [
            names::KEY,
            names::PARTITION,
            names::OFFSET,
            names::TIMESTAMP,
        ]
        .contains(&header)
    }
}

ordered_testkit::transport_suite!(
    async || Topic::shared(2).await,
    excused: [
        (flags_what_is_delivered_again, "Kafka does not say whether a record was delivered before"),
        (
            delivers_no_dead_letter_again,
            "a group has one offset for a partition: what is settled behind something that is not comes again with it"
        ),
    ],
);
