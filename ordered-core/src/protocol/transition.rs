use super::state::millis;
use super::{Anchor, Arrival, HeldNote, KeyState, LastError, Moved, Phase, Skipped};
use crate::event::EventId;
use crate::protocol::{Millis, Policy};
use crate::store::{Change, Letter, PutMode, Slot};

/// How many ranges of skipped seqs are remembered for a key; the oldest are forgotten first.
pub const SKIPPED_RANGES: usize = 64;
/// How many anchors a key has at the most.
const ANCHORS: u64 = 8;

/// A change of one key under way: its state, and what has to be saved with it.
///
/// Everything that happens to a key is one of its methods: what the engine of a worker decides, what a producer says in
/// a control message, and the verbs of operators. Here are those of the head of the key and of its mailbox. The others
/// have files of their own: `dead_letters`, `failure` (of runs), `gaps`, `operate` (the verbs), `pause`, and `stamped`
/// (the orders that come from the producers).
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

    /// Takes a held event out of the mailbox.
    pub fn remove_held(&mut self, seq: u64) {
        self.state.held.remove(seq);
        self.changes.push(Change::Delete(Slot::Held(seq)));
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
}
