use std::ops::RangeInclusive;

use super::producers::Beside;
use super::state::{before, millis};
use super::{
    Anchor, Arrival, DeadNote, HeldNote, KeyState, LastError, MissingCause, MostProducers, Moved,
    Phase, RepairAsked, Skipped, Stamp,
};
use crate::event::EventId;
use crate::protocol::{DeadCause, GapPolicy, Millis, Policy};
use crate::store::{Change, Letter, PutMode, Slot};

/// How many ranges of skipped seqs are remembered for a key; the oldest are forgotten first.
pub const SKIPPED_RANGES: usize = 64;
/// How many ranges of absent seqs are noted for a key.
pub const ABSENT_RANGES: usize = 1_000;
/// How many events that waited get their number in one save at the most.
const MOST_RELEASED: usize = 1_000;
/// How many anchors a key has at the most.
const ANCHORS: u64 = 8;

/// A change of one key under way: its state, and what has to be saved with it.
///
/// Everything that happens to a key is one of its methods: what the engine of a worker decides, what a producer says in
/// a control message, and the verbs of operators.
#[derive(Debug)]
pub struct Transition<'a> {
    /// The state, which is changed.
    pub state: &'a mut KeyState,
    /// The rules of the group.
    pub policy: &'a Policy,
    /// The store's time.
    pub now: Millis,
    /// The changes of the mailbox that belong to it.
    pub changes: Vec<Change>,
    /// The ids that are processed with it.
    pub remember: Vec<EventId>,
    /// The events that are to be asked for: they have not come in time.
    pub repair: Vec<RepairWanted>,
    /// The producers that are not waited for any more, because nothing was heard of them.
    pub given_up: Vec<String>,
}

/// Events that have not come in time and are to be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RepairWanted {
    /// Their producer, where the order comes from the producers: it numbers them.
    pub producer: Option<String>,
    /// The first seq.
    pub from: u64,
    /// The last one.
    pub to: u64,
}

/// An event that a transition is about.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Its seq.
    pub seq: u64,
    /// Its id.
    pub id: &'a EventId,
    /// It is in the mailbox.
    pub stored: bool,
    /// It is a dead letter that is run again.
    pub replay: bool,
}

impl<'a> Transition<'a> {
    /// One that has changed nothing yet.
    pub fn new(state: &'a mut KeyState, policy: &'a Policy, now: Millis) -> Self {
        Self {
            state,
            policy,
            now,
            changes: Vec::new(),
            remember: Vec::new(),
            repair: Vec::new(),
            given_up: Vec::new(),
        }
    }

    /// The handler is done with the event at the head, or with a replay, or the event is a repeat.
    pub fn commit(&mut self, event: Subject<'_>) {
        self.remember.push(event.id.clone());
        if event.replay {
            self.remove_dead(self.state.epoch, event.seq);
            self.state.replays.remove(&event.seq);
            self.acquit();
            self.end_backoff();
        } else {
            self.note_commit_time();
            if event.stored {
                self.remove_held(event.seq);
            }
            self.move_head(event.seq);
        }
        self.pass_absent();
    }

    /// An event that has not come is here after all, or is held.
    pub fn arrived(&mut self, seq: u64) {
        self.state.absent.remove(seq);
    }

    /// Holds an event in the mailbox.
    pub fn hold(&mut self, seq: u64, letter: Letter, mode: PutMode) {
        self.state.absent.remove(seq);
        self.state.held.insert(seq);
        let slot = Slot::Held(seq);
        self.changes.push(Change::Put { slot, letter, mode });
    }

    /// An event was posted by another worker. Where its seq was discarded ahead of its turn, the key passes it all the
    /// same: the event is compared with the dead letter then.
    pub fn posted(&mut self, seq: u64) {
        if !self.state.is_dead(seq) {
            self.state.absent.remove(seq);
        }
        self.state.held.insert(seq);
    }

    /// Takes in the mail that the store has told. Where the owner numbers the events, each gets its number here and is
    /// moved to its place in the mailbox.
    pub fn take_mail(&mut self, mail: &[u64]) {
        if self.policy.order.has_producers() {
            mail.iter()
                .for_each(|slot| self.state.producers.posted(*slot));
        } else if self.policy.order.numbers_itself() {
            let moves = Arrival::number(self.state, 0, mail, &[]);
            moves.into_iter().for_each(|moved| self.take_in(moved));
        } else {
            mail.iter().for_each(|seq| self.posted(*seq));
        }
    }

