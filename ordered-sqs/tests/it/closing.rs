//! Closing while a call for messages waits.

use std::time::Duration;

use ordered_core::event::Envelope;
use ordered_core::transport::{ConsumeOptions, Transport};
use ordered_sqs::{Sqs, SqsBuilder};
use tokio::time::{Instant, timeout};

use crate::support::fake_sqs::take;
use crate::support::queue::Queue;

const WAIT: Duration = Duration::from_secs(20);

/// A consumer of an empty queue, with a call for messages under way that waits for twenty seconds.
async fn waiting(builder: SqsBuilder) -> Sqs {
    let consumer = builder.wait(WAIT).await.unwrap();
    consumer
        .start(ConsumeOptions { max_unsettled: 10 })
        .await
        .unwrap();
    let nothing = timeout(Duration::from_millis(500), consumer.receive(1)).await;
    assert!(nothing.is_err(), "{nothing:?}");
    consumer
}

/// The visibility timeout is a minute: what the last call brought comes before that, because it was given back.
#[tokio::test]
async fn what_the_last_call_brings_is_shown_to_others() {
    let queue = Queue::standard("60").await;
    let consumer = waiting(queue.connect()).await;
    let (closed, ()) = tokio::join!(
        consumer.close(),
        queue.publish(vec![Envelope::new("in the last moment")])
    );
    closed.unwrap();
    let next = queue.connect().await.unwrap();
    next.start(ConsumeOptions { max_unsettled: 10 })
        .await
        .unwrap();
    let delivery = timeout(Duration::from_secs(40), take(&next, 1)).await;
    let delivery = delivery.expect("sooner than the visibility timeout");
    assert_eq!(delivery[0].envelope.body, "in the last moment");
    assert!(delivery[0].redelivered, "the last call had it");
}

#[tokio::test]
async fn with_no_time_to_wait_closing_is_immediate() {
    let queue = Queue::standard("60").await;
    let consumer = waiting(queue.connect().close_within(Duration::ZERO)).await;
    let begun = Instant::now();
    consumer.close().await.unwrap();
    // On a machine that is busy with other things; no call is made.
    assert!(begun.elapsed() < WAIT / 4, "it took {:?}", begun.elapsed());
}
