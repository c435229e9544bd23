use std::collections::VecDeque;

use super::event::Event;
use crate::event::EventId;

/// The events of one key that the worker has in memory, by seq.
///
/// The first are *done*: their handler has succeeded, and no save says so yet. Then come those that are *running*, then
/// the others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Queue<D> {
    // Boxed: events move a lot, and are large.
    events: VecDeque<Box<Event<D>>>,
    done: usize,
    running: usize,
}

/// The events of a run, in order.
#[derive(Debug)]
pub struct RunEvents<'a, D>(std::collections::vec_deque::IterMut<'a, Box<Event<D>>>);

impl<'a, D> Iterator for RunEvents<'a, D> {
    type Item = &'a mut Event<D>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(Box::as_mut)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<D> ExactSizeIterator for RunEvents<'_, D> {}

/// What happened to an event that was added.
pub(super) enum Added<D> {
    /// It has its place.
    New,
    /// It is there already; its deliveries were added to that one.
    Known,
    /// Another event has its seq.
    Taken(Box<Event<D>>),
}

impl<D> Default for Queue<D> {
    fn default() -> Self {
        Self {
            events: VecDeque::new(),
            done: 0,
            running: 0,
        }
    }
}

impl<D> Queue<D> {
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Event<D>> {
        self.events.iter().map(Box::as_ref)
    }

    pub(super) fn done(&self) -> usize {
        self.done
    }

    pub(super) fn running(&self) -> usize {
        self.running
    }

    /// How many deliveries they have.
    pub(super) fn unsettled(&self) -> usize {
        self.iter().map(|event| event.tokens.len()).sum()
    }

    /// Those that the handler has begun with.
    pub(super) fn begun(&self) -> impl Iterator<Item = &Event<D>> {
        self.iter().take(self.done + self.running)
    }

    /// Those that are neither done nor running.
    pub(super) fn rest(&self) -> impl Iterator<Item = &Event<D>> {
        self.iter().skip(self.done + self.running)
    }

    pub(super) fn rest_mut(&mut self) -> impl Iterator<Item = &mut Event<D>> {
        let begun = self.done + self.running;
        self.iter_mut().skip(begun)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Event<D>> {
        self.events.iter_mut().map(Box::as_mut)
    }

    /// The first that is not done.
    pub(super) fn front(&self) -> Option<&Event<D>> {
        self.events.get(self.done).map(Box::as_ref)
    }

    pub(super) fn front_mut(&mut self) -> Option<&mut Event<D>> {
        self.events.get_mut(self.done).map(Box::as_mut)
    }

    fn at(&self, place: usize) -> Option<&Event<D>> {
        self.events.get(place).map(Box::as_ref)
    }

    /// The event with this seq that is no replay.
    pub(super) fn get(&self, seq: u64) -> Option<&Event<D>> {
        self.at(self.place(false, seq).ok()?)
    }

    /// The replay of this seq.
    pub(super) fn get_replay(&self, seq: u64) -> Option<&Event<D>> {
        self.at(self.place(true, seq).ok()?)
    }

    /// The first of those behind the front start running.
    pub(super) fn start(&mut self, events: usize) -> RunEvents<'_, D> {
        self.running = events;
        RunEvents(self.events.range_mut(self.done..self.done + events))
    }

    /// Those that ran are done, or wait again.
    pub(super) fn stop(&mut self, done: bool) {
        if done {
            self.done += self.running;
        }
        let ran = std::mem::take(&mut self.running);
        if !done && ran > 0 {
            // What came meanwhile and belongs before them stands behind them.
            let waiting = &mut self.events.make_contiguous()[self.done..];
            waiting.sort_by_key(|event| rank(event));
        }
    }

    /// The front needs no run.
    pub(super) fn pass_front(&mut self) {
        self.done += 1;
    }

    /// Nothing of it counts as done or running any more.
    pub(super) fn restart(&mut self) {
        (self.done, self.running) = (0, 0);
    }

    /// Takes out those that are done.
    pub(super) fn take_done(&mut self) -> impl ExactSizeIterator<Item = Box<Event<D>>> {
        let done = std::mem::take(&mut self.done);
        self.events.drain(..done)
    }

    /// Takes out one of the waiting.
    pub(super) fn take_one(&mut self, replay: bool, seq: u64) -> Option<Box<Event<D>>> {
        let at = self.place(replay, seq).ok()?;
        let is_waiting = at >= self.done + self.running;
        is_waiting.then(|| self.events.remove(at))?
    }

    /// Puts events that are done back to the front. Deliveries of them that came meanwhile are added to them.
    pub(super) fn put_back_done(&mut self, events: Vec<Box<Event<D>>>) {
        for mut event in events.into_iter().rev() {
            let is_same = |there: &Event<D>| {
                (there.replay, there.seq) == (event.replay, event.seq) && there.id == event.id
            };
            for again in self.take_waiting(is_same) {
                event.tokens.absorb(again.tokens);
            }
            self.events.push_front(event);
            self.done += 1;
        }
    }