    /// Moves an event that was posted without a number to its place in the mailbox.
    pub(super) fn take_in(&mut self, moved: Moved) {
        let note = HeldNote {
            since: self.now,
            checked: None,
        };
        self.changes.push(Change::Move {
            from: Slot::Held(moved.posted),
            to: Slot::Held(moved.seq),
            note: note.encode(),
        });
    }

    /// Puts an event into the mailbox that waits for its number. One more producer than a key may have halts the key:
    /// the event is kept all the same, and is read again once the key goes on.
    pub(super) fn wait(&mut self, stamp: &Stamp, letter: Letter, worker: &str) {
        let slot = Slot::Held(stamp.slot());
        let waits = self.wait_in_mailbox(stamp, &letter.id, self.now);
        if let Err(too_many) = waits {
            self.halt_at(&too_many, worker);
            self.state.producers.posted(stamp.slot());
        }
        let mode = PutMode::New;
        self.changes.push(Change::Put { slot, letter, mode });
    }

    /// An event that is in the mailbox waits for its number there.
    pub(super) fn wait_in_mailbox(
        &mut self,
        stamp: &Stamp,
        id: &EventId,
        since: Millis,
    ) -> Result<(), MostProducers> {
        let most = self.policy.max_producers;
        self.state.producers.wait(stamp, id, since, most)
    }

    /// The key stands still until an operator lets it go on with more producers.
    pub(super) fn halt_at(&mut self, too_many: &MostProducers, worker: &str) {
        self.record_error(&too_many.to_string(), worker);
        self.state.phase = Phase::Halted { since: self.now };
        self.state.gap_since = None;
    }

    /// A producer shows its clock. `false` when the key would have too many producers.
    pub(super) fn show_clock(&mut self, producer: &str, after: u64, time: u64) -> bool {
        let most = self.policy.max_producers;
        let producers = &mut self.state.producers;
        let shown = producers.show(producer, (after, time), self.now, most);
        shown.is_ok()
    }

    /// A producer leaves after its event `after`. `false` when the key would have too many producers.
    pub(super) fn leave(&mut self, producer: &str, after: u64, time: u64) -> bool {
        let most = self.policy.max_producers;
        let left = self.state.producers.leave(producer, (after, time), most);
        left.is_ok()
    }

    /// An event with this number is done, or in the mailbox under it: its producer's next one may follow.
    pub(super) fn count(&mut self, stamp: &Stamp, id: &EventId, number: u64) {
        let at = (number, self.state.head());
        self.state.producers.count(stamp, id, at, self.now);
    }

    /// An event that is not in the mailbox comes after events of a later time had their turn.
    pub(super) fn pass_late(&mut self, stamp: &Stamp) {
        let most = self.policy.max_producers;
        self.state.producers.pass_late(stamp, self.now, most);
    }

    /// Gives their numbers to events that wait and may have them, as the order says. `above` is the highest number that
    /// an event in memory has, and `beside` are those in memory that have none.
    pub(super) fn release(&mut self, above: u64, beside: &[Beside]) {
        let order = self.policy.order;
        if !order.has_producers() {
            return;
        }
        let mut top = Arrival::top(self.state).max(above);
        let timeouts = self.policy.producer_timeouts(self.now);
        for _ in 0..MOST_RELEASED {
            let producers = &mut self.state.producers;
            self.given_up
                .extend(producers.give_up_silent(beside, timeouts));
            let next = order.next_waiting(&self.state.producers, beside, timeouts);
            let Some(next) = next else { return };
            top += 1;
            let (slot, since) = self.state.producers.release(next, top);
            self.state.held.insert(top);
            let note = HeldNote {
                since,
                checked: None,
            };
            self.changes.push(Change::Move {
                from: Slot::Held(slot),
                to: Slot::Held(top),
                note: note.encode(),
            });
        }
    }

    /// Takes an event out of the mailbox that has no number.
    pub(super) fn remove_waiting(&mut self, slot: u64) {
        self.state.producers.forget_slot(slot);
        self.changes.push(Change::Delete(Slot::Held(slot)));
    }

    /// Makes a dead letter of an event in the mailbox that has no number: it gets one to be known by.
    pub(super) fn dead_letter_waiting(
        &mut self,
        slot: u64,
        above: u64,
        cause: DeadCause,
        error: &str,
    ) {
        self.state.producers.forget_slot(slot);
        let number = Arrival::top(self.state).max(above) + 1;
        let to = self.note_dead(number);
        let note = DeadNote {
            cause,
            error: error.to_owned(),
            attempts: 0,
            at: self.now,
        };
        self.changes.push(Change::Move {
            from: Slot::Held(slot),
            to,
            note: note.encode(),
        });
    }

