use std::time::Duration;

use ordered_core::event::Envelope;
use ordered_core::store::MemoryStore;
use ordered_core::transport::{ConsumeOptions, Publish, Transport, TransportErrorKind};
use ordered_core::worker::Worker;
use ordered_sqs::Sqs;
use ordered_testkit::eventually_within;
use ordered_testkit::server::SqsServer;
use tokio::sync::oneshot;

use crate::support::recording_handler::RecordingHandler;

const TIMEOUT: Duration = Duration::from_secs(90);

fn events(from: u64, to: u64) -> Vec<Envelope> {
    let all = (from..=to).flat_map(|seq| (0..5).map(move |key| (key, seq)));
    all.map(|(key, seq)| Envelope::new(format!("k{key} {seq} k{key}-{seq}")))
        .collect()
}

async fn connect(server: &SqsServer) -> Sqs {
    let builder = Sqs::connect(server.url("orders")).wait(Duration::from_secs(1));
    builder.await.unwrap()
}

/// A restart, with connections refused in between, and a server that hangs: the worker waits, and goes on by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_goes_on_when_the_endpoint_is_back() {
    let mut server = SqsServer::start().await.unwrap();
    let attributes = [("VisibilityTimeout", "3")];
    server.create_queue("orders", &attributes).await.unwrap();
    let handler = RecordingHandler::default();
    let worker = Worker::builder()
        .id("w1")
        .store(MemoryStore::new())
        .transport(connect(&server).await)
        .handler(handler.clone())
        .build()
        .unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(worker.run_until(async move {
        let _ = stopped.await;
    }));
    let handled = async |what: &str, count: usize| {
        eventually_within(TIMEOUT, what, async || handler.handled() >= count).await;
    };
    let producer = connect(&server).await.publisher();
    producer.publish(events(1, 4)).await.unwrap();
    handled("before", 20).await;
    server.stop().await.unwrap();
    let refused = producer.publish(events(5, 5)).await.unwrap_err();
    assert_eq!(refused.kind(), TransportErrorKind::Unavailable);
    server.start_again().await.unwrap();
    producer.publish(events(5, 8)).await.unwrap();
    handled("after a restart", 40).await;
    server.pause();
    let waiting = tokio::spawn(async move { producer.publish(events(9, 12)).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    server.resume();
    waiting.await.unwrap().unwrap();
    handled("after a pause", 60).await;
    let _ = stop.send(());
    task.await.unwrap().unwrap();
    handler.assert_in_order_once(5, 12);
}

/// It does not come back by itself, so waiting would hide it.
#[tokio::test]
async fn a_queue_that_is_deleted_ends_the_consumer() {
    let server = SqsServer::shared().await.unwrap();
    let name = ordered_testkit::unique("deleted");
    server.create_queue(&name, &[]).await.unwrap();
    let builder = Sqs::connect(server.url(&name)).wait(Duration::from_secs(1));
    let consumer = builder.await.unwrap();
    consumer
        .start(ConsumeOptions { max_unsettled: 5 })
        .await
        .unwrap();
    let url = format!(
        r#"{{"QueueUrl":"{}/000000000000/{name}"}}"#,
        server.endpoint()
    );
    server.call("DeleteQueue", &url).await.unwrap();
    let error = consumer.receive(1).await.unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Fatal);
    assert!(error.to_string().contains(&name), "{error}");
    consumer.close().await.unwrap();
}
