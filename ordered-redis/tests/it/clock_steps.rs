//! The server's clock steps: what a time server does that corrects it, and a fail-over to a machine whose clock is
//! wrong.
//!
//! The clock of these tests stands still but for what a test lets pass, and time passes only after every worker that
//! lives has sent heartbeats and has swept: how busy the machine is changes nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use ordered_core::clock::Clock;
use ordered_core::handler::Backoff;
use ordered_core::internal::wall_clock;
use ordered_core::protocol::GapPolicy;
use ordered_core::store::{Group, Heartbeat, Session, Store, StoreError, Sweep, Swept, WrapStore};
use ordered_redis::RedisStore;
use ordered_testkit::eventually_within;
use ordered_testkit::server::RedisServer;

use crate::support::fleet::{Fleet, HEARTBEAT, LEASE, Member, Record, TIMEOUT};

/// A step that no lease, wait or deadline of these tests comes near to.
const STEP: u64 = 90_000;
/// What passes of the server's time at once.
const TICK: u64 = 100;
const LONGEST_BACKOFF: Duration = Duration::from_secs(4);

/// Counts what a worker asks of its store.
#[derive(Clone)]
struct Watched {
    store: RedisStore,
    beats: Arc<AtomicU64>,
    sweeps: Arc<AtomicU64>,
}

impl Watched {
    fn counts(&self) -> [u64; 2] {
        [&self.beats, &self.sweeps].map(|count| count.load(Ordering::SeqCst))
    }
}

#[async_trait]
impl WrapStore for Watched {
    type Inner = RedisStore;

    fn inner(&self) -> &RedisStore {
        &self.store
    }

    async fn heartbeat(
        &self,
        group: &Group,
        session: &Session,
        lease: Duration,
    ) -> Result<Heartbeat, StoreError> {
        let beat = self.store.heartbeat(group, session, lease).await;
        self.beats.fetch_add(1, Ordering::SeqCst);
        beat
    }

    async fn sweep(
        &self,
        group: &Group,
        session: &Session,
        sweep: &Sweep,
    ) -> Result<Swept, StoreError> {
        let swept = self.store.sweep(group, session, sweep).await;
        self.sweeps.fetch_add(1, Ordering::SeqCst);
        swept
    }
}

/// Workers whose store has a clock of the test's.
struct Stage {
    fleet: Fleet,
    store: RedisStore,
    clock: Clock,
    workers: HashMap<&'static str, (Watched, Member)>,
}

impl Stage {
    async fn new(name: &str) -> Self {
        let server = RedisServer::shared().await.unwrap();
        let store = RedisStore::connect(server.url()).await.unwrap();
        // Ids expire by the clock of the server.
        let clock = Clock::manual(wall_clock());
        let mut fleet = Fleet::new(name);
        fleet.options.lane_backoff = Duration::ZERO;
        fleet.options.backoff = Backoff {
            base: LONGEST_BACKOFF,
            cap: LONGEST_BACKOFF,
        };
        Self {
            store: store.with_clock(clock.clone()),
            fleet,
            clock,
            workers: HashMap::new(),
        }
    }

    fn start(&mut self, name: &'static str) {
        let store = Watched {
            store: self.store.clone(),
            beats: Arc::default(),
            sweeps: Arc::default(),
        };
        let quick = HEARTBEAT / 10;
        let member = self.fleet.start(name, store.clone(), |worker| {
            worker.heartbeat(quick).sweep_interval(quick)
        });
        self.workers.insert(name, (store, member));
    }

    async fn kill(&mut self, name: &str) {
        self.workers.remove(name).unwrap().1.kill().await;
    }

    /// Waits until every worker has sent a heartbeat and swept anew.
    async fn settle(&self) {
        // The second ones from now on have begun after now.
        let workers = self.workers.values();
        let before: Vec<_> = workers
            .map(|(store, member)| (store, member, store.counts()))
            .collect();
        eventually_within(TIMEOUT, "heartbeats and sweeps", async || {
            before.iter().all(|(store, member, before)| {
                assert!(!member.is_over(), "a worker has ended");
                let now = store.counts();
                now[0] >= before[0] + 2 && now[1] >= before[1] + 2
            })
        })
        .await;
    }

    /// Lets time pass until it is so. Says how much of the server's time that took, and what it took in truth.
    async fn pass_until(&self, what: &str, holds: impl Fn(&Record) -> bool) -> (u64, Duration) {
        let (mut passed, began) = (0, Instant::now());
        self.settle().await;
        while !holds(&self.fleet.record()) {
            assert!(began.elapsed() < TIMEOUT, "not within {TIMEOUT:?}: {what}");
            self.clock.advance(TICK);
            passed += TICK;
            self.settle().await;
        }
        println!(
            "{what}: {passed} ms of the server's time, {:?}",
            began.elapsed()
        );
        (passed, began.elapsed())
    }

