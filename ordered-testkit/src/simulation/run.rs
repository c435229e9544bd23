use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ordered_core::admin::{Admin, OperateOptions};
use ordered_core::clock::Clock;
use ordered_core::event::{Envelope, Key};
use ordered_core::protocol::{Policy, Verb};
use ordered_core::store::{Group, Inspect, MemoryStore, Operator};
use ordered_core::transport::{MemoryBroker, Publish};
use tokio::time::{Instant, sleep};

use super::app::App;
use super::faults::Faults;
use super::fleet::{Fleet, Process};
use super::recorder::Recorder;
use super::{Problem, fault_schedule};
use crate::history::{Event, History, Rules, What};

/// How long, after the faults, everything may take to come to its end: several leases, sweeps and backoffs.
const TIMEOUT: Duration = Duration::from_secs(300);

/// One run, from its seed.
pub(super) struct Run<'a> {
    pub(super) app: App,
    pub(super) events: &'a [Envelope],
    pub(super) faults: Faults,
    pub(super) workers: usize,
    pub(super) seed: u64,
}

/// How a run went.
pub(super) struct Outcome {
    pub(super) history: History,
    pub(super) problems: Vec<Problem>,
    /// How much simulated time it took.
    pub(super) took: Duration,
}

impl Run<'_> {
    pub(super) fn go(self) -> Outcome {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime without I/O can be built");
        runtime.block_on(self.in_paused_time())
    }

    async fn in_paused_time(self) -> Outcome {
        let begun = Instant::now();
        let recorder = Recorder::new(self.faults, self.seed);
        let mut fleet = Fleet {
            store: MemoryStore::with_clock(Clock::tokio()),
            broker: MemoryBroker::with_faults(self.faults.of_broker(recorder.number())),
            recorder: recorder.clone(),
            app: self.app,
            started: 0,
            rules: Rules::default(),
        };
        let mut workers: Vec<Process> = (0..self.workers).map(|_| fleet.start()).collect();
        let expected = publish(&fleet, self.events).await;
        let mut leaving = fault_schedule::run(&mut fleet, &mut workers).await;
        while let Some(left) = leaving.join_next().await {
            left.expect("no worker panics");
        }
        let mut problems: Vec<_> = wait_for_the_end(&fleet, &expected)
            .await
            .into_iter()
            .collect();
        for worker in workers {
            worker.stop().await;
        }
        for (envelope, reason) in fleet.broker.dead_letters() {
            if let Some(event) = (fleet.app.read)(&envelope) {
                let reason = reason.to_string();
                recorder.write(What::DeadLettered { event, reason });
            }
        }
        let history = recorder.take();
        let violations = history.violations_by(fleet.rules);
        problems.extend(violations.into_iter().map(Problem::Broken));
        let checks = fleet.app.checks.iter().map(|check| check(&history));
        problems.extend(checks.filter_map(Result::err).map(Problem::Application));
        Outcome {
            history,
            problems,
            took: begun.elapsed(),
        }
    }
}

/// Gives everything to the broker, which delays and shuffles it; returns the last seq of each key.
async fn publish(fleet: &Fleet, events: &[Envelope]) -> BTreeMap<Key, u64> {
    let mut last = BTreeMap::new();
    for envelope in events {
        let Some(event) = (fleet.app.read)(envelope) else {
            fleet.recorder.publish_control_message();
            continue;
        };
        let Event { key, seq, .. } = &event;
        let key = Key::new(key).expect("the handler read it as a key");
        let known = last.entry(key).or_insert(*seq);
        *known = (*known).max(*seq);
        fleet.recorder.publish(event);
    }
    let published = fleet.broker.publish(events.to_vec()).await;
    published.expect("a queue in memory takes everything");
    last
}

/// Until the broker has nothing left, and every key is at its last seq.
async fn wait_for_the_end(fleet: &Fleet, expected: &BTreeMap<Key, u64>) -> Option<Problem> {
    let end = Instant::now() + TIMEOUT;
    loop {
        let behind = behind(fleet, expected).await;
        if fleet.broker.backlog() == 0 && behind.is_empty() {
            return None;
        }
        if Instant::now() > end {
            let backlog = fleet.broker.backlog();
            let keys = behind.join("; ");
            return Some(Problem::Stalled(format!("{backlog} at the broker; {keys}")));
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// The keys that are not where they should be. One that is halted has its event tried again, as an operator would.
async fn behind(fleet: &Fleet, expected: &BTreeMap<Key, u64>) -> Vec<String> {
    let mut behind = Vec::new();
    let group = fleet.store.group(fleet.group()).await.ok().flatten();
    let group = group.unwrap_or_else(|| Group::new(fleet.group(), Policy::default()));
    let admin = Admin::new(Arc::new(fleet.store.clone()));
    for (key, last) in expected {
        let view = admin.inspect(&group, key).await.ok().flatten();
        if view.as_ref().is_some_and(|view| view.phase == "halted") {
            let operator = Operator {
                who: "the simulation".into(),
                why: "the faults are over".into(),
            };
            let options = OperateOptions::default();
            // A worker may have the key, or take it: then the next look tries again.
            let _ = admin
                .operate(&group, key, &Verb::Retry, &operator, options)
                .await;
        }
        if view.as_ref().is_none_or(|view| view.last_seq < *last) {
            behind.push(format!("{key} should be at {last}, and is {view:?}"));
        }
    }
    behind
}
