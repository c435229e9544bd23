//! Every delivery is in exactly one outcome: the page, held against what the broker's side and the handlers saw.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ordered_events::core::handler::OnExhausted;
use ordered_events::core::transport::shuffle_within;
use ordered_events::core::worker::Outcome;
use ordered_events::prometheus::MetricsServer;
use ordered_events::{Envelope, MemoryBroker, MemoryStore, Publish, Store, Transport, Worker};
use ordered_testkit::eventually;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::server::ask;
use super::support::event_tally::{NUMBER, Settled, Tally, Watched};
use super::support::load::{DYING, Load, event, event_with_id, never};
use super::support::page::{Page, prometheus};

/// How many events the keys have that nothing is wrong with, and how many such keys there are.
const EVENTS: u64 = 30;
const KEYS: u64 = 12;

/// How many different events are taken in: good, failing and poisoned, behind a hole, twice under an id, too many, and
/// the one on which a worker dies.
const DISTINCT: u64 = KEYS * EVENTS + 12 + 4 + 2 + 5 + 5 * EVENTS + 1;

/// A broker, a store, and what happens between them.
struct Scene {
    group: String,
    store: Arc<dyn Store>,
    broker: Arc<dyn Publish>,
    connect: Box<dyn AsyncConnect>,
    exhausted: OnExhausted,
    load: Load,
    tally: Tally,
    settled: Settled,
    server: MetricsServer,
}

/// Makes consumers of the queue.
#[async_trait::async_trait]
trait AsyncConnect: Send + Sync {
    async fn consumer(&self) -> Arc<dyn Transport>;
}

struct Running {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap();
    }
}

impl Scene {
    async fn publish(&self, events: Vec<Envelope>) {
        let first = self.tally.of("published");
        self.tally.add("published", events.len());
        let numbered = (first..).zip(events).map(|(number, mut event)| {
            event.headers.insert(NUMBER.into(), number.to_string());
            event
        });
        let events = numbered.collect();
        self.broker.publish(events).await.unwrap();
    }

    async fn worker(&self, name: &str) -> Running {
        let tally = self.tally.clone();
        let worker = Worker::builder()
            .shared_store(Arc::clone(&self.store))
            .transport(Watched::new(
                self.connect.consumer().await,
                self.tally.clone(),
                self.settled.clone(),
            ))
            .handler(self.load.clone())
            .on_exhausted(self.exhausted)
            .backoff(ordered_events::Backoff {
                base: Duration::from_millis(20),
                cap: Duration::from_millis(60),
            })
            // Some waits are sat out, some go to the store.
            .lane_backoff(Duration::from_millis(15))
            .options(|options| options.policy.key_quota.events = 4 * EVENTS)
            .defer(Duration::from_millis(200))
            // Short where the others wait for its end; long where a busy machine must not end it.
            .lease(Duration::from_secs(if name == DYING { 1 } else { 30 }))
            .sweep_interval(Duration::from_millis(100))
            .id(name)
            .observe(move |worker_event| tally.see(worker_event))
            .build()
            .unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let shutdown = async {
                let _ = stopped.await;
            };
            worker.run_until(shutdown).await.unwrap();
        });
        Running { stop, task }
    }

    /// What a scrape says now, over HTTP.
    async fn scrape(&self) -> Page {
        let answer = ask(self.server.address(), "GET", "/metrics").await.unwrap();
        Page::read(&answer, &self.group)
    }

    /// Waits until so many of the key are done.
    async fn done(&self, key: &str, events: u64) {
        eventually(&format!("{events} of {key} are done"), async || {
            self.load.done(key).len() as u64 >= events
        })
        .await;
    }

    /// Waits until the broker has nothing any more of what was published.
    async fn all_settled(&self) {
        eventually("everything is settled", async || {
            self.tally.finals() >= self.tally.of("published")
        })
        .await;
    }
}

