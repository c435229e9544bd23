//! The publisher suite, on topics with four partitions.

use std::sync::Arc;

use ordered_core::transport::{Publish, Transport};
use ordered_testkit::proxy::Proxy;
use ordered_testkit::publisher_suite::{Blocks, Cuts, PublisherFixture, Refuses, Restarts, checks};
use ordered_testkit::server::KafkaServer;
use tokio::sync::Mutex;

use crate::support::Topic;

const PARTITIONS: i32 = 4;
/// What a record may have on the topics of these tests.
const MAX_RECORD: usize = 4_000_000;

impl PublisherFixture for Topic {
    async fn transport(&self) -> Arc<dyn Publish> {
        Arc::new(Topic::publisher(self).await)
    }

    async fn consumer(&self) -> Arc<dyn Transport> {
        Arc::new(self.connect().await.unwrap())
    }
}

impl Refuses for Topic {
    fn refused_body(&self) -> Vec<u8> {
        vec![b'x'; MAX_RECORD + 1]
    }
}

/// A topic of a broker that may be broken, and is reached through a proxy.
struct Own<'a> {
    server: &'a Mutex<KafkaServer>,
    proxy: &'a Proxy,
    topic: Topic,
}

impl<'a> Own<'a> {
    async fn on(server: &'a Mutex<KafkaServer>, proxy: &'a Proxy) -> Self {
        Self {
            topic: Topic::on(&*server.lock().await, PARTITIONS, &[]).await,
            server,
            proxy,
        }
    }
}

impl PublisherFixture for Own<'_> {
    async fn transport(&self) -> Arc<dyn Publish> {
        PublisherFixture::transport(&self.topic).await
    }

    async fn consumer(&self) -> Arc<dyn Transport> {
        PublisherFixture::consumer(&self.topic).await
    }
}

impl Restarts for Own<'_> {
    async fn restart(&self) {
        let mut server = self.server.lock().await;
        server.kill();
        server.start_again().await.unwrap();
    }
}

impl Cuts for Own<'_> {
    fn cut(&self) {
        self.proxy.cut();
    }
}

impl Blocks for Own<'_> {
    async fn block(&self) {
        self.server.lock().await.pause();
    }

    async fn unblock(&self) {
        self.server.lock().await.resume();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_event_is_published_once_and_in_order() {
    let topic = Topic::shared(PARTITIONS).await;
    checks::publishes_each_once_and_in_order(&topic).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_is_too_large_is_reported() {
    checks::reports_what_the_broker_refuses(&Topic::shared(PARTITIONS).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_outlives_restarts_cuts_and_a_broker_that_hangs() {
    // Clients go where the broker says that it is: to the proxy.
    let proxy = Proxy::start(9).await.unwrap();
    let advertised = format!("PLAINTEXT://127.0.0.1:{}", proxy.port());
    let server = KafkaServer::builder().setting("advertised.listeners", advertised);
    let server = server.start().await.unwrap();
    proxy.lead_to(server.port());
    let server = Mutex::new(server);
    checks::goes_on_after_cut_connections(&Own::on(&server, &proxy).await).await;
    checks::goes_on_after_restarts(&Own::on(&server, &proxy).await).await;
    let topic = Own::on(&server, &proxy).await;
    checks::is_blocked_by_a_broker_that_takes_nothing(&topic).await;
}
