//! The publisher suite, on FIFO and standard queues of an emulator.

use std::sync::Arc;
use std::time::Duration;

use ordered_core::transport::{Publish, Transport};
use ordered_sqs::{Sqs, SqsBuilder};
use ordered_testkit::proxy::Proxy;
use ordered_testkit::publisher_suite::{Blocks, Cuts, PublisherFixture, Refuses, Restarts, checks};
use ordered_testkit::server::SqsServer;
use ordered_testkit::unique;
use tokio::sync::Mutex;

use crate::support::queue::Queue;

const VISIBILITY: &str = "60";
/// The emulator gets slow with more.
const MOST: usize = 4_000;

impl PublisherFixture for Queue {
    async fn transport(&self) -> Arc<dyn Publish> {
        Arc::new(self.connect().publisher().await.unwrap())
    }

    async fn consumer(&self) -> Arc<dyn Transport> {
        Arc::new(self.connect().await.unwrap())
    }

    fn keeps_order(&self) -> bool {
        self.name.ends_with(".fifo")
    }

    fn most_held(&self) -> usize {
        MOST
    }
}

impl Refuses for Queue {
    fn refused_body(&self) -> Vec<u8> {
        vec![b'x'; (1 << 20) + 1]
    }
}

/// A FIFO queue on a server that may be broken, and that is published to through a proxy.
struct Own<'a> {
    server: &'a Mutex<SqsServer>,
    proxy: &'a Proxy,
    /// Without the proxy.
    url: String,
}

impl<'a> Own<'a> {
    async fn on(server: &'a Mutex<SqsServer>, proxy: &'a Proxy) -> Self {
        let name = unique("orders") + ".fifo";
        let running = server.lock().await;
        let attributes = [("VisibilityTimeout", VISIBILITY)];
        running.create_queue(&name, &attributes).await.unwrap();
        let url = running.url(&name);
        drop(running);
        Self { server, proxy, url }
    }

    fn connect(&self) -> SqsBuilder {
        Sqs::connect(&self.url).wait(Duration::from_secs(1))
    }

    async fn through_the_proxy(&self) -> SqsBuilder {
        let port = self.server.lock().await.port().to_string();
        Sqs::connect(self.url.replace(&port, &self.proxy.port().to_string()))
    }
}

impl PublisherFixture for Own<'_> {
    async fn transport(&self) -> Arc<dyn Publish> {
        Arc::new(self.through_the_proxy().await.publisher().await.unwrap())
    }

    async fn consumer(&self) -> Arc<dyn Transport> {
        Arc::new(self.connect().await.unwrap())
    }

    fn most_held(&self) -> usize {
        MOST
    }
}

impl Restarts for Own<'_> {
    /// In order: one that is killed forgets its queues.
    async fn restart(&self) {
        let mut server = self.server.lock().await;
        server.stop().await.unwrap();
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
async fn each_event_is_published_once_and_in_the_order_of_its_group() {
    checks::publishes_each_once_and_in_order(&Queue::fifo(VISIBILITY).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_event_is_published_once_to_a_standard_queue() {
    checks::publishes_each_once_and_in_order(&Queue::standard(VISIBILITY).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_too_large_is_reported() {
    checks::reports_what_the_broker_refuses(&Queue::fifo(VISIBILITY).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_outlives_restarts_cuts_and_a_server_that_hangs() {
    let server = SqsServer::start().await.unwrap();
    let proxy = Proxy::start(server.port()).await.unwrap();
    let server = Mutex::new(server);
    checks::goes_on_after_cut_connections(&Own::on(&server, &proxy).await).await;
    checks::goes_on_after_restarts(&Own::on(&server, &proxy).await).await;
    let queue = Own::on(&server, &proxy).await;
    checks::is_blocked_by_a_broker_that_takes_nothing(&queue).await;
}