    async fn stop(self) {
        for (_, member) in self.workers.into_values() {
            member.stop().await;
        }
    }
}

fn lease() -> u64 {
    u64::try_from(LEASE.as_millis()).unwrap()
}

#[tokio::test]
async fn the_keys_of_a_dead_worker_go_on_within_a_lease_although_the_clock_stepped_back() {
    let mut stage = Stage::new("stepped-back").await;
    stage.fleet.block("k", 2);
    stage.start("dies");
    stage.fleet.publish("k", 1..=3).await;
    stage.fleet.begins("k", 2).await;
    stage.start("lives");
    stage.settle().await;
    stage.kill("dies").await;
    stage.clock.step_back(STEP);
    stage.fleet.unblock("k", 2);
    let what = "a dead worker's key went on after a step back";
    let done = |record: &Record| record.last_commit("k") == 3;
    let (passed, _) = stage.pass_until(what, done).await;
    assert!(passed <= lease() + 2 * TICK, "it took {passed} ms");
    assert_eq!(stage.fleet.record().commits_of("k"), [1, 2, 3]);
    stage.fleet.record().assert_fences_rise("k");
    stage.stop().await;
}

#[tokio::test]
async fn a_retry_comes_in_its_time_although_the_clock_stepped_back_and_the_worker_died() {
    let mut stage = Stage::new("retry").await;
    stage.fleet.fail("k", 1, 1);
    stage.start("dies");
    stage.fleet.publish("k", [1]).await;
    let failed = |record: &Record| record.runs.len() == 1;
    stage.fleet.until("it has failed", failed).await;
    let held = async || stage.fleet.backlog() == 0;
    eventually_within(TIMEOUT, "the event is in the store", held).await;
    stage.start("lives");
    stage.settle().await;
    stage.kill("dies").await;
    stage.clock.step_back(STEP);
    let what = "a retry after a step back";
    let done = |record: &Record| record.last_commit("k") == 1;
    let (passed, _) = stage.pass_until(what, done).await;
    let longest = u64::try_from(LONGEST_BACKOFF.as_millis()).unwrap();
    assert!(
        passed <= longest + lease() + 2 * TICK,
        "it took {passed} ms"
    );
    stage.stop().await;
}

#[tokio::test]
async fn a_gap_is_skipped_in_its_time_although_the_clock_stepped_back_and_the_worker_died() {
    const AFTER: Duration = Duration::from_secs(1);
    let mut stage = Stage::new("gap").await;
    stage.fleet.options.policy.on_gap = GapPolicy::Skip { after: AFTER };
    stage.start("dies");
    stage.fleet.publish("k", [1, 3]).await;
    let held = async || stage.fleet.backlog() == 0;
    eventually_within(TIMEOUT, "the third is held", held).await;
    stage.start("lives");
    stage.settle().await;
    stage.kill("dies").await;
    stage.clock.step_back(STEP);
    let what = "a gap was skipped after a step back";
    let done = |record: &Record| record.last_commit("k") == 3;
    let (passed, _) = stage.pass_until(what, done).await;
    let after = u64::try_from(AFTER.as_millis()).unwrap();
    assert!(passed >= after, "it took only {passed} ms");
    assert!(passed <= after + lease() + 2 * TICK, "it took {passed} ms");
    assert_eq!(stage.fleet.record().commits_of("k"), [1, 3]);
    stage.stop().await;
}

#[tokio::test]
async fn a_step_forward_takes_no_event_from_a_worker_that_is_alive() {
    let mut stage = Stage::new("stepped-forward").await;
    stage.fleet.block("k", 2);
    stage.start("alive");
    stage.fleet.publish("k", 1..=2).await;
    stage.fleet.begins("k", 2).await;
    stage.start("other");
    stage.settle().await;
    stage.clock.advance(STEP);
    stage.settle().await;
    stage.clock.advance(STEP);
    let began = stage.clock.now();
    let what = "two leases after a step forward";
    let passed = |_: &Record| stage.clock.now() >= began + 2 * lease();
    stage.pass_until(what, passed).await;
    stage.fleet.unblock("k", 2);
    stage.fleet.commits("k", 2).await;
    {
        let record = stage.fleet.record();
        let runs = record.runs_of("k");
        assert_eq!(runs.len(), 2, "the event ran once: {runs:#?}");
        assert!(runs[1].worker.starts_with("alive"), "{runs:#?}");
        assert_eq!(record.commits.len(), 2, "{:?}", record.commits);
        assert!(record.commits[1].0.starts_with("alive"), "{record:?}");
    }
    stage.stop().await;
}
