//! The publisher suite, on quorum queues.

use std::sync::Arc;

use lapin::types::AMQPValue;
use ordered_core::event::{Envelope, Key};
use ordered_core::publish::{NotPublishedKind, Outgoing, Publisher};
use ordered_core::transport::{Publish, Transport, TransportErrorKind};
use ordered_testkit::proxy::Proxy;
use ordered_testkit::publisher_suite::{Blocks, Cuts, PublisherFixture, Refuses, Restarts, checks};
use ordered_testkit::server::RabbitServer;
use ordered_testkit::transport_suite::TransportFixture;
use tokio::sync::Mutex;

use crate::support::{Queue, numbered};

/// A queue on a server that may be broken.
struct Own<'a> {
    server: &'a Mutex<RabbitServer>,
    queue: Queue,
    /// How it is made to take nothing.
    blocked_by: BlockedBy,
}

#[derive(Debug, Clone, Copy)]
enum BlockedBy {
    /// The server is short of memory, and reads from no connection that publishes.
    Alarm,
    /// The queue is full, and refuses what is published.
    FullQueue,
}

impl<'a> Own<'a> {
    async fn on(server: &'a Mutex<RabbitServer>, blocked_by: BlockedBy) -> Self {
        let queue = Queue::at(&*server.lock().await, None);
        if matches!(blocked_by, BlockedBy::FullQueue) {
            // A quorum queue that was full takes nothing more of a channel until something is consumed; a classic one
            // does when there is room. And a policy is applied piece by piece: without the argument the queue drops
            // what it has.
            let text = |text: &str| AMQPValue::LongString(text.into());
            let arguments = [
                ("x-queue-type", text("classic")),
                ("x-overflow", text("reject-publish")),
            ];
            queue.client().await.declare(&queue.name, &arguments).await;
        }
        Self {
            queue,
            server,
            blocked_by,
        }
    }

    async fn ctl(&self, arguments: &[&str]) {
        self.server.lock().await.ctl(arguments).await.unwrap();
    }
}

impl PublisherFixture for Own<'_> {
    async fn transport(&self) -> Arc<dyn Publish> {
        TransportFixture::publisher(&self.queue).await
    }

    async fn consumer(&self) -> Arc<dyn Transport> {
        TransportFixture::consumer(&self.queue).await
    }
}

impl Restarts for Own<'_> {
    async fn before_restart(&self) {
        let mut server = self.server.lock().await;
        server.queues_are_on_disk().await.unwrap();
    }

    async fn restart(&self) {
        let mut server = self.server.lock().await;
        server.kill();
        server.start_again().await.unwrap();
    }
}

impl Blocks for Own<'_> {
    async fn block(&self) {
        match self.blocked_by {
            BlockedBy::Alarm => {
                self.ctl(&["set_vm_memory_high_watermark", "0.00001"]).await;
            }
            BlockedBy::FullQueue => {
                let full = r#"{"max-length": 1}"#;
                let pattern = format!("^{}$", self.queue.name);
                self.ctl(&["set_policy", "full", &pattern, full, "--apply-to", "queues"])
                    .await;
            }
        }
    }

    async fn unblock(&self) {
        match self.blocked_by {
            BlockedBy::Alarm => self.ctl(&["set_vm_memory_high_watermark", "0.6"]).await,
            BlockedBy::FullQueue => self.ctl(&["clear_policy", "full"]).await,
        }
    }
}

impl Refuses for Own<'_> {
    fn refused_body(&self) -> Vec<u8> {
        vec![b'x'; MAX_MESSAGE + 1]
    }
}

/// What a message may have on the servers of these tests.
const MAX_MESSAGE: usize = 100_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_outlives_restarts_alarms_and_a_full_queue() {
    let server = RabbitServer::builder().setting("max_message_size", MAX_MESSAGE.to_string());
    let server = Mutex::new(server.start().await.unwrap());
    checks::goes_on_after_restarts(&Own::on(&server, BlockedBy::Alarm).await).await;
    for blocked_by in [BlockedBy::Alarm, BlockedBy::FullQueue] {
        println!("{blocked_by:?}");
        let queue = Own::on(&server, blocked_by).await;
        checks::is_blocked_by_a_broker_that_takes_nothing(&queue).await;
    }
    checks::reports_what_the_broker_refuses(&Own::on(&server, BlockedBy::Alarm).await).await;
}

