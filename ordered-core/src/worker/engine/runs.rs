use std::collections::HashMap;
use std::sync::Arc;

use tokio::task::AbortHandle;

use super::lane::Stage;
use super::trial::split;
use super::{Context, Engine, Failure, HandlerError, Key, RunName, Start, Then};
use crate::handler::{ContextParts, OnExhausted};
use crate::protocol::{Action, Attempt};
use crate::store::{Stuck, Swept};
use crate::words::shortened;
use crate::worker::{Occurrence, StuckBecause};

/// What a handler says may quote the event, and is kept by the store and logged.
const LONGEST_ERROR: usize = 4_000;

impl Engine {
    /// The next run to start, while there are slots. The caller makes sure that the worker's lease is good.
    pub(in crate::worker) fn next_start(&mut self) -> Option<Start> {
        while self.running < self.parts.settings.concurrency {
            let key = self.ready.pop_front()?;
            let Some(lane) = self.lanes.get_mut(&key) else {
                continue;
            };
            if !matches!(lane.stage, Stage::Ready) {
                continue;
            }
            let Some(item) = lane.queue.front() else {
                continue;
            };
            if item.repeat {
                self.commit(&key);
                continue;
            }
            lane.stage = Stage::Running(None);
            self.running += 1;
            return self.start(&key);
        }
        None
    }

    fn start(&mut self, key: &Key) -> Option<Start> {
        let lane = self.lanes.get_mut(key)?;
        let fence = lane.fence;
        let item = lane.queue.front_mut()?;
        let invocation = item
            .invocation
            .take()
            .unwrap_or_else(|| self.parts.invocation(&item.envelope));
        let context = Context::new(ContextParts {
            group: Arc::clone(&self.group),
            worker: self.parts.worker.clone(),
            key: item.key.clone(),
            seq: item.seq(),
            id: item.id().clone(),
            attempt: item.attempt,
            fence,
            received_at: item.received_at,
            envelope: item.envelope.clone(),
            states: Arc::clone(&self.parts.states),
        });
        let name = RunName {
            key: key.clone(),
            fence,
            seq: item.seq(),
        };
        let attempt = item.attempt;
        let item = self.lanes.get(key)?.queue.front()?;
        self.observe(&Occurrence::Started {
            event: item.place(),
            attempt,
            fence,
        });
        // Only what was held by a worker whose handler read it, and is read here by another version, can fail now.
        let run = invocation
            .map(|invocation| (invocation, context))
            .map_err(|malformed| {
                HandlerError::permanent(format!(
                    "this version of the handler cannot read the held event: {malformed}"
                ))
            });
        Some(Start { name, run })
    }

    /// The run was spawned, and can be stopped by this handle.
    pub(in crate::worker) fn on_spawned(&mut self, name: &RunName, handle: AbortHandle) {
        if let Some(lane) = self.lanes.get_mut(&name.key)
            && let Stage::Running(place) = &mut lane.stage
        {
            *place = Some(handle);
        }
    }

    /// A run is over. One whose lane was given up meanwhile does not count.
    pub(in crate::worker) fn on_finished(
        &mut self,
        name: &RunName,
        outcome: Result<(), HandlerError>,
    ) {
        if !self.is_current(name, |stage| matches!(stage, Stage::Running(_))) {
            return;
        }
        self.running -= 1;
        match outcome {
            Ok(()) => self.commit(&name.key),
            Err(error) => self.failed(&name.key, &error),
        }
    }

    /// A wait before the next attempt is over.
    pub(in crate::worker) fn on_pause_over(&mut self, name: &RunName) {
        if self.is_current(name, |stage| matches!(stage, Stage::BackingOff(_)))
            && let Some(lane) = self.lanes.get_mut(&name.key)
        {
            lane.stage = Stage::Ready;
            self.waiting -= 1;
            self.waiting_unsettled -= lane.unsettled();
            self.ready.push_back(name.key.clone());
        }
    }

    /// What a sweep found.
    pub(in crate::worker) fn on_swept(&mut self, swept: Swept) {
        let (suspects, others) = split(swept.runnable, swept.suspects);
        self.suspects = suspects;
        self.on_swept_keys(others);
        let mut reported = HashMap::with_capacity(swept.stuck.len());
        for Stuck { key, seq, since } in swept.stuck {
            if self.reported.get(&key) != Some(&seq) {
                tracing::warn!(%key, seq, since, "a key has waited long for an event that has not come");
                self.report_stuck(&key, seq, StuckBecause::Gap { since });
            }
            reported.insert(key, seq);
        }
        self.reported = reported;
    }

    /// Keys that nobody runs, though something of them may run.
    pub(super) fn on_swept_keys(&mut self, keys: Vec<Key>) {
        for key in keys {
            if !self.lanes.contains_key(&key) && !self.draining {
                self.tell(key, Action::Claim, Then::Claim);
            }
        }
    }

    fn is_current(&self, name: &RunName, at: impl Fn(&Stage) -> bool) -> bool {
        self.lanes.get(&name.key).is_some_and(|lane| {
            let first = lane.queue.front().map(super::item::Item::seq);
            lane.fence == name.fence && first == Some(name.seq) && at(&lane.stage)
        })
    }

    fn commit(&mut self, key: &Key) {
        let Some(lane) = self.lanes.get_mut(key) else {
            return;
        };
        let Some(item) = lane.queue.front() else {
            return;
        };
        let (fence, have) = (lane.fence, lane.have());
        let action = Action::Commit {
            event: item.event.clone(),
            fence,
            have,
        };
        lane.stage = Stage::Asking;
        self.tell(key.clone(), action, Then::Commit(fence));
    }

    fn failed(&mut self, key: &Key, error: &HandlerError) {
        let Some(lane) = self.lanes.get_mut(key) else {
            return;
        };
        let Some(item) = lane.queue.front() else {
            return;
        };
        let options = &self.parts.options;
        lane.stage = Stage::Asking;
        let (fence, number, have) = (lane.fence, item.attempt, lane.have());
        let attempt = Attempt {
            event: item.event.clone(),
            fence,
            number,
            error: shortened(error.to_string(), LONGEST_ERROR),
        };
        let wait = options.backoff.wait(number, &mut self.parts.random);
        let failure = Failure {
            fence,
            attempt: number,
            error: attempt.error.clone(),
            wait,
            told: false,
        };
        let envelope = item.envelope.clone();
        let crowded = self.waiting >= self.parts.settings.concurrency.div_ceil(2)
            || self.waiting_unsettled + lane.unsettled() > self.may_wait_unsettled();
        let (action, then) = if error.is_permanent() || number >= options.policy.max_attempts {
            match options.on_exhausted {
                OnExhausted::Halt => (Action::Halt(attempt, envelope), Then::Halt(failure)),
                OnExhausted::DeadLetter => (
                    Action::DeadLetter {
                        attempt,
                        envelope,
                        have,
                    },
                    Then::DeadLetter(failure),
                ),
            }
        } else if wait > options.lane_backoff || crowded {
            (
                Action::Postpone(attempt, envelope, wait),
                Then::Postpone(failure),
            )
        } else {
            (Action::Retry(attempt), Then::Retry(failure))
        };
        self.tell(key.clone(), action, then);
    }
}
