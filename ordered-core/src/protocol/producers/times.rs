//! What producers say of their Lamport clocks, and for how long they are waited for.

use serde::{Deserialize, Serialize};

use super::{MostProducers, Producer, Producers};
use crate::protocol::stamp::slot_of;
use crate::protocol::{Lamport, Millis, Stamp};

/// What a producer said of its clock, and when it was heard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub(super) struct Times {
    /// The time of its last event that was released: none of it comes at or below.
    last: u64,
    /// The clock that it showed last.
    shown: Option<Shown>,
    /// When it was heard of last.
    heard_at: Millis,
    /// Why it is not waited for.
    gone: Option<Gone>,
}

/// After its event `after` a producer sends only such with a later time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
struct Shown {
    after: u64,
    time: u64,
}

/// Why a producer is not waited for, until it is heard of again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Gone {
    /// It said that it leaves after this event.
    Left {
        /// The seq of the event; 0 for none.
        after: u64,
        /// The time of its clock then.
        time: u64,
    },
    /// An event waited for it as long as its lease is, and nothing was heard of it.
    Silent,
}

/// How far a producer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Progress {
    /// Up to here its events were released.
    pub(crate) released: u64,
    /// The time of the last of them.
    pub(crate) time: u64,
}

/// For how long a producer that says nothing is waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    pub(crate) now: Millis,
    /// How long an event waits for a producer of which nothing is heard meanwhile.
    pub(crate) lease: u64,
    /// How long an event waits at the most, whoever may send what.
    pub(crate) max_delay: Option<u64>,
}

/// What the owner of a key knows of its producers beside the state.
#[derive(Debug, Clone, Default)]
pub(crate) struct Beside {
    /// The events in its memory that have no number and are their producers' next: their times and their producers.
    pub(crate) heads: Vec<(u64, String)>,
    /// The producers of all events in its memory that have no number.
    pub(crate) heard_of: Vec<String>,
    /// Since when it has been at work: what was sent before may still be at the broker. Who says nothing of that gives
    /// no producer up.
    pub(crate) at_work_since: Option<Millis>,
}

/// An event that waits and is its producer's next: its time, its producer, and the place of that one with its seq.
pub(crate) type TimedHead<'a> = (u64, &'a str, (usize, u64));

impl Producers {
    /// A producer shows its clock: after its event `after` come only such with a later time.
    ///
    /// # Errors
    /// When a key would have too many producers.
    pub(crate) fn show(
        &mut self,
        producer: &str,
        (after, time): (u64, u64),
        now: Millis,
        most: u32,
    ) -> Result<(), MostProducers> {
        let place = self.place_of(producer, most)?;
        let shown = Shown { after, time };
        let times = &mut self.known[place].times;
        times.heard_at = times.heard_at.max(now);
        // Of what comes shuffled the latest counts. A clock from before it left says nothing new.
        times.shown = times.shown.max(Some(shown));
        if times.left().is_none_or(|left| left < shown) {
            times.gone = None;
        }
        Ok(())
    }

    /// A producer leaves after its event `after`, at this time of its clock: nothing more of it is waited for.
    ///
    /// # Errors
    /// When a key would have too many producers.
    pub(crate) fn leave(
        &mut self,
        producer: &str,
        (after, time): (u64, u64),
        most: u32,
    ) -> Result<(), MostProducers> {
        let place = self.place_of(producer, most)?;
        let known = &mut self.known[place];
        // What it sent or showed since then says that it is there again.
        let has_sent_more = known.released > after || known.waiting.keys().any(|seq| *seq > after);
        let has_shown_more = known.times.shown > Some(Shown { after, time });
        if !has_sent_more && !has_shown_more {
            known.times.gone = Some(Gone::Left { after, time });
        }
        Ok(())
    }

    /// A producer was heard of with its event of this seq.
    pub(super) fn heard_of(&mut self, place: usize, now: Millis, seq: u64) {
        let times = &mut self.known[place].times;
        times.heard_at = times.heard_at.max(now);
        if times.left().is_none_or(|left| left.after < seq) {
            times.gone = None;
        }
    }

