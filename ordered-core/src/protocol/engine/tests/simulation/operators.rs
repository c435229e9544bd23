//! Operators, who acquire a key, decide with the state machine of the workers, save and release.

use std::time::Duration;

use super::ghost::state_of;
use super::scenario::LEASE;
use super::world::{World, at_once};
use crate::event::{Key, Seq};
use crate::protocol::Transition;
use crate::protocol::{Verb, WorkerId};
use crate::store::{
    Acquire, AcquireMode, Answer, Inspect, Listing, Previous, Request, Save, Session, Slot, Store,
};

impl World {
    /// An operator does something to a key, if it is free; otherwise asks for it, and comes again another time.
    pub(super) fn operate(&mut self, key: &Key, verb: &Verb) {
        let session = self.operator();
        let acquire = Request::Acquire(Acquire {
            key: key.clone(),
            mode: AcquireMode::HandOver,
            letters: Vec::new(),
            look_up: Vec::new(),
        });
        let exchange = self.carry_out(&session, &[acquire]).expect("it is open");
        let now = exchange.now;
        let Some(Answer::Owned(owned)) = exchange.answers.into_iter().next() else {
            return self.leave(&session);
        };
        if self.chance(100) {
            // It falls asleep over it.
            return;
        }
        let record = at_once(self.store.read(&self.group, key)).expect("it is open");
        let policy = self.group.policy().clone();
        let mut state = state_of(record.as_ref(), policy.first_seq);
        let before = state.clone();
        let listing = if owned.body.is_some() {
            before.listing(&policy, Listing::default(), now)
        } else {
            Listing::default()
        };
        let mut transition = Transition::new(&mut state, &policy, now);
        owned.mail.iter().for_each(|seq| transition.posted(*seq));
        if let Previous::Died(worker) = &owned.previous
            && !worker.as_str().starts_with("operator:")
        {
            transition.owner_died(worker.as_str());
        }
        let done = transition.operate(verb, None);
        if done.is_ok()
            && let Verb::Discard { seq } = verb
        {
            self.note_taken_away(key, seq.get());
        }
        let changes = std::mem::take(&mut transition.changes);
        self.tell(|| format!("operator: {verb} {key}: {done:?}"));
        let mut save = Save::new(key.clone(), owned.fence);
        save.listing = listing.change(state.listing(&policy, listing, now));
        save.body = Some(state.encode(owned.fence));
        save.changes = changes;
        save.taken = owned.mail.len();
        save.release = true;
        let saved = self.carry_out(&session, &[Request::Save(Box::new(save))]);
        drop(saved.expect("it is open"));
        self.leave(&session);
    }

    fn operator(&mut self) -> Session {
        self.names += 1;
        let name = WorkerId::new(format!("operator:{}", self.names));
        let session = at_once(self.store.open(&self.group, &name))
            .expect("it opens")
            .session;
        let lease = Duration::from_millis(LEASE);
        at_once(self.store.heartbeat(&self.group, &session, lease)).expect("it is open");
        session
    }

    fn leave(&mut self, session: &Session) {
        at_once(self.store.leave(&self.group, session)).expect("it is open");
    }

    /// What an operator deletes is not lost.
    fn note_taken_away(&mut self, key: &Key, seq: u64) {
        let mut slots = vec![Slot::Held(seq)];
        slots.extend((0..3).map(|epoch| Slot::Dead { epoch, seq }));
        let letters = at_once(self.store.letters(&self.group, key, &slots));
        for letter in letters.expect("it is open").into_iter().flatten() {
            self.ghost.taken_away.insert((key.clone(), letter.id));
        }
    }

    pub(super) fn some_verb(&mut self) -> Verb {
        let seq = Seq::new(self.scenario.random.u64(1..=12)).expect("it is positive");
        match self.scenario.random.u32(0..10) {
            0 => Verb::Skip { to: None },
            1 => Verb::Discard { seq },
            2 => Verb::Pause,
            3 | 4 => Verb::Resume,
            5 => Verb::Replay { seq: None },
            6 => Verb::Replay { seq: Some(seq) },
            _ => Verb::Retry,
        }
    }
}