/// All kinds of trouble, one after the other and all at once; at the end the page is compared.
async fn everything_adds_up(scene: Scene) {
    println!("group {}", scene.group);
    // A worker dies with a delivery in its hands permanently: neither settled nor drained.
    let dying = scene.worker(DYING).await;
    scene.publish(vec![event("hang", 1)]).await;
    eventually("the handler hangs", async || {
        scene.load.runs.lock().unwrap().begun == 1
    })
    .await;
    assert_eq!(scene.scrape().await.count("ordered_unsettled"), 1);
    dying.task.abort();
    assert!(dying.task.await.unwrap_err().is_cancelled());
    eventually("the crash is on the page", async || {
        scene.scrape().await.delivery("returned") == 1
    })
    .await;

    let (leaving, first, second) = (
        scene.worker("leaving").await,
        scene.worker("first").await,
        scene.worker("second").await,
    );
    scene.publish(orderly_and_not()).await;
    scene.done("good-0", EVENTS / 2).await;
    let before = scene.scrape().await;
    leaving.stop().await;

    for key in 0..KEYS {
        scene.done(&format!("good-{key}"), EVENTS).await;
    }
    scene.done("hang", 1).await;
    scene.done("fails", 4).await;
    scene.done("hole", 1).await;
    scene.done("again", 4).await;
    scene.publish(vec![never("late", 2)]).await;
    scene.done("late", 2).await;
    scene.publish(afterwards()).await;
    // What there was no room for can come in once the key goes on.
    eventually("there is no room", async || scene.tally.of("deferred") > 0).await;
    scene.publish(vec![event("flood", 1)]).await;
    scene.done("flood", 5 * EVENTS).await;
    scene.all_settled().await;
    let halted = u64::from(scene.exhausted == OnExhausted::Halt);
    eventually("the sweep has seen what stands", async || {
        let page = scene.scrape().await;
        page.count("ordered_halted_keys") == halted
            && page.value("ordered_oldest_gap_seconds") > 0.0
            && page.count("ordered_unsettled") == 0
    })
    .await;
    let lower = scene.scrape().await.lower_than(&before);
    assert!(lower.is_empty(), "{lower:?}");
    first.stop().await;
    second.stop().await;
    compare(&scene, &scene.scrape().await);
}

/// Everything that may come at once, shuffled and partly twice.
fn orderly_and_not() -> Vec<Envelope> {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let good = (1..=EVENTS).flat_map(|seq| (0..KEYS).map(move |key| (format!("good-{key}"), seq)));
    let mut events: Vec<Envelope> = good.map(|(key, seq)| event(&key, seq)).collect();
    let some = ["fails", "poisoned"].iter();
    events.extend(some.flat_map(|key| (1..=6).map(|seq| event(key, seq))));
    events.extend([1, 3, 4, 5].map(|seq| event("hole", seq)));
    events.extend([1, 3].map(|seq| event("late", seq)));
    // The same event under two seqs: handled once.
    events.extend([1, 2, 3, 5].map(|seq| event("again", seq)));
    events.push(event_with_id("again", 4, "again-2"));
    events.extend((2..=5 * EVENTS).map(|seq| event("flood", seq)));
    let twice: Vec<Envelope> = events
        .iter()
        .filter(|_| random.u8(0..10) == 0)
        .cloned()
        .collect();
    events.extend(twice);
    events.extend(["garbage", "k x y", "k 0 zero"].map(Envelope::new));
    shuffle_within(&mut events, 40, &mut random);
    events
}

/// What comes when its seq is passed.
fn afterwards() -> Vec<Envelope> {
    vec![
        event("late", 2),
        event_with_id("good-1", 2, "impostor"),
        event_with_id("good-2", EVENTS, "impostor"),
        event("good-3", 3),
    ]
}