    /// Takes a held event out of the mailbox.
    pub fn remove_held(&mut self, seq: u64) {
        self.state.held.remove(seq);
        self.changes.push(Change::Delete(Slot::Held(seq)));
    }

    /// Deletes a dead letter.
    pub fn remove_dead(&mut self, epoch: u64, seq: u64) {
        if let Some(seqs) = self.state.dead.get_mut(&epoch) {
            seqs.remove(seq);
            if seqs.is_empty() {
                self.state.dead.remove(&epoch);
            }
        }
        self.changes.push(Change::Delete(Slot::Dead { epoch, seq }));
    }

    /// Makes a dead letter of an event that is not in the mailbox.
    pub fn put_dead(&mut self, seq: u64, letter: Letter) {
        let slot = self.note_dead(seq);
        let mode = PutMode::Replace;
        self.changes.push(Change::Put { slot, letter, mode });
    }

    /// Makes a dead letter of a held event.
    pub fn move_to_dead(&mut self, seq: u64, note: &DeadNote) {
        self.state.held.remove(seq);
        let to = self.note_dead(seq);
        self.changes.push(Change::Move {
            from: Slot::Held(seq),
            to,
            note: note.encode(),
        });
    }

    fn note_dead(&mut self, seq: u64) -> Slot {
        let epoch = self.state.epoch;
        self.state.dead.entry(epoch).or_default().insert(seq);
        Slot::Dead { epoch, seq }
    }

    /// Makes dead letters of all held events of a range.
    pub(super) fn dead_letter_range(
        &mut self,
        range: RangeInclusive<u64>,
        cause: DeadCause,
    ) -> Vec<u64> {
        let held = self.state.held.iter();
        let seqs: Vec<u64> = held.filter(|seq| range.contains(seq)).collect();
        for seq in &seqs {
            self.dead_letter_one(*seq, cause);
        }
        seqs
    }

    pub(super) fn dead_letter_one(&mut self, seq: u64, cause: DeadCause) {
        let is_head = seq == self.state.head();
        let error = self.state.last_error.as_ref().filter(|_| is_head);
        let note = DeadNote {
            cause,
            error: error.map(|last| last.error.clone()).unwrap_or_default(),
            attempts: if is_head {
                self.state.next_attempt() - 1
            } else {
                0
            },
            at: self.now,
        };
        self.move_to_dead(seq, &note);
    }

    /// Moves the key past what will never come.
    pub fn pass_absent(&mut self) {
        if let Some(end) = self.state.absent.end_of_range(self.state.head()) {
            self.skip_to(end);
        }
        self.state.forget_passed_absent();
    }

    /// Moves the key to `to` without a commit. None of it is held.
    pub(super) fn skip_to(&mut self, to: u64) {
        let (from, now) = (self.state.head(), self.now);
        let until = now.saturating_add(millis(self.policy.dedup_ttl));
        self.state.skipped.retain(|range| range.until > now);
        if self.state.skipped.len() >= SKIPPED_RANGES {
            self.state.skipped.remove(0);
        }
        self.state.skipped.push(Skipped { from, to, until });
        self.move_head(to);
    }

    /// The event at the head is another one now: nothing that was noted of the old one counts.
    pub(super) fn move_head(&mut self, last_seq: u64) {
        self.state.last_seq = last_seq;
        self.state.gap_since = None;
        self.state.producers.forget_done(self.state.head());
        self.restart_head();
    }

    /// Forgets what went wrong with the event at the head.
    pub(super) fn restart_head(&mut self) {
        let state = &mut *self.state;
        state.attempts = 0;
        state.crashes = 0;
        state.unfinished = 0;
        state.on_trial = false;
        state.tried_at = 0;
        state.phase = Phase::Open;
        state.last_error = None;
    }

    fn end_backoff(&mut self) {
        if matches!(self.state.phase, Phase::BackingOff { .. }) {
            self.state.phase = Phase::Open;
        }
    }

    /// Notes since when events are committed from here on, if the last such note is too old.
    fn note_commit_time(&mut self) {
        let (now, ttl) = (self.now, millis(self.policy.dedup_ttl));
        let anchors = &mut self.state.anchors;
        let is_due = |anchor: &Anchor| anchor.at.saturating_add(ttl / ANCHORS) <= now;
        if anchors.last().is_none_or(is_due) {
            anchors.retain(|anchor| anchor.at.saturating_add(ttl) > now);
            let seq = self.state.last_seq;
            anchors.push(Anchor { seq, at: now });
        }
    }

