//! When the handler runs, and what happens to a run.

use std::collections::HashSet;
use std::time::Duration;

use super::actor::Actor;
use super::effect::{EventChange, RunError};
use super::event::Event;
use super::pending::Failure;
use super::shared::Shared;
use crate::event::EventId;

impl<D> Actor<D> {
    /// How many events the next run takes; 0 if none may begin now.
    pub(super) fn next_run(&mut self, shared: &Shared<D>) -> usize {
        self.choose_head(shared);
        self.mark_repeats();
        if !self.may_begin(shared) {
            return 0;
        }
        let (Some(own), Some(first)) = (&self.ownership, self.queue.front()) else {
            return 0;
        };
        let batch = shared.rules.batch as usize;
        if batch <= 1 || !self.may_share(first) {
            return 1;
        }
        let mut ids: HashSet<&EventId> = HashSet::new();
        let order = shared.rules.policy.order;
        let mut before = None;
        let mut events = 0;
        for event in self.queue.rest().take(batch) {
            let is_its = event.is_checked() && event.is_of(own.state.epoch);
            let is_next = before.is_none_or(|before| order.follows(&own.state, before, event.seq));
            let follows = is_next && is_its && self.may_share(event);
            if !follows || !ids.insert(&event.id) || own.ids.contains(&event.id) {
                break;
            }
            (events, before) = (events + 1, Some(event.seq));
        }
        events
    }

    /// The first event's id may have been committed since it was looked up.
    fn mark_repeats(&mut self) {
        if let (Some(own), Some(front)) = (&self.ownership, self.queue.front_mut())
            && !front.replay
            && own.ids.contains(&front.id)
        {
            front.seen = Some(true);
        }
    }

    /// Whether the next event may run now: strictly only when those before it are committed.
    pub(super) fn may_begin(&self, shared: &Shared<D>) -> bool {
        let (Some(own), Some(front)) = (&self.ownership, self.queue.front()) else {
            return false;
        };
        let is_free = self.queue.running() == 0
            && self.failure.is_none()
            && self.waiting.is_none()
            && self.controls.is_empty();
        let is_open = !own.uncertain
            && own.lost_epoch.is_none()
            && !own.closed
            && !own.death_unsaved
            && !own.is_wanted()
            && !own.state.is_blocked()
            && !shared.paused
            && !shared.draining;
        let is_tried = !own.state.is_suspect() || own.trial_saved;
        let is_its = front.is_checked() && front.is_of(own.state.epoch);
        if !is_free || !is_open || !is_tried || !is_its {
            return false;
        }
        let begun = own.committing + self.queue.done();
        if begun == 0 {
            let is_replay = own.state.replays.keys().next() == Some(&front.seq) && front.replay;
            let is_head = own.state.replays.is_empty() && front.seq == own.state.head();
            return is_replay || is_head;
        }
        let order = shared.rules.policy.order;
        let Some(last) = self.last_begun(own.tip, order.waits_for_missing()) else {
            return false;
        };
        begun <= shared.rules.commit_window as usize
            && self.may_share(front)
            && order.follows(&own.state, last, front.seq)
            // One at a later attempt is strict to its end: a crash now would be another attempt of it.
            && last > own.serial_until
    }

    /// The last event that is done and not committed, or whose commit is on its way: `tip`. None behind a replay.
    fn last_begun(&self, tip: u64, has_no_gaps: bool) -> Option<u64> {
        let done = self.queue.done();
        match done.checked_sub(1) {
            _ if has_no_gaps => Some(tip.wrapping_add(done as u64)),
            None => Some(tip),
            Some(last) => {
                let last = self.queue.iter().nth(last)?;
                (!last.replay).then_some(last.seq)
            }
        }
    }

    /// Whether the event may run together with others, or ahead of commits. Retries and repeats run alone, so that a
    /// failure is attributed to one event.
    fn may_share(&self, event: &Event<D>) -> bool {
        let Some(own) = &self.ownership else {
            return false;
        };
        let is_first_attempt = event.seq != own.state.head() || own.state.next_attempt() == 1;
        is_first_attempt && !event.replay && !event.is_repeat() && event.seq > own.serial_until
    }

    /// Which attempt at the front the next run is.
    pub(super) fn attempt(&self) -> u32 {
        let (Some(own), Some(front)) = (&self.ownership, self.queue.front()) else {
            return 1;
        };
        if front.replay {
            1 + own.state.replays.get(&front.seq).copied().unwrap_or(0)
        } else if front.seq == own.state.head() {
            own.state.next_attempt()
        } else {
            1
        }
    }

    /// The first event has the id of one that is committed, and counts as failed without a run.
    pub(super) fn refuse_repeat(&mut self, shared: &mut Shared<D>) {
        let attempt = self.attempt();
        let _ = self.queue.start(1);
        shared.running += 1;
        let refused = RunError {
            error: "an event with this id was committed under another seq of the key".to_owned(),
            permanent: true,
            wait: Duration::ZERO,
            on_exhausted: None,
        };
        self.finish(shared, Err(refused), attempt);
    }

    /// The run is over.
    pub(super) fn finish(
        &mut self,
        shared: &mut Shared<D>,
        outcome: Result<(), RunError>,
        attempt: u32,
    ) {
        shared.running -= 1;
        self.run = None;
        let error = match outcome {
            Ok(()) => return self.queue.stop(true),
            Err(error) => error,
        };
        let events = self.queue.running();
        let mut ran = self.queue.begun().skip(self.queue.done());
        let Some((seq, replay)) = ran.next().map(|event| (event.seq, event.replay)) else {
            return;
        };
        let last = ran.last().map_or(seq, |event| event.seq);
        self.queue.stop(false);
        if let Some(own) = &mut self.ownership {
            own.serial_until = own.serial_until.max(last);
        }
        let RunError {
            error,
            permanent,
            wait,
            on_exhausted,
        } = error;
        if events > 1 {
            // No attempt of any: they run one at a time, so that the one that fails is found.
            if let Some(first) = self.queue.get(seq) {
                let what = EventChange::Split { events, error };
                shared.observe(&self.key, first, what);
            }
            return;
        }
        self.failure = Some(Failure {
            seq,
            replay,
            attempt,
            error,
            permanent,
            wait,
            on_exhausted,
            saved: false,
        });
    }
}
