use std::collections::HashMap;

use tokio::task::AbortHandle;

use super::lane::{Lane, Stage};
use super::trial::split;
use super::{Engine, Failure, HandlerError, Key, Malformed, Run, RunName, Seq, Start, Then};
use crate::handler::OnExhausted;
use crate::protocol::{Action, Attempt, Command};
use crate::store::{Stuck, Swept};
use crate::words::shortened;
use crate::worker::{Occurrence, StuckBecause};

/// What a handler says may quote the event, and is kept by the store and logged.
const LONGEST_ERROR: usize = 4_000;

impl RunName {
    fn is_of(&self, lane: &Lane) -> bool {
        let first = lane.queue.front().map(|item| item.seq());
        lane.fence == self.fence && first == Some(self.seq)
    }
}

fn start(name: RunName, run: Result<Run, Malformed>) -> Start {
    // Only what was held by a worker whose handler read it, and is read here by another version, can fail now.
    let run = run.map_err(|malformed| {
        HandlerError::permanent(format!(
            "this version of the handler cannot read the held event: {malformed}"
        ))
    });
    Start { name, run }
}

impl Engine {
    /// The next run to start, while there are slots. The caller makes sure that the worker's lease is good.
    pub(in crate::worker) fn next_start(&mut self) -> Option<Start> {
        while self.running < self.parts.settings.concurrency {
            let key = self.ready.pop_front()?;
            let Some(lane) = self.lanes.get_mut(&key) else {
                continue;
            };
            lane.lined_up = false;
            let events = lane.next_run(&self.parts.options);
            let Some(first) = lane.queue.front_mut().filter(|_| events > 0) else {
                continue;
            };
            if first.repeat {
                self.commit(&key, events);
                continue;
            }
            lane.stage = Stage::Running {
                events,
                handle: None,
            };
            self.running += 1;
            let (fence, seq) = (lane.fence, first.seq());
            let run = if self.parts.options.batch == 1 {
                self.parts.one(&self.group, fence, first)
            } else {
                self.parts.batch(&self.group, lane, events)
            };
            for item in lane.queue.iter().take(events) {
                self.parts.observe(&Occurrence::Started {
                    event: item.place(),
                    attempt: item.attempt,
                    fence,
                });
            }
            return Some(start(RunName { key, fence, seq }, run));
        }
        None
    }

    /// The run was spawned, and can be stopped by this handle.
    pub(in crate::worker) fn on_spawned(&mut self, name: &RunName, spawned: AbortHandle) {
        if let Some(lane) = self.lanes.get_mut(&name.key)
            && let Stage::Running { handle, .. } = &mut lane.stage
        {
            *handle = Some(spawned);
        }
    }

    /// A run is over. One whose lane was given up meanwhile does not count.
    pub(in crate::worker) fn on_finished(
        &mut self,
        name: &RunName,
        outcome: Result<(), HandlerError>,
    ) {
        let Some(lane) = self.lanes.get(&name.key).filter(|lane| name.is_of(lane)) else {
            return;
        };
        let Stage::Running { events, .. } = lane.stage else {
            return;
        };
        self.running -= 1;
        match outcome {
            Ok(()) => self.commit(&name.key, events),
            Err(error) if events > 1 => self.part(&name.key, events, &error),
            Err(error) => self.failed(&name.key, &error),
        }
    }

    /// A wait before the next attempt is over.
    pub(in crate::worker) fn on_pause_over(&mut self, name: &RunName) {
        if let Some(lane) = self.lanes.get_mut(&name.key)
            && name.is_of(lane)
            && matches!(lane.stage, Stage::BackingOff(_))
        {
            lane.stage = Stage::Ready;
            self.waiting -= 1;
            self.waiting_unsettled -= lane.unsettled();
            self.line_up(&name.key);
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
                tracing::warn!(
                    key = key.as_str(),
                    seq,
                    since,
                    "a key has waited long for an event that has not come"
                );
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

    /// Events are done. Of several commits that are on their way together the first alone asks for what the worker may not
    /// have been told of, or each of the others would hand it back once more.
    fn commit(&mut self, key: &Key, events: usize) {
        let Some(lane) = self.lanes.get_mut(key) else {
            return;
        };
        for _ in 0..events {
            let have = if lane.told.is_empty() {
                lane.have()
            } else {
                Seq::MAX.get()
            };
            let Some(item) = lane.queue.pop_front() else {
                break;
            };
            let action = Action::Commit {
                event: item.event.clone(),
                fence: lane.fence,
                have,
            };
            let key = item.key.clone();
            let then = Then::Commit(lane.fence);
            self.outbox.push_back((Command { key, action }, then));
            lane.told.push_back(item);
        }
        lane.stage = Stage::Ready;
        if !lane.queue.is_empty() {
            self.line_up(key);
        }
        self.follow(key);
    }

    /// A run of several events failed, which is no attempt of any: they run one at a time, so that the one that fails is
    /// found.
    fn part(&mut self, key: &Key, events: usize, error: &HandlerError) {
        let Some(lane) = self.lanes.get_mut(key) else {
            return;
        };
        lane.stage = Stage::Ready;
        let last = lane.queue.get(events - 1).map(|item| item.seq().get());
        lane.careful_to = lane.careful_to.max(last.unwrap_or(0));
        let waits = lane.waits();
        let error = shortened(error.to_string(), LONGEST_ERROR);
        if let Some(item) = self.lanes.get(key).and_then(|lane| lane.queue.front()) {
            self.observe(&Occurrence::Parted {
                event: item.place(),
                events,
                error: &error,
            });
        }
        if self.draining && waits {
            return self.release(key);
        }
        self.line_up(key);
    }

    /// The first event failed, alone. What is said of it comes behind the commits that are told.
    fn failed(&mut self, key: &Key, error: &HandlerError) {
        let Some(lane) = self.lanes.get_mut(key) else {
            return;
        };
        let Some(item) = lane.queue.front() else {
            return;
        };
        // This is the one.
        lane.careful_to = item.seq().get();
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