    /// Writes down what went wrong with the event at the head.
    pub(super) fn record_error(&mut self, error: &str, worker: &str) {
        let now = self.now;
        let first_at = self
            .state
            .last_error
            .as_ref()
            .map_or(now, |last| last.first_at);
        self.state.last_error = Some(LastError {
            error: error.to_owned(),
            first_at,
            last_at: now,
            worker: worker.to_owned(),
        });
    }

    /// A producer says that a range will never come. What is here all the same is handled in its place. `false` when
    /// too many ranges are noted already.
    pub fn fill(&mut self, from: u64, to: u64, here: impl IntoIterator<Item = u64>) -> bool {
        let from = from.max(self.state.head());
        if to < from {
            return true;
        }
        let before = self.state.absent.clone();
        self.state.absent.insert_range(from..=to);
        if self.state.absent.ranges().len() > ABSENT_RANGES.max(before.ranges().len()) {
            self.state.absent = before;
            return false;
        }
        let held: Vec<u64> = self
            .state
            .held
            .iter()
            .filter(|seq| (from..=to).contains(seq))
            .collect();
        for seq in here.into_iter().chain(held) {
            // What was discarded is passed, even if it came again.
            if !self.state.is_dead(seq) {
                self.state.absent.remove(seq);
            }
        }
        self.pass_absent();
        true
    }

    /// What the key has asked for cannot be sent again, for this reason: the key halts, unless the event is here after
    /// all.
    pub fn lose(
        &mut self,
        range: RangeInclusive<u64>,
        why: &str,
        here: impl IntoIterator<Item = u64>,
        worker: &str,
    ) {
        let head = self.state.head();
        let is_here = self.state.held.contains(head) || here.into_iter().any(|seq| seq == head);
        let waits = self.state.asked_for_head().is_some() && self.state.phase == Phase::Open;
        if !range.contains(&head) || is_here || !waits {
            return;
        }
        self.record_error(why, worker);
        self.state.phase = Phase::Halted { since: self.now };
        self.state.gap_since = None;
        // Who lets the key go on wants it to be asked for anew.
        self.state.repair = None;
    }

    /// A producer begins again at `at`. Upwards that says that nothing below will come; with the number of a new epoch
    /// it is a new beginning wherever the key stands, and what is held of the old one becomes dead letters.
    pub fn reset(
        &mut self,
        at: u64,
        epoch: Option<u64>,
        here: impl IntoIterator<Item = u64>,
    ) -> bool {
        match epoch {
            None if at > 0 => return self.fill(0, at - 1, here),
            Some(epoch) if epoch > self.state.epoch => {
                self.dead_letter_range(0..=u64::MAX, DeadCause::Superseded);
                self.begin_again(before(at), epoch);
            }
            _ => {}
        }
        true
    }

    /// A new epoch: nothing of the old one counts, but for the ids.
    pub(super) fn begin_again(&mut self, last_seq: u64, epoch: u64) {
        self.state.epoch = epoch;
        self.move_head(last_seq);
        let state = &mut *self.state;
        state.absent = super::SeqSet::default();
        state.skipped.clear();
        state.replays.clear();
        state.anchors.clear();
    }

    /// Notes since when the key waits for an event that has not come. `runs` says that the owner has the event at the
    /// head, or something else to run.
    pub fn watch_gap(&mut self, runs: bool) {
        let order = self.policy.order;
        let state = &mut *self.state;
        if !order.waits_for_missing() {
            // What is saved has its head where something waits, as if the numbers had no gaps.
            state.producers.cut_times(self.now);
            let first = state.held.at_or_after(state.head()).filter(|_| !runs);
            if let Some(first) = first {
                state.raise_head(first);
            }
            let waits = order.has_gaps()
                && !runs
                && first.is_none()
                && !matches!(state.phase, Phase::Halted { .. })
                && state.producers.waiting_events() > 0;
            // What else has run meanwhile does not matter to what waits for an event of a producer.
            let since = waits.then(|| state.producers.missing_since().or(state.gap_since));
            // The store's clock may have stepped back.
            state.gap_since = since.map(|since| since.map_or(self.now, |at| at.min(self.now)));
            return;
        }
        let waits = !runs
            && !matches!(state.phase, Phase::Halted { .. })
            && state
                .held
                .at_or_after(state.head())
                .is_some_and(|first| first > state.head());
        state.gap_since = match state.gap_since {
            // The store's clock stepped back.
            Some(since) if waits => Some(since.min(self.now)),
            _ => waits.then_some(self.now),
        };
        // The store's clock stepped back, or the event has come.
        state.repair = state.asked_for_head();
        if let Some(asked) = &mut state.repair {
            asked.at = asked.at.min(self.now);
        }
    }

