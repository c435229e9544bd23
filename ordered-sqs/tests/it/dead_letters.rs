use std::time::Duration;

use ordered_core::event::Envelope;
use ordered_core::store::MemoryStore;
use ordered_core::transport::{ConsumeOptions, Transport, TransportErrorKind};
use ordered_testkit::{eventually_within, unique};

use crate::support::queue::Queue;
use crate::support::recording_handler::RecordingHandler;

const TIMEOUT: Duration = Duration::from_secs(60);

/// One event that cannot be read and one that can.
async fn what_cannot_be_read_is_a_dead_letter(queue: &Queue) {
    let handler = RecordingHandler::default();
    let worker = handler
        .start(queue, &MemoryStore::new(), |worker| worker.id("w1"))
        .await;
    let mut broken = Envelope::new("no event");
    broken.headers.insert("tenant".into(), "acme".into());
    let mut good = Envelope::new("k 1 k-1");
    if queue.name.ends_with(".fifo") {
        for envelope in [&mut broken, &mut good] {
            let group = ordered_sqs::names::MESSAGE_GROUP_ID.to_owned();
            envelope.headers.insert(group, "group".into());
        }
    }
    queue.publish(vec![broken, good]).await;
    eventually_within(TIMEOUT, "all is settled", async || {
        handler.handled() == 1 && queue.backlog().await == 0
    })
    .await;
    worker.stop().await;
    let letters = queue.read_dead_letters().await;
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!(letters[0].envelope.body, "no event");
    assert_eq!(letters[0].envelope.headers["tenant"], "acme");
    assert_eq!(
        (&*letters[0].kind, &*letters[0].text),
        ("malformed", "not `key seq id`")
    );
}

#[tokio::test]
async fn dead_letters_go_to_a_queue_that_is_made_for_them() {
    what_cannot_be_read_is_a_dead_letter(&Queue::standard("10").await).await;
    what_cannot_be_read_is_a_dead_letter(&Queue::fifo("10").await).await;
}

#[tokio::test]
async fn dead_letters_go_to_the_target_of_the_redrive_policy() {
    what_cannot_be_read_is_a_dead_letter(&Queue::with_redrive("10", "50", "").await).await;
    what_cannot_be_read_is_a_dead_letter(&Queue::with_redrive("10", "50", ".fifo").await).await;
}

#[tokio::test]
async fn a_named_queue_for_dead_letters_goes_before_the_policy() {
    let mut queue = Queue::with_redrive("10", "50", "").await;
    queue.dead_letters = unique("elsewhere");
    let name = queue.dead_letters.clone();
    let consumer = queue.connect().dead_letter_queue(name).await.unwrap();
    let options = ConsumeOptions { max_unsettled: 1 };
    consumer.start(options).await.unwrap();
    assert!(queue.read_dead_letters().await.is_empty());
    consumer.close().await.unwrap();
}

#[tokio::test]
async fn without_a_queue_for_dead_letters_nothing_starts() {
    let queue = Queue::standard("10").await;
    let consumer = queue
        .connect()
        .create_dead_letter_queue(false)
        .await
        .unwrap();
    let error = consumer
        .start(ConsumeOptions { max_unsettled: 1 })
        .await
        .unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Fatal);
    let words = error.to_string();
    for part in [&queue.dead_letters, ".dead_letter_queue(…)", "us-east-1"] {
        assert!(words.contains(part), "{words}");
    }
}
