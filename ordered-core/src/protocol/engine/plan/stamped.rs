//! What a save says of events without a number, where the order comes from the producers.

use super::Plan;
use super::mailbox::letter;
use crate::handler::OnPassed;
use crate::protocol::engine::actor::Actor;
use crate::protocol::engine::effect::{DeferReason, EventOutcome};
use crate::protocol::engine::event::Event;
use crate::protocol::engine::numbering::last_number;
use crate::protocol::engine::pending::{Leaving, PutFor};
use crate::protocol::engine::shared::Shared;
use crate::protocol::producers::Beside;
use crate::protocol::{Arrival, DeadCause, Placement, Producers};

impl<D> Actor<D> {
    /// Letters that another worker posted, and that were read: those that lie ahead wait where they are, the others
    /// leave the mailbox. One whose id has to be looked up first stays in memory for that, and so does one that came
    /// another way as well, until that one is done.
    pub(super) fn plan_posted(&mut self, plan: &mut Plan<'_, D>, shared: &Shared<D>) {
        for event in self.queue.take_waiting(|event| event.posted.is_some()) {
            let Some(slot) = event.posted else { continue };
            let placement = self.place_posted(plan, &event, slot);
            let Some(placement) = placement else {
                drop(self.queue.add(event));
                continue;
            };
            let how = self.settle_posted(plan, shared, &event, slot, placement);
            plan.parts.leaving.push((event, how));
        }
    }

    /// What a letter is that was posted; `None` where that is not known yet.
    fn place_posted(&self, plan: &Plan<'_, D>, event: &Event<D>, slot: u64) -> Option<Placement> {
        let Some(stamp) = event.stamp.as_deref().filter(|stamp| stamp.slot() == slot) else {
            return Some(Placement::Conflict);
        };
        let producers = &plan.transition.state.producers;
        if producers.is_waiting(stamp) {
            // It is the letter that is known to wait.
            return Some(Placement::Ahead);
        }
        let is_other = |other: &&Event<D>| !other.replay && other.has_place_of(event);
        match self.queue.iter().find(is_other) {
            // The letter is what is left of it if the worker dies: what the broker thinks of its delivery is not known
            // here.
            Some(other) if other.id == event.id => return None,
            Some(_) => return Some(Placement::Conflict),
            None => {}
        }
        let seen = self.ownership.as_deref()?.has_seen(event);
        producers.place(stamp, &event.id, seen)
    }

    fn settle_posted(
        &self,
        plan: &mut Plan<'_, D>,
        shared: &Shared<D>,
        event: &Event<D>,
        slot: u64,
        placement: Placement,
    ) -> Leaving {
        let above = last_number(&self.queue);
        let (rules, transition) = (&shared.rules, &mut plan.transition);
        let mut dead_letter = |cause, error: &str| {
            transition.dead_letter_waiting(slot, above, cause, error);
        };
        let (cause, error, outcome, on_passed) = match placement {
            Placement::Ahead => {
                if let Some(stamp) = event.stamp.as_deref() {
                    let since = event.held_since.unwrap_or(transition.now);
                    if let Err(too_many) = transition.wait_in_mailbox(stamp, &event.id, since) {
                        transition.halt_at(&too_many, &rules.worker);
                    }
                }
                return Leaving::Stored;
            }
            Placement::Late => (
                DeadCause::Late,
                "it came after its place was passed over",
                EventOutcome::Late,
                rules.on_late,
            ),
            Placement::Stale if event.is_rewound() => {
                transition.remove_waiting(slot);
                return Leaving::As(EventOutcome::Rewound);
            }
            Placement::Stale => (
                DeadCause::Stale,
                "its producer's event with this seq was done before, under an id that is not remembered",
                EventOutcome::Stale,
                rules.on_stale,
            ),
            Placement::Conflict | Placement::Compare(_) => {
                dead_letter(
                    DeadCause::Conflict,
                    "another event of its producer has its seq",
                );
                return Leaving::As(EventOutcome::Conflict(None));
            }
            Placement::Duplicate | Placement::NotYet | Placement::Superseded => {
                transition.remove_waiting(slot);
                return Leaving::As(EventOutcome::Duplicate);
            }
        };
        match on_passed {
            OnPassed::DeadLetter => dead_letter(cause, error),
            OnPassed::Drop => transition.remove_waiting(slot),
        }
        Leaving::As(outcome)
    }

