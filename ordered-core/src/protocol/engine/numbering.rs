//! What differs where a key does not wait for what is missing: which event is at its head, and which number an event
//! gets that came without one.

use super::actor::Actor;
use super::event::Event;
use super::queue::Queue;
use super::shared::Shared;
use crate::protocol::{Arrival, Moved, Transition};

impl<D> Actor<D> {
    /// The head of the key is an event that waits, as its [order](crate::protocol::Order) says. It is chosen in memory,
    /// and saved with whatever is saved next.
    pub(super) fn choose_head(&mut self, shared: &Shared<D>) {
        let order = shared.rules.policy.order;
        let Some(own) = self.ownership.as_deref_mut() else {
            return;
        };
        if order.waits_for_missing() || own.committing > 0 || own.lost_epoch.is_some() {
            return;
        }
        let begun = self.queue.begun().find(|event| !event.replay);
        let head = match begun {
            Some(event) => Some(event.seq),
            None => {
                let state = &own.state;
                let waits = |event: &&Event<D>| {
                    let is_placed = !event.replay && !Arrival::is_unnumbered(event.seq);
                    is_placed && !state.is_past(event.seq) && event.is_of(state.epoch)
                };
                let first = self.queue.rest().find(waits).map(|event| event.seq);
                let last = if order.coalesces() {
                    let waiting = self.queue.rest().filter(waits);
                    waiting.last().map(|event| event.seq)
                } else {
                    None
                };
                order.head(state, first, last)
            }
        };
        let before = own.state.last_seq;
        if head.is_some_and(|head| own.state.raise_head(head)) {
            own.saved_seq.get_or_insert(before);
        }
    }

    /// Numbers the events that were delivered to the owner without a number, in their order, behind all that have one.
    /// To be called with an answer of the store, after the mail that it tells: only those whose ids were asked about
    /// with it are numbered. What another worker posted before they were delivered is told by now, and comes first.
    pub(super) fn number_arrivals(&mut self, shared: &mut Shared<D>) {
        let Some(own) = self.ownership.as_deref() else {
            return;
        };
        if shared.rules.policy.order.has_producers() {
            return self.number_stamped(shared);
        }
        if !shared.rules.policy.order.numbers_itself() {
            return;
        }
        let mut top = Arrival::top(&own.state).max(last_number(&self.queue));
        let rest = self.queue.rest_mut();
        let unnumbered = rest.filter(|event| Arrival::is_unnumbered(event.seq));
        for event in unnumbered.take_while(|event| event.seen.is_some()) {
            top += 1;
            event.seq = top;
        }
    }
}

impl<D> Queue<D> {
    /// The key was given up: what is left of it in memory gets a number from its next owner.
    pub(super) fn forget_numbers(&mut self) {
        for event in self.rest_mut().filter(|event| event.arrived.is_some()) {
            event.forget_place();
        }
    }

    /// Whether there are events without a number.
    pub(super) fn has_unnumbered(&self) -> bool {
        let last = self.rest().last();
        last.is_some_and(|event| Arrival::is_unnumbered(event.seq))
    }
}

/// Takes in the mail that the store has told. What was posted without a number gets one, which `moves` keeps for the
/// next save.
pub(super) fn take_mail<D>(
    transition: &mut Transition<'_>,
    queue: &Queue<D>,
    moves: &mut Vec<Moved>,
    mail: &[u64],
) {
    if transition.policy.order.has_producers() {
        transition.take_mail(mail);
    } else if transition.policy.order.numbers_itself() {
        let above = last_number(queue);
        *moves = Arrival::number(transition.state, above, mail, moves);
    } else {
        mail.iter().for_each(|seq| transition.posted(*seq));
    }
}

/// The highest number of an event in memory.
pub(super) fn last_number<D>(queue: &Queue<D>) -> u64 {
    let placed = |event: &&Event<D>| !event.replay && !Arrival::is_unnumbered(event.seq);
    let last = queue.iter().filter(placed).last();
    last.map_or(0, |event| event.seq)
}