#[track_caller]
fn compare(scene: &Scene, page: &Page) {
    let tally = &scene.tally;
    let seen = |what: &str| tally.of(&format!("seen {what}"));
    // Every delivery that the transports made is in one outcome.
    let received = page.count("ordered_received_total");
    assert_eq!(received, tally.of("received"));
    assert_eq!(page.sum("ordered_deliveries_total"), received);
    assert_eq!(page.count("ordered_unsettled"), 0);
    // By what the broker was told.
    let settled = tally.finals() + tally.of("deferred");
    assert_eq!(page.delivery("returned"), received - settled);
    assert_eq!(page.delivery("deferred"), tally.of("deferred"));
    for kind in ["conflict", "late", "malformed"] {
        assert_eq!(
            page.delivery(kind),
            tally.of(&format!("dead {kind}")),
            "{kind}"
        );
        // A worker that does not own the key puts the event into its mailbox: then the delivery is held, and the owner
        // sees what the event is.
        assert!(page.delivery(kind) <= seen(kind), "{kind}");
    }
    let elsewhere = [
        Outcome::Returned,
        Outcome::Deferred,
        Outcome::Conflict,
        Outcome::Late,
        Outcome::Malformed,
    ];
    let acked: u64 = Outcome::VALUES
        .iter()
        .filter(|name| elsewhere.iter().all(|outcome| outcome.as_str() != **name))
        .map(|outcome| page.delivery(outcome))
        .sum();
    assert_eq!(acked, tally.of("acked"));
    assert_eq!(page.delivery("control"), seen("control"));
    // Each event that was taken in was so by one delivery, or by several while it was held.
    let kept = ["held", "postponed", "halted", "dead_lettered"];
    let taken_in: u64 = kept.map(|outcome| page.delivery(outcome)).iter().sum();
    let committed = page.delivery("committed");
    assert!(committed + taken_in >= DISTINCT, "{page:?}");
    assert!(committed <= page.step("committed") + page.step("repeated"));
    // Everything published ended, and each once: no acknowledgement is lost when a worker leaves.
    assert_eq!(tally.of("settled again"), 0);
    assert_eq!(tally.finals(), tally.of("published"));
    // The steps, by what observers and handlers saw.
    for step in [
        "started",
        "committed",
        "repeated",
        "retried",
        "halted",
        "dead_lettered",
        "fenced",
        "taken_over",
    ] {
        assert_eq!(page.step(step), seen(step), "{step}");
    }
    let runs = scene.load.runs.lock().unwrap();
    assert_eq!(page.step("started"), runs.begun);
    assert_eq!(page.count("ordered_handler_seconds_count"), runs.ended);
    let distinct = |seqs: &Vec<u64>| seqs.iter().collect::<BTreeSet<_>>().len() as u64;
    let done: u64 = runs.done.values().map(distinct).sum();
    assert_eq!(page.step("committed"), done);
    assert_eq!(
        page.count("ordered_queue_to_commit_seconds_count"),
        done + page.step("repeated")
    );
    // And by what the load makes sure of.
    let halts = u64::from(scene.exhausted == OnExhausted::Halt);
    assert_eq!(page.step("halted"), halts);
    assert_eq!(page.step("dead_lettered"), 1 - halts);
    assert_eq!(page.step("repeated"), 1);
    assert!(page.step("retried") > 0);
    for (what, made) in [
        ("late", 1),
        ("malformed", 3),
        ("conflict", 2),
        ("control", 1),
    ] {
        assert_eq!(seen(what), made, "{what}");
    }
    assert!(page.step("taken_over") > 0);
    assert!(page.count("ordered_held_seconds_count") > 0);
}

struct InMemory(MemoryBroker);

#[async_trait::async_trait]
impl AsyncConnect for InMemory {
    async fn consumer(&self) -> Arc<dyn Transport> {
        Arc::new(self.0.consumer())
    }
}

async fn in_memory(exhausted: OnExhausted) -> Scene {
    let group = ordered_testkit::unique("adds-up");
    let broker = MemoryBroker::new();
    Scene {
        server: prometheus().serve_locally(0).await.unwrap(),
        store: Arc::new(MemoryStore::new()),
        broker: Arc::new(broker.clone()),
        connect: Box::new(InMemory(broker)),
        exhausted,
        load: Load::new(&group),
        tally: Tally::default(),
        settled: Settled::default(),
        group,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_memory_with_a_key_that_halts() {
    everything_adds_up(in_memory(OnExhausted::Halt).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_memory_with_an_event_that_is_dead_lettered() {
    everything_adds_up(in_memory(OnExhausted::DeadLetter).await).await;
}

#[cfg(all(feature = "redis", feature = "amqp"))]
mod real {
    use ordered_events::{Amqp, RedisStore};
    use ordered_testkit::server::{RabbitServer, RedisServer};

    use super::*;

    struct Queue {
        url: String,
        name: String,
    }

    #[async_trait::async_trait]
    impl AsyncConnect for Queue {
        async fn consumer(&self) -> Arc<dyn Transport> {
            Arc::new(Amqp::connect(&self.url).queue(&self.name).await.unwrap())
        }
    }

    async fn on_servers(exhausted: OnExhausted) -> Scene {
        let group = ordered_testkit::unique("adds-up");
        let rabbit = RabbitServer::shared().await.unwrap();
        let redis = RedisServer::shared().await.unwrap();
        let url = rabbit.url();
        let publisher = Amqp::connect(&url).queue(&group).publisher().await.unwrap();
        Scene {
            server: prometheus().serve_locally(0).await.unwrap(),
            store: Arc::new(RedisStore::connect(&redis.url()).await.unwrap()),
            broker: Arc::new(publisher),
            connect: Box::new(Queue {
                url,
                name: group.clone(),
            }),
            exhausted,
            load: Load::new(&group),
            tally: Tally::default(),
            settled: Settled::default(),
            group,
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn on_rabbitmq_and_redis_with_a_key_that_halts() {
        everything_adds_up(on_servers(OnExhausted::Halt).await).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn on_rabbitmq_and_redis_with_an_event_that_is_dead_lettered() {
        everything_adds_up(on_servers(OnExhausted::DeadLetter).await).await;
    }
}
