//! What differs where the order comes from the producers: when an event in memory gets its number, and which events of
//! a key wait for theirs in the mailbox.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::actor::Actor;
use super::effect::EventChange;
use super::event::Event;
use super::numbering::last_number;
use super::queue::Queue;
use super::shared::Shared;
use crate::protocol::producers::Progress;
use crate::protocol::{Arrival, Causal, Lamport, Policy, Producer, Producers, Stamp};

/// How far the producers of a key are, with what has a number in memory and is not saved.
struct Front<'a> {
    policy: &'a Policy,
    producers: &'a Producers,
    passed: HashMap<Arc<str>, Progress>,
    /// The time and the producer of the last event that has a number, where events have times.
    last: Option<(u64, Arc<str>)>,
    /// How many of them the state does not know.
    added: usize,
}

/// The event that gets the next number.
enum Next {
    /// The one at this place of those in memory.
    InMemory(usize),
    /// One that waits in the mailbox.
    InMailbox((usize, u64)),
}

impl<'a> Front<'a> {
    fn new<D>(policy: &'a Policy, producers: &'a Producers, queue: &Queue<D>) -> Self {
        let last = producers.last();
        let mut front = Self {
            policy,
            producers,
            passed: HashMap::new(),
            last: last.map(|(time, producer)| (time, producer.into())),
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

    fn released(&self, producer: &str) -> u64 {
        let saved = self.producers.released(producer);
        let passed = self.passed.get(producer);
        passed.map_or(saved, |passed| passed.released.max(saved))
    }

    fn progress(&self, known: &Producer) -> Progress {
        let saved = known.progress();
        let passed = self.passed.get(known.name()).copied().unwrap_or_default();
        Progress {
            released: passed.released.max(saved.released),
            time: passed.time.max(saved.time),
        }
    }

    fn pass(&mut self, stamp: &Stamp) {
        self.pass_to(stamp.producer(), stamp.seq(), stamp.time());
    }

    fn pass_to(&mut self, producer: &str, seq: u64, time: Option<u64>) {
        if !self.passed.contains_key(producer) {
            self.added += usize::from(!self.producers.knows(producer));
            self.passed.insert(producer.into(), Progress::default());
        }
        if let Some(passed) = self.passed.get_mut(producer) {
            passed.released = passed.released.max(seq);
            passed.time = passed.time.max(time.unwrap_or(0));
        }
        let Some(time) = time else { return };
        let last = self.last.as_ref();
        if last.is_none_or(|(last, other)| (*last, &**other) < (time, producer)) {
            self.last = Some((time, producer.into()));
        }
    }

    /// Whether one more event of the producer does not make too many producers.
    fn has_room_for(&self, producer: &str) -> bool {
        self.producers.knows(producer)
            || self.passed.contains_key(producer)
            || self.producers.known().len() + self.added < self.policy.max_producers as usize
    }

    /// The event that gets the next number: `waiting` are those in memory that have none.
    fn next<D>(&self, waiting: &[&Event<D>]) -> Option<Next> {
        if self.policy.order.has_times() {
            self.next_in_time(waiting)
        } else {
            self.next_by_causes(waiting)
        }
    }

    fn next_by_causes<D>(&self, waiting: &[&Event<D>]) -> Option<Next> {
        let next = Causal::next(self.producers, |known| self.released(known.name()));
        if let Some(next) = next {
            return Some(Next::InMailbox(next));
        }
        let may = |stamp: &Stamp| {
            // What is delivered again, or in conflict, is compared with the one that waits later.
            self.has_room_for(stamp.producer())
                && !self.producers.is_waiting(stamp)
                && Causal::is_next(stamp, |producer| self.released(producer))
        };
        let ready = waiting.iter().enumerate().filter_map(|(place, event)| {
            let stamp = event.stamp.as_deref()?;
            may(stamp).then_some((stamp.producer(), place))
        });
        ready.min().map(|(_, place)| Next::InMemory(place))
    }

    fn next_in_time<D>(&self, waiting: &[&Event<D>]) -> Option<Next> {
        let in_memory = waiting.iter().enumerate().filter_map(|(place, event)| {
            let stamp = event.stamp.as_deref()?;
            let producer = stamp.producer();
            let is_next = stamp.seq() == self.released(producer) + 1;
            let head = (stamp.time()?, producer);
            (is_next && self.has_room_for(producer)).then_some((head, Next::InMemory(place)))
        });
        let released = |known: &Producer| self.released(known.name());
        let mut heads: BTreeMap<(u64, &str), Next> = in_memory.collect();
        for (time, producer, next) in self.producers.timed_heads(&released) {
            // What is delivered again is compared with it later.
            heads.retain(|(_, other), _| *other != producer);
            heads.insert((time, producer), Next::InMailbox(next));
        }
        // Those that have a number in memory, and that the state does not know.
        let added = self.passed.iter();
        let added = added.filter(|(name, _)| !self.producers.knows(name));
        let added = added.map(|(name, passed)| (&**name, passed.time));
        let clocks = self.producers.clocks(|known| self.progress(known));
        let last = self.last.as_ref();
        let last = last.map(|(time, producer)| (*time, &**producer));
        Lamport::next(heads, clocks.chain(added), last)
    }
}

impl<D> Actor<D> {
    /// Numbers the events in memory whose turn it is, as the order says. To be called with an answer of the store, like
    /// [`number_arrivals`](Self::number_arrivals). What waits in the mailbox and may have a number too comes first: it
    /// gets one with the save after which no event with a number is in memory alone, so that none of these is overtaken
    /// if the worker dies.
    pub(super) fn number_stamped(&mut self, shared: &mut Shared<D>) {
        self.join_repetitions(shared);
        if shared.rules.policy.order.has_times() && !self.controls.is_empty() {
            // What producers say of their clocks counts first.
            return;
        }
        let Some(own) = self.ownership.as_deref() else {
            return;
        };
        let policy = &shared.rules.policy;
        let mut front = Front::new(policy, &own.state.producers, &self.queue);
        let mut top = Arrival::top(&own.state).max(last_number(&self.queue));
        let mut numbers = HashMap::new();
        {
            let may = |event: &&Event<D>| event.may_be_numbered();
            let mut waiting: Vec<&Event<D>> = self.queue.rest().filter(may).collect();
            while let Some(Next::InMemory(place)) = front.next(&waiting) {
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

    /// Of several events in memory with one place, the first has the deliveries of all, or the others are in conflict
    /// with it.
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

    /// The places in the queue of the events that wait there for their number: those that may have one as soon as what
    /// has one is saved. The others wait in the mailbox.
    pub(super) fn soon_numbered(&self, shared: &Shared<D>, producers: &Producers) -> HashSet<u64> {
        let mut front = Front::new(&shared.rules.policy, producers, &self.queue);
        let may = |event: &&Event<D>| event.may_be_numbered();
        let mut waiting: Vec<&Event<D>> = self.queue.rest().filter(may).collect();
        let mut soon = HashSet::new();
        while let Some(next) = front.next(&waiting) {
            match next {
                Next::InMailbox(next) => {
                    let (producer, time) = producers.named(next);
                    front.pass_to(producer, next.1, time);
                }
                Next::InMemory(place) => {
                    let event = waiting.remove(place);
                    if let Some(stamp) = &event.stamp {
                        front.pass(stamp);
                    }
                    soon.insert(event.seq);
                }
            }
        }
        soon
    }
}
