use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ordered_core::event::Envelope;
use ordered_core::store::MemoryStore;
use ordered_core::worker::WorkerEvent;
use ordered_sqs::names;
use ordered_testkit::eventually_within;

use crate::support::queue::Queue;
use crate::support::recording_handler::RecordingHandler;

const TIMEOUT: Duration = Duration::from_secs(90);

async fn done(queue: &Queue, handler: &RecordingHandler, events: usize) {
    eventually_within(TIMEOUT, "all is handled and settled", async || {
        handler.handled() >= events && queue.backlog().await == 0
    })
    .await;
}

/// All events of all keys in a random order, one in five of them twice.
fn shuffled(keys: usize, events: u64, envelope: impl Fn(&str, u64) -> Envelope) -> Vec<Envelope> {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut all = Vec::new();
    for seq in 1..=events {
        for key in 0..keys {
            let times = if random.u8(..5) == 0 { 2 } else { 1 };
            all.extend((0..times).map(|_| envelope(&format!("k{key}"), seq)));
        }
    }
    random.shuffle(&mut all);
    all
}

async fn three_workers(queue: &Queue, all: Vec<Envelope>, keys: usize, events: u64) {
    let (store, handler) = (MemoryStore::new(), RecordingHandler::default());
    let (before, after) = all.split_at(all.len() / 2);
    queue.publish(before.to_vec()).await;
    let start = |id: &'static str| {
        handler.start(queue, &store, move |worker| {
            worker.id(id).concurrency(8).read_ahead(30)
        })
    };
    let workers = [start("w1").await, start("w2").await, start("w3").await];
    queue.publish(after.to_vec()).await;
    done(queue, &handler, keys * usize::try_from(events).unwrap()).await;
    for worker in workers {
        worker.stop().await;
    }
    handler.assert_in_order_once(keys, events);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_workers_put_a_standard_queue_in_order() {
    let queue = Queue::standard("5").await;
    let all = shuffled(20, 25, |key, seq| {
        Envelope::new(format!("{key} {seq} {key}-{seq}"))
    });
    three_workers(&queue, all, 20, 25).await;
}

/// The key is the message group, the id the deduplication id; the producer has mixed up the order within the groups.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_workers_put_a_fifo_queue_in_order() {
    let queue = Queue::fifo("5").await;
    let all = shuffled(20, 25, |key, seq| Envelope {
        headers: [
            (names::MESSAGE_GROUP_ID.to_owned(), key.to_owned()),
            (
                names::MESSAGE_DEDUPLICATION_ID.to_owned(),
                format!("{key}-{seq}"),
            ),
        ]
        .into(),
        ..Envelope::new(seq.to_string())
    });
    three_workers(&queue, all, 20, 25).await;
}

/// What the queue does not recognise as a duplicate, the store does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_workers_handle_duplicates_on_a_fifo_queue_once() {
    let queue = Queue::fifo("5").await;
    let all = shuffled(10, 20, |key, seq| Envelope {
        headers: [(names::MESSAGE_GROUP_ID.to_owned(), key.to_owned())].into(),
        ..Envelope::new(format!("{key} {seq} {key}-{seq}"))
    });
    three_workers(&queue, all, 10, 20).await;
}

#[tokio::test]
async fn a_handler_slower_than_the_visibility_timeout_handles_once() {
    let queue = Queue::standard("2").await;
    let handler = RecordingHandler {
        work: Duration::from_secs(6),
        ..RecordingHandler::default()
    };
    let received = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&received);
    let worker = handler
        .start(&queue, &MemoryStore::new(), |worker| {
            worker.id("w1").observe(move |worker_event| {
                if matches!(worker_event, WorkerEvent::Received { .. }) {
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .await;
    let all = (0..15).map(|key| Envelope::new(format!("k{key} 1 k{key}-1")));
    queue.publish(all.collect()).await;
    done(&queue, &handler, 15).await;
    worker.stop().await;
    handler.assert_in_order_once(15, 1);
    // On a machine that stalls for seconds some may come twice, but not a second time for every timeout.
    let received = received.load(Ordering::Relaxed);
    assert!((15..30).contains(&received), "{received} deliveries");
}
