//! Queues that were declared so that something of the promises cannot be kept.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use lapin::options::QueueDeclareOptions;
use lapin::types::{AMQPValue, FieldTable};
use ordered_core::transport::{ConsumeOptions, DeliveryOrder, Transport};
use tracing_subscriber::fmt::MakeWriter;

use crate::support::Queue;

/// The lines that were logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

async fn declare(queue: &Queue, options: QueueDeclareOptions, arguments: &[(&str, AMQPValue)]) {
    let mut table = FieldTable::default();
    for (name, value) in arguments {
        table.insert((*name).into(), value.clone());
    }
    let client = queue.client().await;
    let name = queue.name.as_str().into();
    let declared = client.channel.queue_declare(name, options, table);
    declared.await.unwrap();
}

/// What the transport says of the queue when it starts.
async fn warnings(queue: &Queue) -> Vec<String> {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(lines.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let transport = queue.builder().await.unwrap();
    transport
        .start(ConsumeOptions { max_unsettled: 1 })
        .await
        .unwrap();
    transport.close().await.unwrap();
    drop(guard);
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    text.lines()
        .filter(|line| line.contains("WARN") || line.contains("ERROR"))
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn a_queue_that_is_declared_here_breaks_no_promise() {
    let queue = Queue::shared().await;
    assert_eq!(warnings(&queue).await, [""; 0]);
    // The second time it is there.
    assert_eq!(warnings(&queue).await, [""; 0]);
    let classic = Queue::shared().await;
    declare(&classic, QueueDeclareOptions::durable(), &[]).await;
    assert_eq!(warnings(&classic).await, [""; 0]);
}

#[tokio::test]
async fn each_argument_that_breaks_a_promise_is_told_at_the_start() {
    let queue = Queue::shared().await;
    let arguments = [
        ("x-max-length", AMQPValue::LongInt(1_000)),
        ("x-max-length-bytes", AMQPValue::LongLongInt(1 << 40)),
        ("x-message-ttl", AMQPValue::LongInt(60_000)),
        ("x-expires", AMQPValue::LongInt(600_000)),
    ];
    let options = QueueDeclareOptions {
        durable: false,
        auto_delete: true,
        ..QueueDeclareOptions::default()
    };
    declare(&queue, options, &arguments).await;
    let told = warnings(&queue).await;
    for words in [
        "not durable",
        "auto-delete",
        "x-expires",
        "x-message-ttl",
        "x-max-length 1000",
        "x-max-length-bytes 1099511627776",
    ] {
        let lines = told.iter().filter(|line| line.contains(words)).count();
        assert_eq!(lines, 1, "{words}: {told:#?}");
    }
    assert_eq!(told.len(), 6, "{told:#?}");
}

#[tokio::test]
async fn a_limit_that_makes_producers_wait_breaks_no_promise() {
    let queue = Queue::shared().await;
    let arguments = [
        ("x-max-length", AMQPValue::LongInt(1_000)),
        ("x-overflow", text("reject-publish")),
    ];
    declare(&queue, QueueDeclareOptions::durable(), &arguments).await;
    assert_eq!(warnings(&queue).await, [""; 0]);
}

/// The order `arrival` needs such a queue.
#[tokio::test]
async fn a_queue_with_one_consumer_at_a_time_breaks_no_promise() {
    let queue = Queue::shared().await;
    let arguments = [("x-single-active-consumer", AMQPValue::Boolean(true))];
    declare(&queue, QueueDeclareOptions::durable(), &arguments).await;
    assert_eq!(warnings(&queue).await, [""; 0]);
    let transport = queue.builder().strict(true).await.unwrap();
    transport
        .start(ConsumeOptions { max_unsettled: 1 })
        .await
        .unwrap();
    assert_eq!(transport.delivery_order(), DeliveryOrder::OneConsumer);
    transport.close().await.unwrap();
}

#[tokio::test]
async fn a_strict_transport_refuses_such_a_queue() {
    let queue = Queue::shared().await;
    let arguments = [
        ("x-queue-type", text("quorum")),
        ("x-delivery-limit", AMQPValue::LongInt(5)),
    ];
    declare(&queue, QueueDeclareOptions::durable(), &arguments).await;
    let transport = queue.builder().strict(true).await.unwrap();
    let started = transport.start(ConsumeOptions { max_unsettled: 1 }).await;
    let error = started.unwrap_err().to_string();
    assert!(error.contains("`strict` is set"), "{error}");
    assert!(error.contains("x-delivery-limit"), "{error}");
    let told = warnings(&queue).await;
    assert!(
        told.len() == 1 && told[0].contains("delivered 5 times"),
        "{told:#?}"
    );
}

#[tokio::test]
async fn queues_beside_the_partitions_are_told() {
    let queue = Queue::partitioned(2).await;
    assert_eq!(warnings(&queue).await, [""; 0]);
    queue.with_partitions(4).builder().await.unwrap();
    let told = warnings(&queue).await;
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(
        told[0].contains("more partitions than this worker consumes"),
        "{told:#?}"
    );
    declare(&queue, QueueDeclareOptions::durable(), &[]).await;
    let told = warnings(&queue).await;
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(
        told[0].contains("a queue without partitions, too"),
        "{told:#?}"
    );
}
