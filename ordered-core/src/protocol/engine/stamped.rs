//! What differs where the order comes from the producers: when an event in memory gets its number, and which events of a key
//! wait for theirs in the mailbox.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::actor::Actor;
use super::effect::EventChange;
use super::event::Event;
use super::numbering::last_number;
use super::queue::Queue;
use super::shared::Shared;
use crate::protocol::{Arrival, Order, Producer, Producers, Stamp};

/// How far the producers of a key are, with what has a number in memory and is not saved.
struct Front<'a> {
    producers: &'a Producers,
    released: HashMap<Arc<str>, u64>,
    /// How many of them the state does not know.
    added: usize,
}

impl<'a> Front<'a> {
    fn new<D>(producers: &'a Producers, queue: &Queue<D>) -> Self {
        let mut front = Self {
            producers,
            released: HashMap::new(),
            added: 0,
        };
        let numbered = |event: &&Event<D>| !event.replay && !Arrival::is_unnumbered(event.seq);
        for event in queue.iter().filter(numbered) {
            if let Some(stamp) = &event.stamp {
                front.pass(stamp);
            }
        }
        front
    }

    fn of(&self, producer: &str) -> u64 {
        let saved = self.producers.released(producer);
        self.released
            .get(producer)
            .map_or(saved, |at| *at.max(&saved))
    }

    fn pass(&mut self, stamp: &Stamp) {
        self.pass_to(stamp.producer(), stamp.seq());
    }

    fn pass_to(&mut self, producer: &str, seq: u64) {
        if let Some(at) = self.released.get_mut(producer) {
            *at = (*at).max(seq);
            return;
        }
        self.added += usize::from(!self.producers.knows(producer));
        self.released.insert(producer.into(), seq);
    }

    /// Of the events in memory that have no number, the place of the one that is next.
    fn next_in_memory<D>(&self, order: Order, most: u32, waiting: &[&Event<D>]) -> Option<usize> {
        let may = |event: &Event<D>| {
            event.stamp.as_deref().is_some_and(|stamp| {
                let producer = stamp.producer();
                let is_known =
                    self.producers.knows(producer) || self.released.contains_key(producer);
                let has_room =
                    is_known || self.producers.known().len() + self.added < most as usize;
                has_room && order.is_next(stamp, |producer| self.of(producer))
            })
        };
        let ready = waiting.iter().copied().enumerate();
        let ready = ready.filter(|(_, event)| may(event));
        let producers = ready.filter_map(|(place, event)| {
            let stamp = event.stamp.as_deref()?;
            Some((stamp.producer(), place))
        });
        producers.min().map(|(_, place)| place)
    }

    /// Of the events in the mailbox that have no number, the one that is next.
    fn next_in_mailbox(&self, order: Order) -> Option<(usize, u64)> {
        let released = |producer: &Producer| self.of(producer.name());
        order.next_waiting(self.producers, released)
    }
}

impl<D> Actor<D> {
    /// Numbers the events in memory whose turn it is, as the order says. To be called with an answer of the store, like
    /// [`number_arrivals`](Self::number_arrivals). What waits in the mailbox and may have a number too comes first: it gets one
    /// with the save after which no event with a number is in memory alone, so that none of these is overtaken if the worker dies.
    pub(super) fn number_stamped(&mut self, shared: &mut Shared<D>) {
        self.join_repetitions(shared);
        let Some(own) = self.ownership.as_deref() else {
            return;
        };
        let policy = &shared.rules.policy;
        let mut front = Front::new(&own.state.producers, &self.queue);
        let mut top = Arrival::top(&own.state).max(last_number(&self.queue));
        let mut numbers = HashMap::new();
        {
            let may = |event: &&Event<D>| event.may_be_numbered();
            let mut waiting: Vec<&Event<D>> = self.queue.rest().filter(may).collect();
            while front.next_in_mailbox(policy.order).is_none()
                && let Some(place) =
                    front.next_in_memory(policy.order, policy.max_producers, &waiting)
            {
                let event = waiting.remove(place);
                if let Some(stamp) = &event.stamp {
                    front.pass(stamp);
                }
                top += 1;
                numbers.insert(event.seq, top);
            }
        }
        self.queue.renumber(&numbers);
    }

    /// Of several events in memory with one place, the first has the deliveries of all, or the others are in conflict with it.
    fn join_repetitions(&mut self, shared: &mut Shared<D>) {
        let is_delivered = |event: &Event<D>| event.may_be_numbered();
        if !self.queue.rest().any(is_delivered) {
            return;
        }
        let mut places: HashSet<(&str, u64)> = HashSet::new();
        let mut again = HashSet::new();
        for event in self.queue.iter().filter(|event| !event.replay) {
            if let Some(stamp) = event.stamp.as_deref().filter(|_| event.posted.is_none())
                && !places.insert((stamp.producer(), stamp.seq()))
                && Arrival::is_unnumbered(event.seq)
            {
                again.insert(event.seq);
            }
        }
        if again.is_empty() {
            return;
        }
        for event in self.queue.take_waiting(|event| again.contains(&event.seq)) {
            let is_first = |other: &&mut Event<D>| {
                !other.replay && other.posted.is_none() && other.has_place_of(&event)
            };
            let Some(first) = self.queue.iter_mut().find(is_first) else {
                continue;
            };
            if first.id == event.id {
                first.tokens.absorb(event.tokens.clone());
                shared.observe(&self.key, &event, EventChange::Duplicate);
            } else {
                let recorded = Some(first.id.clone());
                self.settle_conflict(shared, event, recorded);
            }
        }
    }

    /// The places in the queue of the events that wait there for their number: those that may have one as soon as what has one
    /// is saved. The others wait in the mailbox.
    pub(super) fn soon_numbered(&self, shared: &Shared<D>, producers: &Producers) -> HashSet<u64> {
        let policy = &shared.rules.policy;
        let mut front = Front::new(producers, &self.queue);
        let may = |event: &&Event<D>| event.may_be_numbered();
        let mut waiting: Vec<&Event<D>> = self.queue.rest().filter(may).collect();
        let mut soon = HashSet::new();
        loop {
            if let Some((place, seq)) = front.next_in_mailbox(policy.order) {
                let name = producers.known()[place].name().to_owned();
                front.pass_to(&name, seq);
            } else if let Some(place) =
                front.next_in_memory(policy.order, policy.max_producers, &waiting)
            {
                let event = waiting.remove(place);
                if let Some(stamp) = &event.stamp {
                    front.pass(stamp);
                }
                soon.insert(event.seq);
            } else {
                return soon;
            }
        }
    }
}