    /// An event of this time was released.
    pub(super) fn pass_time(&mut self, place: usize, time: u64) {
        let known = &mut self.known[place];
        known.times.last = known.times.last.max(time);
        let is_later = |(last, producer): &(u64, String)| (*last, producer) < (time, &known.name);
        if self.last.as_ref().is_none_or(is_later) {
            self.last = Some((time, known.name.clone()));
        }
    }

    /// The time and the producer of the last event that was released.
    pub(crate) fn last(&self) -> Option<(u64, &str)> {
        let last = self.last.as_ref();
        last.map(|(time, producer)| (*time, producer.as_str()))
    }

    /// Whether an event comes at or before one that was released: it cannot be put in order any more.
    pub(crate) fn is_late(&self, time: u64, producer: &str) -> bool {
        self.last().is_some_and(|last| last >= (time, producer))
    }

    /// The first event of each producer that waits, as far as that is the producer's next.
    pub(crate) fn timed_heads<'a>(
        &'a self,
        released: &'a impl Fn(&Producer) -> u64,
    ) -> impl Iterator<Item = TimedHead<'a>> + 'a {
        self.heads(released).filter_map(|(place, seq, event)| {
            let name = self.known[place].name.as_str();
            Some((event.time?, name, (place, seq)))
        })
    }

    /// The first of these of all, and since when it waits.
    fn first(&self) -> Option<(TimedHead<'_>, Millis)> {
        let first = self.timed_heads(&Producer::released).min()?;
        let (_, _, (place, seq)) = first;
        let event = self.known[place].waiting.get(&seq)?;
        Some((first, event.since))
    }

    /// The event that waits, is its producer's next, and is late.
    pub(crate) fn late(&self) -> Option<(usize, u64)> {
        let ((time, producer, place), _) = self.first()?;
        self.is_late(time, producer).then_some(place)
    }

    /// The producers that are waited for, with their clocks.
    pub(crate) fn clocks(
        &self,
        progress: impl Fn(&Producer) -> Progress,
    ) -> impl Iterator<Item = (&str, u64)> {
        self.known.iter().filter_map(move |known| {
            let progress = progress(known);
            let is_active = known.is_active(progress);
            is_active.then(|| (known.name.as_str(), known.bound(progress)))
        })
    }

    /// When one of the events that are their producers' next has waited for as long as one may.
    fn overdue_at(&self, timeouts: Timeouts) -> Option<Millis> {
        let delay = timeouts.max_delay?;
        let heads = self.heads(&Producer::released);
        let since = heads.map(|(_, _, event)| event.since).min()?;
        Some(since.saturating_add(delay))
    }

    /// Whether that is so now. What was posted and not read may come before it.
    pub(crate) fn is_overdue(&self, timeouts: Timeouts) -> bool {
        let at = self.overdue_at(timeouts);
        self.unread.is_empty() && at.is_some_and(|at| at <= timeouts.now)
    }

    /// The producers that hold the first event that waits: each may still send one that comes before it.
    pub fn holders(&self) -> impl Iterator<Item = &Producer> {
        let first = self.first().into_iter();
        first.flat_map(move |((time, producer, _), _)| {
            self.known.iter().filter(move |known| {
                let progress = known.progress();
                let has_head = known.waiting.contains_key(&(known.released + 1));
                known.name != producer
                    && !has_head
                    && known.is_active(progress)
                    && Lamport::holds((&known.name, known.bound(progress)), (time, producer))
            })
        })
    }

    /// When the first event that waits may run although nothing comes: its longest delay is over, or the producers that
    /// hold it are given up.
    pub(crate) fn next_change(&self, timeouts: Timeouts) -> Option<Millis> {
        let (_, since) = self.first()?;
        let overdue = self.overdue_at(timeouts);
        let ends = self.holders().map(|known| known.lease_end(since, timeouts));
        let ends: Option<Vec<Millis>> = ends.collect();
        let given_up = ends.and_then(|ends| ends.into_iter().max());
        overdue.into_iter().chain(given_up).min()
    }

    /// Producers that hold the first event that waits are not waited for any more, where nothing was heard of them for
    /// long enough, by a worker that was there to hear them. Says which. What was posted and not read may be theirs.
    pub(crate) fn give_up_silent(&mut self, beside: &Beside, timeouts: Timeouts) -> Vec<String> {
        let Some(at_work_since) = beside.at_work_since else {
            return Vec::new();
        };
        if !self.unread.is_empty() {
            return Vec::new();
        }
        let at_work_since = at_work_since.min(timeouts.now);
        for known in &mut self.known {
            // The store's clock may have stepped back.
            known.times.heard_at = known.times.heard_at.min(timeouts.now);
            if let Some(next) = known.waiting.get_mut(&(known.released + 1)) {
                next.since = next.since.min(timeouts.now);
            }
        }
        let Some((_, since)) = self.first() else {
            return Vec::new();
        };
        let is_over = |known: &&Producer| {
            let end = known.lease_end(since, timeouts);
            !beside.heard_of.contains(&known.name) && end.is_some_and(|end| end <= timeouts.now)
        };
        let silent: Vec<String> = self.holders().filter(is_over).map(named).collect();
        if at_work_since.saturating_add(timeouts.lease) > timeouts.now {
            let silent = self
                .known
                .iter_mut()
                .filter(|known| silent.contains(&known.name));
            silent.for_each(|known| known.times.heard_at = at_work_since);
            return Vec::new();
        }
        self.give_up(&silent);
        silent
    }

    /// The producers that hold the first event that waits are not waited for any more. Says whether there were any.
    pub(crate) fn give_up_holders(&mut self) -> bool {
        let holders: Vec<String> = self.holders().map(named).collect();
        self.give_up(&holders);
        !holders.is_empty()
    }

    fn give_up(&mut self, names: &[String]) {
        for known in &mut self.known {
            if names.contains(&known.name) {
                known.times.gone = Some(Gone::Silent);
            }
        }
    }

    /// Passes an event that waits and is late. Says in which slot it is.
    pub(crate) fn pass_late_waiting(&mut self, (place, seq): (usize, u64)) -> u64 {
        let known = &mut self.known[place];
        known.waiting.remove(&seq);
        known.pass_over(seq, seq);
        slot_of(&known.name, seq)
    }

    /// Passes an event that is late and not in the mailbox. That of a producer too many leaves no trace.
    pub(crate) fn pass_late(&mut self, stamp: &Stamp, now: Millis, most: u32) {
        let Ok(place) = self.place_of(stamp.producer(), most) else {
            return;
        };
        self.heard_of(place, now, stamp.seq());
        self.known[place].pass_over(stamp.seq(), stamp.seq());
    }
}

