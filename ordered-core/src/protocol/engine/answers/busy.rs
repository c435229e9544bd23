use std::time::Duration;

use crate::protocol::engine::actor::Actor;
use crate::protocol::engine::effect::{DeferReason, EventChange, EventOutcome};
use crate::protocol::engine::event::Event;
use crate::protocol::engine::pending::PendingAcquire;
use crate::protocol::engine::shared::Shared;
use crate::protocol::{Arrival, WaitReason, Waiting};
use crate::store::{Busy, Posted};

/// After how long a key is asked for again that only its owner can decide about.
const HAND_OVER: Duration = Duration::from_millis(50);

impl<D: Default> Actor<D> {
    pub(super) fn on_busy(&mut self, shared: &mut Shared<D>, pending: &PendingAcquire, busy: Busy) {
        if let Some(save) = self.in_doubt.take() {
            self.requeue(shared, *save);
        }
        if self.ownership.is_some() {
            self.lose(shared);
        }
        self.end_trial(shared);
        self.busy = true;
        self.unsure = false;
        self.claimed = false;
        for ((seq, id), posted) in pending.posted.iter().zip(busy.posted) {
            let is_it = |event: &Event<D>| event.seq == *seq && event.id == *id;
            let taken = self.queue.take_waiting(is_it);
            for event in taken {
                self.on_posted(shared, event, posted.clone());
            }
        }
        if self.needs_owner() || self.adopting {
            self.asleep = true;
            shared.wake(&self.key, HAND_OVER);
        }
    }

    pub(super) fn on_posted(&self, shared: &mut Shared<D>, event: Box<Event<D>>, posted: Posted) {
        match posted {
            Posted::Stored => {
                let is_placed = !Arrival::is_unnumbered(event.seq);
                let waiting = Waiting {
                    for_seq: if is_placed { event.seq } else { 0 },
                    why: WaitReason::Running,
                };
                shared.observe(&self.key, &event, EventChange::Held(waiting));
                self.settle(shared, event, EventOutcome::Held);
            }
            Posted::Known => {
                shared.observe(&self.key, &event, EventChange::Duplicate);
                self.settle(shared, event, EventOutcome::Duplicate);
            }
            Posted::Taken(recorded) => self.settle_conflict(shared, event, Some(recorded)),
            Posted::Full(limit) => self.defer(shared, event, DeferReason::Full(limit)),
        }
    }
}
