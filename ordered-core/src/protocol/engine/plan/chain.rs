use super::mailbox::is_compared;
use super::reads::following;
use crate::protocol::engine::event::Event;
use crate::protocol::engine::queue::Queue;
use crate::protocol::{Arrival, KeyState, Order};

/// What happens to the events of a key that have not begun: those that follow one another from the head on stay in
/// memory.
pub(super) struct Chain {
    /// The seqs of those that go to the mailbox, in order.
    pub(super) goes: Vec<u64>,
    /// The seqs of those that stay, and are put into the mailbox as well before they run.
    pub(super) stored_first: Vec<u64>,
}

impl Chain {
    /// `depth` is how many events may be in memory. Those beyond it wait in memory all the same, unless
    /// `holds_overflow`.
    pub(super) fn of<D>(
        queue: &Queue<D>,
        state: &KeyState,
        depth: usize,
        holds_overflow: bool,
    ) -> Self {
        let (mut goes, mut stored_first) = (Vec::new(), Vec::new());
        let (mut expected, mut ahead, mut in_memory) = (state.head(), 0, 0);
        let begun = queue.done() + queue.running();
        for (place, event) in queue.iter().enumerate() {
            if place >= begun && is_compared(state, event) {
                goes.push(event.seq);
            }
            if event.replay || state.is_past(event.seq) || !event.is_of(state.epoch) {
                continue;
            }
            // What the mailbox has belongs to the chain as well.
            while expected < event.seq && ahead < depth && state.held.contains(expected) {
                expected = following(state, expected);
                ahead += 1;
            }
            let is_next =
                event.seq == expected || (ahead >= depth && state.held.contains(expected));
            if event.seq == expected {
                expected = following(state, expected);
                ahead += 1;
            }
            in_memory += 1;
            if place < begun {
                continue;
            }
            let is_other = !event.is_stored() && state.held.contains(event.seq);
            let is_too_many = in_memory > depth && holds_overflow && !event.is_stored();
            if !is_next || is_other || is_too_many {
                goes.push(event.seq);
            } else if event.redelivered && !event.is_stored() {
                stored_first.push(event.seq);
            }
        }
        Self { goes, stored_first }
    }

    /// Where no event waits for one that is missing, all of them stay, as far as there is room.
    pub(super) fn without_gaps<D>(
        queue: &Queue<D>,
        state: &KeyState,
        order: Order,
        depth: usize,
        holds_overflow: bool,
    ) -> Self {
        let (mut goes, mut stored_first) = (Vec::new(), Vec::new());
        let mut in_memory = 0;
        let begun = queue.done() + queue.running();
        let is_ahead = |event: &Event<D>| {
            let is_placed = !event.replay && !Arrival::is_unnumbered(event.seq);
            is_placed && !state.is_past(event.seq) && event.is_of(state.epoch)
        };
        for (place, event) in queue.iter().enumerate() {
            if place >= begun && is_compared(state, event) {
                goes.push(event.seq);
            }
            if !is_ahead(event) {
                continue;
            }
            in_memory += 1;
            if place < begun || event.is_stored() {
                continue;
            }
            let is_other = state.held.contains(event.seq);
            if is_other || in_memory > depth && holds_overflow {
                goes.push(event.seq);
            } else if event.redelivered {
                stored_first.push(event.seq);
            }
        }
        if order.numbers_itself() {
            // What is stored would overtake what is in memory alone, if the worker died.
            let last = goes.last().max(stored_first.last()).copied();
            let before = queue.iter().filter(|event| {
                let is_before = last.is_some_and(|last| event.seq < last);
                is_before && is_ahead(event) && !event.is_stored() && !goes.contains(&event.seq)
            });
            stored_first = match last {
                Some(last) => {
                    let last = stored_first.contains(&last).then_some(last);
                    before.map(|event| event.seq).chain(last).collect()
                }
                None => Vec::new(),
            };
        }
        Self { goes, stored_first }
    }
}