impl Times {
    /// What its clock was when it left.
    fn left(self) -> Option<Shown> {
        match self.gone {
            Some(Gone::Left { after, time }) => Some(Shown { after, time }),
            Some(Gone::Silent) | None => None,
        }
    }
}

fn named(known: &Producer) -> String {
    known.name.clone()
}

impl Producer {
    /// How far it is, as it is saved.
    pub(crate) fn progress(&self) -> Progress {
        Progress {
            released: self.released,
            time: self.times.last,
        }
    }

    /// When it was heard of last.
    #[must_use]
    pub fn heard_at(&self) -> Millis {
        self.times.heard_at
    }

    /// None of its events comes at or below this time.
    #[must_use]
    pub fn clock(&self) -> u64 {
        self.bound(self.progress())
    }

    /// Why it is not waited for, where it is not.
    #[must_use]
    pub fn gone(&self) -> Option<Gone> {
        self.times.gone.filter(|_| !self.is_active(self.progress()))
    }

    /// Its clock, where it is this far.
    pub(crate) fn bound(&self, progress: Progress) -> u64 {
        let shown = self.times.shown;
        let shown = shown.filter(|shown| shown.after <= progress.released);
        progress.time.max(shown.map_or(0, |shown| shown.time))
    }

    /// Whether it may still send something that is waited for.
    pub(crate) fn is_active(&self, progress: Progress) -> bool {
        match self.times.gone {
            None => true,
            Some(Gone::Left { after, .. }) => after > progress.released,
            Some(Gone::Silent) => false,
        }
    }

    /// When it is given up, where an event waits for it since then. One of which events wait is not: something of it is
    /// missing, and that is for the group's gap policy.
    fn lease_end(&self, since: Millis, timeouts: Timeouts) -> Option<Millis> {
        let from = self.times.heard_at.max(since);
        self.waiting
            .is_empty()
            .then(|| from.saturating_add(timeouts.lease))
    }
}