/// A queue on the shared server, behind a proxy.
struct Proxied {
    proxy: Proxy,
    queue: Queue,
}

impl PublisherFixture for Proxied {
    async fn transport(&self) -> Arc<dyn Publish> {
        TransportFixture::publisher(&self.queue).await
    }

    async fn consumer(&self) -> Arc<dyn Transport> {
        TransportFixture::consumer(&self.queue).await
    }
}

impl Cuts for Proxied {
    fn cut(&self) {
        self.proxy.cut();
    }
}

async fn proxied() -> Proxied {
    let server = RabbitServer::shared().await.unwrap();
    let (proxy, queue) = Queue::behind_a_proxy(server).await;
    Proxied { proxy, queue }
}

#[tokio::test]
async fn each_event_is_published_once_and_in_order() {
    checks::publishes_each_once_and_in_order(&proxied().await).await;
}

#[tokio::test]
async fn connections_that_break_lose_nothing() {
    checks::goes_on_after_cut_connections(&proxied().await).await;
}

/// The events of a key are in one partition.
#[tokio::test]
async fn connections_that_break_lose_nothing_of_any_partition() {
    let Proxied { proxy, queue } = proxied().await;
    let queue = queue.with_partitions(4);
    checks::goes_on_after_cut_connections(&Proxied { proxy, queue }).await;
}

/// A full queue says so for each event: those that are refused are told from those that are taken.
#[tokio::test]
async fn what_a_full_queue_refuses_is_said_of_each_event() {
    let queue = Queue::shared().await;
    let client = queue.client().await;
    let arguments = [
        ("x-queue-type", AMQPValue::LongString("classic".into())),
        ("x-max-length", AMQPValue::LongInt(3)),
        ("x-overflow", AMQPValue::LongString("reject-publish".into())),
    ];
    client.declare(&queue.name, &arguments).await;
    let publisher = queue.builder().publisher().await.unwrap();
    let events: Vec<Outgoing> = numbered(5).into_iter().map(Outgoing::from).collect();
    // One after the other: the queue is told of its length with each.
    let mut outcomes = Vec::new();
    for event in &events {
        outcomes.extend(publisher.send(std::slice::from_ref(event)).await);
    }
    let kinds: Vec<_> = outcomes
        .iter()
        .map(|outcome| outcome.as_ref().err().map(|error| error.kind()))
        .collect();
    let busy = Some(TransportErrorKind::Busy);
    assert_eq!(kinds, [None, None, None, busy, busy]);
    let error = outcomes[3].as_ref().unwrap_err().to_string();
    assert!(error.contains("reject-publish"), "{error}");
    publisher.close().await;
}

#[tokio::test]
async fn the_key_of_an_event_is_its_routing_key_where_that_is_said() {
    use lapin::options::QueueBindOptions;
    use ordered_amqp::{Amqp, RoutingKey};

    let queue = Queue::shared().await;
    let client = queue.client().await;
    client.declare(&queue.name, &[]).await;
    let bound = format!("{}.eu", queue.name);
    let binding = client.channel.queue_bind(
        queue.name.as_str().into(),
        "amq.topic".into(),
        bound.as_str().into(),
        QueueBindOptions::default(),
        Default::default(),
    );
    binding.await.unwrap();
    let transport = Amqp::connect(&queue.url).exchange("amq.topic", RoutingKey::OfEvent);
    let publisher = Publisher::builder(transport.await.unwrap());
    let publisher = publisher.build().unwrap();
    let event = |key: &str| Outgoing::new(Key::new(key).unwrap(), Envelope::new("x"));
    let receipt = publisher.enqueue(event(&bound)).await.unwrap();
    receipt.await.unwrap();
    assert_eq!(client.count(&queue.name).await, Some(1));
    for (event, word) in [
        (event(&format!("{}.us", queue.name)), "no queue takes"),
        (event(&"k".repeat(300)), "300 bytes"),
        (Outgoing::from(Envelope::new("x")), "give it one"),
    ] {
        let error = publisher.enqueue(event).await.unwrap().await.unwrap_err();
        assert_eq!(error.kind(), NotPublishedKind::Refused);
        assert!(error.to_string().contains(word), "{error}");
    }
}
