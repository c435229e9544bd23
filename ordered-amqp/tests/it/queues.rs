//! Queues that come and go.

use ordered_core::event::Envelope;
use ordered_core::transport::{ConsumeOptions, Transport};
use ordered_testkit::eventually;

use crate::support::{Queue, ack, numbered, take};

#[tokio::test]
async fn a_queue_that_an_operator_deletes_is_declared_and_consumed_again() {
    let queue = Queue::shared().await;
    queue.publish(numbered(3)).await;
    let transport = queue.started(10).await;
    let lost = take(&transport, 3).await;
    let client = queue.client().await;
    client.delete(&queue.name).await;
    let receiving = async {
        let delivery = take(&transport, 1).await.remove(0);
        assert_eq!(delivery.envelope.body, "new");
    };
    let publishing = async {
        eventually("it is declared again", async || {
            client.count(&queue.name).await.is_some()
        })
        .await;
        queue.publish([Envelope::new("new")]).await;
    };
    tokio::join!(receiving, publishing);
    // Tokens of what was deleted settle nothing.
    ack(&transport, &lost).await;
}

#[tokio::test]
async fn a_queue_that_may_not_be_declared_is_waited_for() {
    let queue = Queue::shared().await;
    queue.builder().await.unwrap();
    let transport = queue.builder().declare(false).await.unwrap();
    let options = ConsumeOptions { max_unsettled: 10 };
    transport.start(options).await.unwrap();
    let client = queue.client().await;
    client.delete(&queue.name).await;
    let receiving = async {
        let delivery = take(&transport, 1).await.remove(0);
        assert_eq!(delivery.envelope.body, "new");
    };
    let publishing = async {
        client.declare(&queue.name, &[]).await;
        queue.publish([Envelope::new("new")]).await;
    };
    tokio::join!(receiving, publishing);
}
