//! Offsets that are set back on purpose, told from a producer that numbers anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ordered_core::event::Envelope;
use ordered_core::store::MemoryStore;
use ordered_core::transport::REWOUND;
use ordered_core::worker::{WorkerBuilder, WorkerEvent};
use ordered_testkit::{LogCapture, eventually_within};

use crate::support::recording_handler::{RecordingHandler, Running};
use crate::support::{Consumer, Topic, topic::keyed};

const LONG: Duration = Duration::from_secs(60);

fn event(key: &str, seq: u64) -> Envelope {
    keyed(key, &seq.to_string())
}

/// A group whose workers forget ids at once: what comes again is stale, and not a duplicate.
struct Forgetful {
    topic: Topic,
    store: MemoryStore,
    handler: RecordingHandler,
    rewound: Arc<AtomicUsize>,
    stale: Arc<AtomicUsize>,
}

impl Forgetful {
    async fn with(partitions: i32) -> Self {
        Self {
            topic: Topic::shared(partitions).await,
            store: MemoryStore::new(),
            handler: RecordingHandler::default(),
            rewound: Arc::default(),
            stale: Arc::default(),
        }
    }

    async fn start(&self, name: &str) -> Running {
        let (rewound, stale) = (Arc::clone(&self.rewound), Arc::clone(&self.stale));
        let change = |worker: WorkerBuilder| {
            let worker = worker.id(name).dedup_ttl(Duration::from_millis(1));
            worker.observe(move |worker_event| {
                let count = match worker_event {
                    WorkerEvent::Rewound { .. } => &rewound,
                    WorkerEvent::Stale { .. } => &stale,
                    _ => return,
                };
                count.fetch_add(1, Ordering::Relaxed);
            })
        };
        let connect = self.topic.connect();
        self.handler.start(connect, &self.store, change).await
    }

    /// Runs a worker until so much is committed.
    async fn run(&self, name: &str, committed: i64) {
        let worker = self.start(name).await;
        self.commits(committed).await;
        worker.stop().await;
    }

    async fn commits(&self, committed: i64) {
        eventually_within(LONG, "all is committed", async || {
            self.topic.committed_in_all(&self.topic.name) == committed
        })
        .await;
    }

    /// How many were rewound, and how many stale.
    fn counts(&self) -> (usize, usize) {
        let [rewound, stale] =
            [&self.rewound, &self.stale].map(|count| count.load(Ordering::Relaxed));
        (rewound, stale)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rewind_is_quiet_and_a_producer_that_numbers_anew_is_loud() {
    let logs = LogCapture::everywhere();
    let group = Forgetful::with(2).await;
    let topic = &group.topic;
    let keys = ["a", "b", "c", "d", "e"];
    let events = (1..=20).flat_map(|seq| keys.map(|key| event(key, seq)));
    topic.publish(events).await;
    group.run("w1", 100).await;
    assert_eq!(group.counts(), (0, 0));
    let settled = topic.committed(&topic.settled_group());
    assert_eq!(settled, topic.committed(&topic.name));
    let told = || logs.lines(&[&topic.name, "the offsets of the group were set back"]);
    assert_eq!(told(), [""; 0]);

    let start = settled.keys().map(|partition| (*partition, 0));
    topic.set_offsets(&topic.name, start);
    let worker = group.start("w2").await;
    group.commits(100).await;
    // In a record that the group has not seen, its key counts from 1 again.
    topic.publish([event("a", 1)]).await;
    group.commits(101).await;
    worker.stop().await;
    assert_eq!(group.counts(), (100, 1));
    let told_then = told();
    assert_eq!(told_then.len(), settled.len(), "{told_then:?}");
    assert!(told_then.iter().all(|line| line.contains("from=0 to=")));
    let letters = topic.dead_letters();
    assert_eq!(letters.len(), 1);
    assert_eq!(
        (&*letters[0].kind, &*letters[0].envelope.body),
        ("stale", &b"1"[..])
    );

    // It goes on where it is.
    topic.publish([event("a", 21)]).await;
    group.run("w3", 102).await;
    assert_eq!((group.counts(), told()), ((100, 1), told_then));
    assert!(group.handler.handled("a").into_iter().eq(1..=21));
    for key in &keys[1..] {
        assert!(group.handler.handled(key).into_iter().eq(1..=20), "{key}");
    }
}

/// The broker has lost what the group had settled: others may have these offsets now.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_that_ends_before_what_was_settled_of_it_is_not_taken_for_a_rewind() {
    let logs = LogCapture::everywhere();
    let group = Forgetful::with(1).await;
    let topic = &group.topic;
    topic.publish((1..=10).map(|seq| event("a", seq))).await;
    group.run("w1", 10).await;
    topic.set_offsets(&topic.settled_group(), [(0, 1_000)]);
    topic.set_offsets(&topic.name, [(0, 0)]);
    group.run("w2", 10).await;
    assert_eq!(group.counts(), (0, 10));
    assert_eq!(topic.dead_letters().len(), 10);
    let told = [
        &topic.name,
        "ends before what the group had settled",
        "end=10",
    ];
    assert_eq!(logs.lines(&told).len(), 1);
    assert_eq!(topic.committed_in_all(&topic.settled_group()), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_was_settled_before_is_marked() {
    for (name, marked) in [("kept", 6), ("", 0)] {
        let topic = Topic::shared(1).await;
        topic.publish_numbered(0..10).await;
        let connect = || topic.connect().group("g").settled_group(name);
        let consumer = Consumer::start(connect(), 20).await;
        let all = consumer.take(10).await;
        consumer.ack(&all).await;
        consumer.close().await;
        topic.set_offsets("g", [(0, 4)]);
        topic.publish_numbered(10..12).await;
        let consumer = Consumer::start(connect(), 20).await;
        let again = consumer.take(8).await;
        let headers = again.iter().map(|delivery| &delivery.envelope.headers);
        let is_marked: Vec<bool> = headers.map(|h| h.contains_key(REWOUND)).collect();
        let expected: Vec<bool> = (0..8).map(|place| place < marked).collect();
        assert_eq!(is_marked, expected, "{name:?}");
        consumer.close().await;
    }
    let same = Topic::shared(1).await.connect().group("g");
    let same = same.settled_group("g").await;
    let error = same.unwrap_err().to_string();
    assert!(
        error.contains("`settled_group` is the group itself"),
        "{error}"
    );
}
