use super::Plan;
use crate::protocol::engine::actor::Actor;
use crate::protocol::engine::queue::Queue;
use crate::protocol::engine::shared::Rules;
use crate::protocol::{Arrival, KeyState, Policy};
use crate::store::Slot;

impl<D> Actor<D> {
    /// What is read with the save: ids that were not looked up, and what is next in the mailbox.
    pub(super) fn plan_reads(&self, plan: &mut Plan<'_, D>, rules: &Rules, blocked: bool) {
        let unchecked = self.queue.rest().filter(|event| event.seen.is_none());
        for event in unchecked.take(rules.depth()) {
            plan.parts.looked_up.push((event.seq, event.id.clone()));
            plan.parts.look_up.push(event.id.clone());
        }
        let order = rules.policy.order;
        if !blocked && !order.waits_for_missing() {
            plan.parts.fetch = self.slots_without_gaps(plan.transition.state, &rules.policy);
        } else if !blocked && !self.has_next(plan.transition.state) {
            let most = rules.policy.next_events.max(1) as usize;
            let state = &*plan.transition.state;
            plan.parts.fetch = slots_to_fetch(state, &self.queue, most, &rules.policy);
        }
    }

    /// What is fetched of a key that does not wait for what is missing: nothing where what runs next is in memory.
    fn slots_without_gaps(&self, state: &KeyState, policy: &Policy) -> Vec<Slot> {
        let most = policy.next_events.max(1) as usize;
        let in_memory = |seq: u64| self.queue.get(seq).is_some();
        let replays = state.replays.keys().copied();
        let replays = replays.filter(|seq| self.queue.get_replay(*seq).is_none());
        let mut slots: Vec<Slot> = replays.take(most).map(|seq| state.dead_slot(seq)).collect();
        // What was posted without a number is read, to see where it belongs.
        let is_read = |slot: &u64| self.queue.iter().any(|event| event.posted == Some(*slot));
        let unread = state
            .producers
            .unread()
            .iter()
            .filter(|slot| !is_read(slot));
        slots.extend(
            unread
                .take(most.saturating_sub(slots.len()))
                .map(Slot::Held),
        );
        // What was posted under a seq that the key has passed is read, to see what it is.
        let past = state.held.iter().take_while(|seq| state.is_past(*seq));
        let past = past.filter(|seq| !in_memory(*seq));
        slots.extend(past.take(most.saturating_sub(slots.len())).map(Slot::Held));
        let begun = self.queue.begun().filter(|event| !event.replay).last();
        let from = begun.map_or(state.head(), |event| state.head().max(event.seq + 1));
        let here = self.queue.rest().filter(|event| {
            let is_placed = !event.replay && !Arrival::is_unnumbered(event.seq);
            is_placed && event.seq >= from && event.is_of(state.epoch)
        });
        if policy.order.coalesces() {
            let newest = state
                .held
                .last()
                .filter(|held| *held >= from && !in_memory(*held));
            let is_newest = |held: &u64| here.last().is_none_or(|event| event.seq < *held);
            slots.extend(newest.filter(is_newest).map(Slot::Held));
            return slots;
        }
        let mut here = here.map(|event| event.seq).peekable();
        let held = state.held.iter().skip_while(|seq| *seq < from);
        let mut held = held.filter(|seq| !in_memory(*seq)).peekable();
        let is_here = match (here.peek(), held.peek()) {
            (Some(here), Some(held)) => here < held,
            (_, None) => true,
            (None, Some(_)) => false,
        };
        if !is_here {
            let room = (policy.lane_depth.max(1) as usize).min(most.saturating_sub(slots.len()));
            slots.extend(held.take(room).map(Slot::Held));
        }
        slots
    }

    /// Whether the event whose turn it is after those that run is in memory.
    pub(super) fn has_next(&self, state: &KeyState) -> bool {
        if let Some(replay) = state.replays.keys().next() {
            return self.queue.get_replay(*replay).is_some();
        }
        let mut next = state.head();
        for event in self.queue.begun() {
            if event.seq == next {
                next = following(state, event.seq);
            }
        }
        self.queue.rest().any(|event| event.seq == next)
    }
}

/// The slot that the event at the front is fetched from, and those behind it, as far as they are not in memory.
fn slots_to_fetch<D>(
    state: &KeyState,
    queue: &Queue<D>,
    most: usize,
    policy: &crate::protocol::Policy,
) -> Vec<Slot> {
    let in_memory = |seq: u64| queue.get(seq).is_some();
    let mut slots = Vec::new();
    let replays = state.replays.keys().copied();
    let replays = replays.filter(|seq| queue.get_replay(*seq).is_none());
    slots.extend(replays.take(most).map(|seq| state.dead_slot(seq)));
    // What was posted and lies behind the key is read, to see what it is.
    let past = state.held.iter().take_while(|seq| state.is_past(*seq));
    let past = past.filter(|seq| !in_memory(*seq));
    slots.extend(past.take(most.saturating_sub(slots.len())).map(Slot::Held));
    let depth = policy.lane_depth.max(1) as usize;
    let (mut seq, mut ahead) = (state.head(), 0);
    while slots.len() < most && ahead < depth {
        if !in_memory(seq) {
            if !state.held.contains(seq) {
                break;
            }
            slots.push(Slot::Held(seq));
        }
        ahead += 1;
        seq = following(state, seq);
    }
    slots
}

/// The seq whose turn it is after this one.
pub(super) fn following(state: &KeyState, seq: u64) -> u64 {
    match state.absent.end_of_range(seq + 1) {
        Some(end) => end + 1,
        None => seq + 1,
    }
}
