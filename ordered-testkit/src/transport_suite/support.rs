use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ordered_core::event::Envelope;
use ordered_core::transport::{
    ConsumeOptions, Delivery, Disposition, Publish, Settlement, Token, Transport,
};
use tokio::time::{Instant, timeout, timeout_at};

use super::TransportFixture;

/// How long a check waits for what must come.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long a check watches for what must not come.
const WATCH: Duration = Duration::from_millis(300);

/// A started consumer.
pub(super) struct Consumer {
    pub(super) transport: Arc<dyn Transport>,
}

impl Consumer {
    pub(super) async fn start(fixture: &impl TransportFixture, max_unsettled: usize) -> Self {
        let transport = fixture.consumer().await;
        let started = transport.start(ConsumeOptions { max_unsettled }).await;
        started.expect("a consumer starts");
        Self { transport }
    }

    /// Exactly this many deliveries, unsettled.
    pub(super) async fn take(&self, count: usize) -> Vec<Delivery> {
        let deadline = Instant::now() + TIMEOUT;
        let mut taken: Vec<Delivery> = Vec::with_capacity(count);
        while taken.len() < count {
            let received = timeout_at(deadline, self.transport.receive(count - taken.len())).await;
            let received = received
                .unwrap_or_else(|_| panic!("{} of {count} came within {TIMEOUT:?}", taken.len()));
            taken.extend(received.expect("receive waits out what passes"));
        }
        taken
    }

    pub(super) async fn one(&self) -> Delivery {
        self.take(1).await.remove(0)
    }

    /// Nothing comes for a while.
    pub(super) async fn nothing(&self) {
        if let Ok(received) = timeout(WATCH, self.transport.receive(100)).await {
            panic!("this came, and should not have: {received:?}");
        }
    }

    pub(super) async fn settle(&self, token: Token, disposition: Disposition) {
        let settled = self
            .transport
            .settle(vec![Settlement { token, disposition }])
            .await;
        settled.expect("it is settled");
    }

    pub(super) async fn ack(&self, deliveries: &[Delivery]) {
        let settlements = deliveries.iter().map(|delivery| Settlement {
            token: delivery.token,
            disposition: Disposition::Ack,
        });
        let settled = self.transport.settle(settlements.collect()).await;
        settled.expect("they are acknowledged");
    }

    pub(super) async fn close(self) {
        self.transport.close().await.expect("it closes");
    }
}

/// The queue is empty: what is published last is the only thing that comes.
pub(super) async fn assert_empty(fixture: &impl TransportFixture) {
    publish(fixture, [text("the end")]).await;
    let consumer = Consumer::start(fixture, 100).await;
    let last = consumer.one().await;
    assert_eq!(last.envelope.body, "the end", "the queue was not empty");
    consumer.ack(&[last]).await;
    consumer.nothing().await;
    consumer.close().await;
}

pub(super) async fn publish(
    fixture: &impl TransportFixture,
    envelopes: impl IntoIterator<Item = Envelope>,
) {
    let publisher: Arc<dyn Publish> = fixture.publisher().await;
    let published = publisher.publish(envelopes.into_iter().collect()).await;
    published.expect("the broker takes them");
}

pub(super) fn text(body: impl Into<String>) -> Envelope {
    Envelope::new(body.into())
}

/// `count` envelopes with different bodies.
pub(super) fn numbered(count: usize) -> Vec<Envelope> {
    (0..count).map(|n| text(n.to_string())).collect()
}

pub(super) fn bodies<'a>(deliveries: impl IntoIterator<Item = &'a Delivery>) -> BTreeSet<Vec<u8>> {
    let deliveries = deliveries.into_iter();
    deliveries.map(|d| d.envelope.body.to_vec()).collect()
}

pub(super) fn all_numbered(count: usize) -> BTreeSet<Vec<u8>> {
    (0..count).map(|n| n.to_string().into_bytes()).collect()
}
