use std::time::Duration;

use ordered_core::transport::{
    ConsumeOptions, Delivery, Disposition, Settlement, Token, Transport,
};
use ordered_kafka::{Kafka, KafkaBuilder};
use tokio::time::{timeout, timeout_at};

const TIMEOUT: Duration = Duration::from_secs(60);

/// A consumer that has been started.
pub(crate) struct Consumer(pub(crate) Kafka);

impl Consumer {
    pub(crate) async fn start(builder: KafkaBuilder, max_unsettled: usize) -> Self {
        let kafka = builder.await.unwrap();
        kafka.start(ConsumeOptions { max_unsettled }).await.unwrap();
        Self(kafka)
    }

    pub(crate) async fn take(&self, count: usize) -> Vec<Delivery> {
        let deadline = tokio::time::Instant::now() + TIMEOUT;
        let mut taken = Vec::new();
        while taken.len() < count {
            let received = timeout_at(deadline, self.0.receive(count - taken.len())).await;
            let received = received.unwrap_or_else(|_| panic!("{} of {count} came", taken.len()));
            taken.extend(received.unwrap());
        }
        taken
    }

    /// Nothing comes for so long.
    pub(crate) async fn nothing(&self, time: Duration) {
        if let Ok(received) = timeout(time, self.0.receive(100)).await {
            panic!("this came: {received:?}");
        }
    }

    /// Why it cannot go on.
    pub(crate) async fn fails(&self) -> String {
        let failed = async {
            loop {
                if let Err(error) = self.0.receive(100).await {
                    return error.to_string();
                }
            }
        };
        timeout(TIMEOUT, failed).await.expect("it fails")
    }

    pub(crate) async fn settle(&self, token: Token, disposition: Disposition) {
        self.0
            .settle(vec![Settlement { token, disposition }])
            .await
            .unwrap();
    }

    pub(crate) async fn ack<'a>(&self, deliveries: impl IntoIterator<Item = &'a Delivery>) {
        let settlements = deliveries.into_iter().map(|delivery| Settlement {
            token: delivery.token,
            disposition: Disposition::Ack,
        });
        self.0.settle(settlements.collect()).await.unwrap();
    }

    pub(crate) async fn close(self) {
        self.0.close().await.unwrap();
    }
}

pub(crate) fn bodies<'a>(deliveries: impl IntoIterator<Item = &'a Delivery>) -> Vec<String> {
    let deliveries = deliveries.into_iter();
    deliveries
        .map(|delivery| String::from_utf8(delivery.envelope.body.to_vec()).unwrap())
        .collect()
}

/// The partition that it came from.
pub(crate) fn partition(delivery: &Delivery) -> i32 {
    delivery.envelope.headers[ordered_kafka::names::PARTITION]
        .parse()
        .unwrap()
}
