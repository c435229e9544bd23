use super::saved::is_end_of_failure;
use crate::protocol::QuotaLimit;
use crate::protocol::engine::actor::Actor;
use crate::protocol::engine::effect::DeferReason;
use crate::protocol::engine::pending::{Leaving, PendingSave, PutFor};
use crate::protocol::engine::shared::Shared;

impl<D: Default> Actor<D> {
    /// A quota had no room. What it was for stays with the broker, and the rest is said again.
    pub(super) fn on_full(
        &mut self,
        shared: &mut Shared<D>,
        save: PendingSave<D>,
        limit: QuotaLimit,
    ) {
        let held: Vec<u64> = save
            .leaving
            .iter()
            .filter(|(_, how)| *how == Leaving::Held)
            .map(|(event, _)| event.seq)
            .collect();
        self.undo(shared, save);
        self.full = Some(limit);
        let head = self.ownership.as_ref().map_or(0, |own| own.state.head());
        let refused = self
            .queue
            .take_waiting(|event| event.seq != head && held.contains(&event.seq));
        for event in refused {
            self.defer(shared, event, DeferReason::Full(limit));
        }
    }

    /// Takes back a save that was not carried out, while the key is still the worker's.
    pub(super) fn undo(&mut self, shared: &mut Shared<D>, save: PendingSave<D>) {
        if let Some(own) = &mut self.ownership {
            own.closed = false;
            own.committing = 0;
            own.tip = own.state.last_seq;
        }
        self.queue.put_back_done(save.committed);
        for (event, _) in save.leaving {
            self.put_back(shared, event);
        }
        self.failure = save.failure;
        self.controls.splice(0..0, save.controls);
    }

    /// Takes back a save when the key may be another worker's: what the broker still waits for is asked about anew.
    pub(super) fn requeue(&mut self, shared: &mut Shared<D>, save: PendingSave<D>) {
        let leaving = save.leaving.into_iter().map(|(event, _)| event);
        for mut event in save.committed.into_iter().chain(leaving) {
            if !event.tokens.is_empty() {
                event.forget_place();
                self.put_back(shared, event);
            }
        }
        self.controls.splice(0..0, save.controls);
    }

    /// A save of unknown outcome was carried out. What happened to each put is not known: those events are asked about
    /// anew.
    pub(super) fn settle_in_doubt(&mut self, shared: &mut Shared<D>, mut save: PendingSave<D>) {
        let (mut puts, mut leaving) = (Vec::new(), Vec::new());
        for (place, (event, how)) in save.leaving.into_iter().enumerate() {
            if save.puts.contains(&PutFor::Leaving(place)) {
                puts.push((event, how));
            } else {
                leaving.push((event, how));
            }
        }
        save.leaving = leaving;
        save.puts.clear();
        let failure = save.failure.take();
        let mut all = save.leaving.iter().chain(&puts);
        let ended = all.any(|(_, how)| is_end_of_failure(how));
        let waiting = shared.obstacle(&save.next);
        self.settle_saved(shared, save, (failure.as_ref(), waiting), Vec::new());
        if let Some(failure) = failure.clone().filter(|_| !ended) {
            self.begin_wait(shared, failure);
        }
        for (mut event, how) in puts {
            if let Leaving::As(outcome) = how {
                self.observe_end(shared, &event, &outcome, failure.as_ref());
            }
            if !event.tokens.is_empty() {
                event.seen = None;
                self.put_back(shared, event);
            }
        }
    }
}
