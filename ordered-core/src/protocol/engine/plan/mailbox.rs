use super::Plan;
use super::chain::Chain;
use crate::handler::OnPassed;
use crate::protocol::engine::actor::{Actor, Ownership};
use crate::protocol::engine::effect::{DeferReason, EventOutcome};
use crate::protocol::engine::event::Event;
use crate::protocol::engine::pending::{Leaving, PutFor};
use crate::protocol::engine::shared::{Rules, Shared};
use crate::protocol::{Arrival, DeadCause, HeldNote, KeyState, Millis, Monotonic, Placement};
use crate::store::{Change, Letter, PutMode, Slot};

impl<D> Actor<D> {
    /// What was posted without a number goes to the place that it got.
    pub(super) fn plan_moves(&self, plan: &mut Plan<'_, D>) {
        let moves = self.ownership.iter().flat_map(|own| &own.moves);
        moves.for_each(|moved| plan.transition.take_in(*moved));
    }

    /// Versions in the mailbox that are superseded are taken out there without a look at them.
    pub(super) fn plan_superseded(&self, plan: &mut Plan<'_, D>) {
        let transition = &mut plan.transition;
        if transition.policy.order.has_versions() {
            let in_memory = |seq| self.queue.get(seq).is_some();
            plan.parts.superseded = Monotonic::take_superseded(transition, in_memory);
        }
    }

    /// What came from the mailbox and lies behind the key is taken out there.
    pub(super) fn plan_past(&mut self, plan: &mut Plan<'_, D>, rules: &Rules) {
        let Some(Ownership { ids, .. }) = self.ownership.as_deref() else {
            return;
        };
        let head = plan.transition.state.head();
        let is_past = |event: &Event<D>| {
            event.seq < head && event.is_stored() && !event.replay && event.seen.is_some()
        };
        for event in self.queue.take_waiting(is_past) {
            let transition = &mut plan.transition;
            let (now, seq) = (transition.now, event.seq);
            let seen = event.seen == Some(true) || ids.contains(&event.id);
            let placement = transition.state.place(seq, None, seen, &rules.policy, now);
            let outcome = match placement {
                Placement::Late if rules.on_late == OnPassed::DeadLetter => {
                    let error = "it came after its seq was skipped";
                    transition.dead_letter_held(seq, DeadCause::Late, error);
                    EventOutcome::Late
                }
                Placement::Stale
                    if rules.on_stale == OnPassed::DeadLetter && !event.is_rewound() =>
                {
                    let error = "its seq was committed before, under an id that is not remembered";
                    transition.dead_letter_held(seq, DeadCause::Stale, error);
                    EventOutcome::Stale
                }
                Placement::Conflict | Placement::Compare(_) => {
                    let error = "another event was committed under its seq";
                    transition.dead_letter_held(seq, DeadCause::Conflict, error);
                    EventOutcome::Conflict(None)
                }
                other => {
                    transition.remove_held(seq);
                    match other {
                        Placement::Late => EventOutcome::Late,
                        Placement::Stale if event.is_rewound() => EventOutcome::Rewound,
                        Placement::Stale => EventOutcome::Stale,
                        Placement::Superseded => EventOutcome::Superseded,
                        _ => EventOutcome::Duplicate,
                    }
                }
            };
            plan.parts.leaving.push((event, Leaving::As(outcome)));
        }
    }

    /// Nothing of the key may run: what waits goes to the mailbox.
    pub(super) fn plan_park(&mut self, plan: &mut Plan<'_, D>, shared: &mut Shared<D>) {
        plan.parts.parks = true;
        if shared.draining {
            // What the broker still waits for goes back to it.
            drop(self.queue.take_waiting(|_| true));
            return;
        }
        let state = &*plan.transition.state;
        let epoch = state.epoch;
        let goes = |event: &Event<D>| {
            let is_numbered = !Arrival::is_unnumbered(event.seq);
            let is_ahead = !state.is_past(event.seq) && event.is_of(epoch) && is_numbered;
            event.is_stored() || event.replay || is_ahead || is_compared(state, event)
        };
        for event in self.queue.take_waiting(goes) {
            if event.is_stored() || event.replay {
                plan.parts.leaving.push((event, Leaving::Stored));
            } else {
                self.put(plan, event, shared);
            }
        }
    }