    /// Events that belong before what has run are not run: those that were delivered leave the worker, those in the
    /// mailbox leave that. Their producers go on behind them.
    pub(super) fn plan_late(&mut self, plan: &mut Plan<'_, D>, shared: &Shared<D>) {
        if !shared.rules.policy.order.has_times() {
            return;
        }
        loop {
            let producers = &plan.transition.state.producers;
            let is_late = |event: &Event<D>| {
                event.may_be_numbered()
                    && event.stamp.as_deref().is_some_and(|stamp| {
                        let (producer, time) = (stamp.producer(), stamp.time().unwrap_or(0));
                        stamp.seq() == producers.released(producer) + 1
                            && producers.is_late(time, producer)
                    })
            };
            let seq = self
                .queue
                .rest()
                .find(|event| is_late(event))
                .map(|event| event.seq);
            if let Some(event) = seq.and_then(|seq| self.queue.take_one(false, seq)) {
                if let Some(stamp) = event.stamp.as_deref() {
                    plan.transition.pass_late(stamp);
                }
                plan.parts
                    .leaving
                    .push((event, Leaving::As(EventOutcome::Late)));
                continue;
            }
            let Some(late) = shared.rules.policy.order.late_waiting(producers) else {
                return;
            };
            let slot = plan.transition.state.producers.pass_late_waiting(late);
            match shared.rules.on_late {
                OnPassed::DeadLetter => plan.transition.dead_letter_waiting(
                    slot,
                    last_number(&self.queue),
                    DeadCause::Late,
                    "it came after events of a later time had run",
                ),
                OnPassed::Drop => plan.transition.remove_waiting(slot),
            }
            plan.parts.late += 1;
        }
    }

    /// Gives events in the mailbox their numbers, where none with a number is in memory alone.
    pub(super) fn plan_releases(&self, plan: &mut Plan<'_, D>, shared: &Shared<D>) {
        let is_unsaved = |event: &Event<D>| {
            !event.replay && !event.is_stored() && !Arrival::is_unnumbered(event.seq)
        };
        // Control messages that are left wait for the end of a run. What they say of clocks counts first.
        if self.controls.is_empty() && !self.queue.iter().any(is_unsaved) {
            let beside = self.beside(&plan.transition.state.producers, shared);
            plan.transition.release(last_number(&self.queue), &beside);
        }
    }

    fn beside(&self, producers: &Producers, shared: &Shared<D>) -> Beside {
        let unnumbered = |event: &&Event<D>| Arrival::is_unnumbered(event.seq);
        let mut beside = Beside {
            at_work_since: Some(shared.at_work_since),
            ..Beside::default()
        };
        let waiting = self.queue.rest().filter(unnumbered);
        for stamp in waiting.filter_map(|event| event.stamp.as_deref()) {
            // Only where events have times is anybody waited for.
            let Some(time) = stamp.time() else { continue };
            let producer = stamp.producer().to_owned();
            if stamp.seq() == producers.released(&producer) + 1 {
                beside.heads.push((time, producer.clone()));
            }
            beside.heard_of.push(producer);
        }
        beside
    }

    /// What was delivered and has to wait for its number waits in the mailbox.
    pub(super) fn plan_waiting(
        &mut self,
        plan: &mut Plan<'_, D>,
        shared: &mut Shared<D>,
        blocked: bool,
    ) {
        if !shared.rules.policy.order.has_producers() || shared.draining {
            return;
        }
        if !self.queue.rest().any(Event::may_be_numbered) {
            return;
        }
        let parks = blocked && self.queue.running() == 0;
        let holds_overflow = self.hold_overflow || !shared.rules.overflow;
        let is_too_many = holds_overflow && self.queue.len() > shared.rules.depth();
        let stays = if parks || is_too_many {
            std::collections::HashSet::new()
        } else {
            self.soon_numbered(shared, &plan.transition.state.producers)
        };
        let goes = |event: &Event<D>| event.may_be_numbered() && !stays.contains(&event.seq);
        for event in self.queue.take_waiting(goes) {
            let Some(stamp) = event.stamp.clone() else {
                continue;
            };
            if let Some(limit) = self.full {
                self.defer(shared, event, DeferReason::Full(limit));
                continue;
            }
            let checked = self.checked(&event, plan.transition.state);
            let letter = letter(&event, shared.now, checked);
            plan.transition.wait(&stamp, letter, &shared.rules.worker);
            plan.puts_are(PutFor::Leaving(plan.parts.leaving.len()));
            plan.parts.leaving.push((event, Leaving::Held));
        }
    }
}
