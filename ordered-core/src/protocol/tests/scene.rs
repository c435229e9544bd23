use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use crate::event::{Envelope, EventId, Seq};
use crate::protocol::{DeadNote, FailedRun, HeldNote, KeyState, Placement, Subject, Transition};
use crate::protocol::{Effect, Millis, Policy, Refusal, Verb};
use crate::store::{Change, Letter, PutMode, Slot};

pub(super) const START: Millis = 1_000_000;

/// One key, its mailbox and its remembered ids, with an owner that saves at once what it decides.
#[derive(Debug, Clone)]
pub(super) struct Scene {
    pub(super) policy: Policy,
    pub(super) state: KeyState,
    pub(super) mailbox: BTreeMap<Slot, Letter>,
    pub(super) remembered: BTreeMap<EventId, Millis>,
    pub(super) now: Millis,
}

pub(super) fn id(text: &str) -> EventId {
    EventId::new(text).expect("it is short")
}

/// The id that an event has where the test does not care.
pub(super) fn id_of(seq: u64) -> EventId {
    id(&format!("id-{seq}"))
}

pub(super) fn seq(number: u64) -> Seq {
    Seq::new(number).expect("it is in bounds")
}

pub(super) fn held(id: &EventId, since: Millis) -> Letter {
    let checked = None;
    HeldNote { since, checked }.letter(id, &Envelope::new("body"))
}

impl Scene {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn with(change: impl FnOnce(&mut Policy)) -> Self {
        let mut policy = Policy::default();
        change(&mut policy);
        Self {
            state: KeyState::new(policy.first_seq),
            policy,
            mailbox: BTreeMap::new(),
            remembered: BTreeMap::new(),
            now: START,
        }
    }

    /// A transition, whose changes are carried out.
    pub(super) fn change<T>(&mut self, change: impl FnOnce(&mut Transition<'_>) -> T) -> T {
        let mut transition = Transition::new(&mut self.state, &self.policy, self.now);
        let result = change(&mut transition);
        let Transition {
            changes, remember, ..
        } = transition;
        for change in changes {
            self.carry_out(change);
        }
        let ttl = u64::try_from(self.policy.dedup_ttl.as_millis()).expect("it is short");
        let expiry = self.now + ttl;
        self.remembered
            .extend(remember.into_iter().map(|id| (id, expiry)));
        result
    }

    fn carry_out(&mut self, change: Change) {
        match change {
            Change::Put { slot, letter, mode } => {
                if mode == PutMode::Replace {
                    self.mailbox.insert(slot, letter);
                } else {
                    self.mailbox.entry(slot).or_insert(letter);
                }
            }
            Change::Delete(slot) => {
                self.mailbox.remove(&slot);
            }
            Change::Move { from, to, note } => {
                if let Some(letter) = self.mailbox.remove(&from) {
                    self.mailbox.insert(to, Letter { note, ..letter });
                }
            }
        }
    }

    /// What an event is that the broker delivers.
    pub(super) fn place(&self, seq: u64, id: &EventId) -> Placement {
        self.place_in(seq, id, None)
    }

    pub(super) fn place_in(&self, seq: u64, id: &EventId, epoch: Option<u64>) -> Placement {
        let seen = self.remembered.get(id).is_some_and(|at| *at > self.now);
        self.state.place(seq, epoch, seen, &self.policy, self.now)
    }

    /// Commits everything up to `seq`, from the broker or from the mailbox.
    pub(super) fn process(&mut self, upto: u64) {
        while self.state.head() <= upto {
            self.commit(self.state.head());
        }
    }

    pub(super) fn commit(&mut self, seq: u64) {
        self.commit_as(seq, &id_of(seq));
    }

    pub(super) fn commit_as(&mut self, seq: u64, id: &EventId) {
        let subject = self.subject(seq, id);
        self.change(|transition| transition.commit(subject));
    }

    pub(super) fn subject<'a>(&self, seq: u64, id: &'a EventId) -> Subject<'a> {
        Subject {
            seq,
            id,
            stored: self.state.held.contains(seq),
            replay: self.state.replays.contains_key(&seq),
        }
    }

    pub(super) fn hold(&mut self, seq: u64) {
        let letter = held(&id_of(seq), self.now);
        self.change(|transition| {
            transition.hold(seq, letter, PutMode::New);
            transition.watch_gap(false);
        });
    }

    /// Another worker posts an event; the owner takes it in.
    pub(super) fn post(&mut self, seq: u64, id: &EventId) {
        let letter = held(id, self.now);
        if let Entry::Vacant(slot) = self.mailbox.entry(Slot::Held(seq)) {
            slot.insert(letter);
            self.change(|transition| transition.posted(seq));
        }
    }

    /// The event at the head, or a replay, fails; `settle` says what then.
    pub(super) fn fail<T>(
        &mut self,
        seq: u64,
        settle: impl FnOnce(&mut Transition<'_>, FailedRun<'_>) -> T,
    ) -> T {
        let (id, envelope) = (id_of(seq), Envelope::new("body"));
        let event = self.subject(seq, &id);
        let attempt = match self.state.replays.get(&seq) {
            Some(failed) => failed + 1,
            None => self.state.next_attempt(),
        };
        let error = format!("attempt {attempt} failed");
        let run = FailedRun {
            event,
            envelope: &envelope,
            attempt,
            error: &error,
            worker: "worker-a",
        };
        self.change(|transition| settle(transition, run))
    }

    pub(super) fn postpone(&mut self, seq: u64, millis: u64) {
        let wait = Duration::from_millis(millis);
        self.fail(seq, |transition, run| transition.postpone(run, wait));
    }

    pub(super) fn halt(&mut self, seq: u64) {
        self.fail(seq, |transition, run| transition.halt(run));
    }

    pub(super) fn dead_letter(&mut self, seq: u64) {
        self.fail(seq, |transition, run| transition.dead_letter(run));
    }

    pub(super) fn operate(&mut self, verb: &Verb) -> Result<Effect, Refusal> {
        let mailbox = self.mailbox.clone();
        self.change(|transition| {
            let letter = match verb {
                Verb::Edit { seq, .. } => transition.slot_to_edit(seq.get()),
                _ => None,
            };
            let letter = letter.and_then(|slot| mailbox.get(&slot));
            transition.operate(verb, letter)
        })
    }

    /// The note of the dead letter of the present epoch.
    pub(super) fn dead_note(&self, seq: u64) -> DeadNote {
        let letter = &self.mailbox[&self.state.dead_slot(seq)];
        DeadNote::decode(&letter.note).expect("it is a note")
    }

    pub(super) fn dead(&self) -> Vec<(u64, u64)> {
        self.state.dead_letters().collect()
    }
}