    /// Takes out those of the waiting that `take` wants.
    pub(super) fn take_waiting(
        &mut self,
        mut take: impl FnMut(&Event<D>) -> bool,
    ) -> Vec<Box<Event<D>>> {
        let first = self.done + self.running;
        if !self.iter().skip(first).any(&mut take) {
            return Vec::new();
        }
        let (taken, kept): (Vec<_>, Vec<_>) =
            self.events.drain(first..).partition(|event| take(event));
        self.events.extend(kept);
        taken
    }

    /// Nothing counts that was known of their places: those that came from the mailbox go, and the others are as they
    /// were delivered. Where that gives one the place of another, or one before it, all are taken out, to be put back.
    pub(super) fn forget_places(&mut self) -> Vec<Box<Event<D>>> {
        self.restart();
        self.events.retain(|event| !event.tokens.is_empty());
        self.iter_mut().for_each(Event::forget_place);
        let events = self.events.iter();
        if events.is_sorted_by(|one, other| rank(one) < rank(other)) {
            Vec::new()
        } else {
            self.take_all()
        }
    }

    pub(super) fn take_all(&mut self) -> Vec<Box<Event<D>>> {
        self.restart();
        self.events.drain(..).collect()
    }

    /// What is known of the ids of those that have not begun has to be looked up anew.
    pub(super) fn forget_seen(&mut self) {
        for event in self.rest_mut().filter(|event| !event.replay) {
            event.seen = None;
        }
    }

    /// Nothing is in the mailbox any more. What lay there belonged to this epoch, and to no later one.
    pub(super) fn forget_stored(&mut self, epoch: Option<u64>) {
        for event in self.iter_mut() {
            if event.held_since.take().is_some() {
                event.epoch = event.epoch.or(epoch);
            }
        }
    }

    /// Notes which ids are remembered, of those that have not begun. The ids are in the order of the queue.
    pub(super) fn note_seen(&mut self, looked_up: &[(u64, EventId)], seen: &[bool]) {
        let mut answers = looked_up.iter().zip(seen).peekable();
        for event in self.rest_mut().filter(|event| !event.replay) {
            while answers.next_if(|((seq, _), _)| *seq < event.seq).is_some() {}
            if let Some(((_, id), seen)) = answers.next_if(|((seq, _), _)| *seq == event.seq)
                && *id == event.id
            {
                event.seen = Some(*seen);
            }
        }
    }

    /// Gives events that wait other seqs, by those that they have.
    pub(super) fn renumber(&mut self, seqs: &std::collections::HashMap<u64, u64>) {
        if seqs.is_empty() {
            return;
        }
        for event in self.rest_mut().filter(|event| !event.replay) {
            if let Some(seq) = seqs.get(&event.seq) {
                event.seq = *seq;
            }
        }
        let begun = self.done + self.running;
        let waiting = &mut self.events.make_contiguous()[begun..];
        waiting.sort_by_key(|event| rank(event));
    }

    /// Puts the event in its place, or its deliveries to the event that is there already. What came from the mailbox
    /// replaces what was delivered meanwhile, and keeps its deliveries.
    pub(super) fn add(&mut self, event: Box<Event<D>>) -> Added<D> {
        let at = match self.place(event.replay, event.seq) {
            Err(at) => {
                self.events.insert(at, event);
                return Added::New;
            }
            Ok(at) => at,
        };
        let there = &mut self.events[at];
        if there.id != event.id {
            return Added::Taken(event);
        }
        there.epoch = there.epoch.or(event.epoch);
        there.held_since = there.held_since.or(event.held_since);
        there.tokens.absorb(event.tokens);
        Added::Known
    }

    /// Where the event is, or where it belongs. Replays come before the others, and nothing before what has begun.
    fn place(&self, replay: bool, seq: u64) -> Result<usize, usize> {
        let (wanted, begun) = ((!replay, seq), self.done + self.running);
        let is_before = |at: usize| self.events.get(at).is_none_or(|event| rank(event) < wanted);
        // Most come in order.
        if is_before(begun.wrapping_sub(1)) && is_before(self.events.len().wrapping_sub(1)) {
            return Err(self.events.len());
        }
        let has_begun = self.begun().position(|event| rank(event) == wanted);
        if let Some(at) = has_begun {
            return Ok(at);
        }
        let (mut from, mut to) = (begun, self.events.len());
        while from < to {
            let middle = from.midpoint(to);
            match rank(&self.events[middle]).cmp(&wanted) {
                std::cmp::Ordering::Less => from = middle + 1,
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Greater => to = middle,
            }
        }
        Err(from)
    }
}

/// Replays come before the others.
fn rank<D>(event: &Event<D>) -> (bool, u64) {
    (!event.replay, event.seq)
}