    /// The events that follow one another from the head on stay; what comes behind a gap is held.
    pub(super) fn plan_chain(&mut self, plan: &mut Plan<'_, D>, shared: &mut Shared<D>) {
        let holds_overflow = std::mem::take(&mut self.hold_overflow) || !shared.rules.overflow;
        // Without a number nothing can be held: it is looked up first.
        let waits_for_numbers = shared.rules.policy.order.numbers_itself()
            && holds_overflow
            && self.queue.len() > shared.rules.depth();
        self.hold_overflow = waits_for_numbers && self.queue.has_unnumbered();
        let state = &*plan.transition.state;
        let (order, depth) = (shared.rules.policy.order, shared.rules.depth());
        let chain = if order.waits_for_missing() {
            Chain::of(&self.queue, state, depth, holds_overflow)
        } else {
            Chain::without_gaps(&self.queue, state, order, depth, holds_overflow)
        };
        if !chain.goes.is_empty() {
            let goes = |seq| chain.goes.binary_search(&seq).is_ok();
            for event in self
                .queue
                .take_waiting(|event| !event.replay && goes(event.seq))
            {
                if event.is_stored() {
                    plan.parts.leaving.push((event, Leaving::Stored));
                } else {
                    self.put(plan, event, shared);
                }
            }
        }
        for seq in chain.stored_first {
            self.store_first(plan, seq, shared.now);
        }
    }

    /// Puts an event into the mailbox that the broker delivered before; it stays in memory for its turn.
    fn store_first(&mut self, plan: &mut Plan<'_, D>, seq: u64, now: Millis) {
        let is_head = seq == plan.transition.state.head();
        if self.full.is_some() && !is_head {
            // It runs as one that was delivered once.
            let mut rest = self.queue.rest_mut();
            if let Some(event) = rest.find(|event| event.seq == seq) {
                event.redelivered = false;
            }
        } else if let Some(event) = self.queue.get(seq) {
            let checked = self.checked(event, plan.transition.state);
            let mode = put_mode(is_head);
            plan.transition.hold(seq, letter(event, now, checked), mode);
            plan.count(event);
            plan.puts_are(PutFor::Staying(seq));
        }
    }

    /// Puts an event into the mailbox, if there is room, or compares it with what is there.
    fn put(&mut self, plan: &mut Plan<'_, D>, event: Box<Event<D>>, shared: &mut Shared<D>) {
        let checked = self.checked(&event, plan.transition.state);
        match self.full {
            Some(limit) if plan.is_new(&event) => {
                self.defer(shared, event, DeferReason::Full(limit))
            }
            _ => plan.put(event, checked, shared.now),
        }
    }

    /// Up to which seq the key is committed, where the id of the event is not among the remembered ones.
    pub(super) fn checked(&self, event: &Event<D>, state: &KeyState) -> Option<u64> {
        let own = self.ownership.as_ref()?;
        let is_new = event.seen == Some(false) && !own.ids.contains(&event.id);
        is_new.then_some(state.last_seq)
    }
}

impl<D> Plan<'_, D> {
    /// The event is done, or in the mailbox under its number.
    pub(super) fn count(&mut self, event: &Event<D>) {
        if let Some(stamp) = event.stamp.as_deref().filter(|_| !event.replay) {
            self.transition.count(stamp, &event.id, event.seq);
        }
    }

    /// Whether the event needs room that a quota may refuse.
    fn is_new(&self, event: &Event<D>) -> bool {
        let state = &*self.transition.state;
        let is_there = state.held.contains(event.seq) || state.is_dead(event.seq);
        !is_there && event.seq != state.head()
    }

    /// Puts an event into the mailbox, or compares it with what is there.
    fn put(&mut self, event: Box<Event<D>>, checked: Option<u64>, now: u64) {
        let state = &*self.transition.state;
        let held = || state.held.contains(event.seq);
        let slot = if state.is_dead(event.seq) && !held() {
            Some(state.dead_slot(event.seq))
        } else {
            held().then_some(Slot::Held(event.seq))
        };
        let letter = letter(&event, now, checked);
        let how = if let Some(slot) = slot {
            let mode = PutMode::New;
            self.transition
                .changes
                .push(Change::Put { slot, letter, mode });
            Leaving::Compared
        } else {
            let mode = put_mode(event.seq == state.head());
            self.transition.hold(event.seq, letter, mode);
            self.count(&event);
            Leaving::Held
        };
        self.puts_are(PutFor::Leaving(self.parts.leaving.len()));
        self.parts.leaving.push((event, how));
    }
}

/// Whether a dead letter has the seq of the event, which lies behind the key, and says whether it is the same.
pub(super) fn is_compared<D>(state: &KeyState, event: &Event<D>) -> bool {
    let is_past = state.is_past(event.seq) && event.is_of(state.epoch);
    is_past && !event.is_stored() && event.seen == Some(false) && state.is_dead(event.seq)
}

pub(super) fn letter<D>(event: &Event<D>, now: u64, checked: Option<u64>) -> Letter {
    let since = event.held_since.unwrap_or(now);
    let note = HeldNote { since, checked };
    let letter = note.letter(&event.id, &event.envelope);
    match event.stamp.as_deref() {
        Some(stamp) if Arrival::is_unnumbered(event.seq) => Letter {
            note: stamp.beside(&note),
            ..letter
        },
        _ => letter,
    }
}

/// The event at the head is put there even where a quota has no room: it is what the key goes on with.
fn put_mode(is_head: bool) -> PutMode {
    if is_head {
        PutMode::Force
    } else {
        PutMode::New
    }
}