    /// Does what the group says about a gap that has lasted for as long as the group waits. A key that is paused stays
    /// where it is.
    pub fn end_gap_if_over(&mut self, worker: &str) {
        if self.state.paused.is_on() {
            return;
        }
        if self.policy.order.has_producers() {
            self.end_gaps_of_producers(worker, self.now, &[]);
            return;
        }
        let is_over = self.is_gap_over();
        let head = self.state.head();
        let Some(first) = self
            .state
            .held
            .at_or_after(head)
            .filter(|first| *first > head && is_over)
        else {
            return;
        };
        if self.state.settle(self.policy).is_some() {
            // Nothing is skipped: what lies below was before the group.
            self.move_head(first - 1);
            self.pass_absent();
            return;
        }
        match self.policy.on_gap {
            GapPolicy::Wait => {}
            GapPolicy::Halt { after } => {
                self.record_error(&format!("seq {head} has not come for {after:?}"), worker);
                self.state.phase = Phase::Halted { since: self.now };
                self.state.gap_since = None;
            }
            GapPolicy::Skip { .. } => {
                self.skip_to(first - 1);
                self.pass_absent();
            }
            GapPolicy::Repair { .. } => {
                let before = self.state.asked_for_head();
                self.state.repair = Some(RepairAsked {
                    seq: head,
                    at: self.now,
                    times: 1 + before.map_or(0, |asked| asked.times),
                });
                self.repair.push(RepairWanted {
                    producer: None,
                    from: head,
                    to: first - 1,
                });
            }
        }
    }

    /// Whether a gap has lasted for as long as the group waits.
    pub(super) fn is_gap_over(&self) -> bool {
        let deadline = self.state.gap_deadline(self.policy);
        deadline.is_some_and(|deadline| deadline <= self.now)
    }

    /// Does what the group says about events of producers that have not come in time, for each producer by itself. What
    /// had come by `told_at` is known, and what is `here`, in memory, is not missing.
    pub(super) fn end_gaps_of_producers(&mut self, worker: &str, told_at: Millis, here: &[&Stamp]) {
        if self.state.is_blocked() {
            return;
        }
        let (on_gap, producers) = (self.policy.on_gap, &mut self.state.producers);
        let over = producers.gaps_over(on_gap, told_at, here);
        if over.is_empty() {
            return;
        }
        match on_gap {
            GapPolicy::Wait => {}
            GapPolicy::Halt { after } => {
                let missing = over.iter().map(|gap| producers.events_of(gap).to_string());
                let missing = missing.collect::<Vec<_>>().join(", ");
                self.record_error(&format!("still missing after {after:?}: {missing}"), worker);
                self.state.phase = Phase::Halted { since: self.now };
                self.state.gap_since = None;
            }
            GapPolicy::Skip { .. } => {
                over.iter().for_each(|gap| producers.skip(gap));
                self.state.gap_since = None;
                if here.is_empty() {
                    self.release(0, &[]);
                }
            }
            GapPolicy::Repair { .. } => {
                for gap in &over {
                    producers.ask(gap, self.now);
                    let MissingCause { producer, from, to } = producers.events_of(gap);
                    self.repair.push(RepairWanted {
                        producer: Some(producer),
                        from,
                        to,
                    });
                }
            }
        }
    }

    /// A producer says that events of its own will never come. What is here all the same is handled in its place.
    /// `false` when too many ranges, or too many producers, are known already.
    pub(super) fn fill_of(
        &mut self,
        producer: &str,
        (from, to): (u64, u64),
        here: impl IntoIterator<Item = u64>,
    ) -> bool {
        let most = self.policy.max_producers;
        self.state.producers.fill(producer, (from, to), here, most)
    }

    /// What the key has asked for of a producer cannot be sent again, for this reason: the key halts, unless the event
    /// is here after all.
    pub(super) fn lose_of(
        &mut self,
        producer: &str,
        range: (u64, u64),
        why: &str,
        here: impl IntoIterator<Item = u64>,
        worker: &str,
    ) {
        let asked = self.state.producers.asked_among(producer, range);
        let is_lost = asked.is_some_and(|asked| !here.into_iter().any(|seq| seq == asked));
        if is_lost && self.state.phase == Phase::Open {
            self.record_error(why, worker);
            self.state.phase = Phase::Halted { since: self.now };
            self.state.gap_since = None;
        }
    }
}
