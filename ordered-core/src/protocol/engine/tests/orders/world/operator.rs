//! What is done to the key from outside of the workers.

use std::time::Duration;

use super::{LEASE, World, at_once, key};
use crate::protocol::{KeyState, Transition, Verb, WorkerId};
use crate::store::{Acquire, AcquireMode, Answer, Listing, Previous, Request, Save, Store};

impl World {
    /// An operator does something to the key, if it is free.
    pub(super) fn operate(&mut self, verb: &Verb) {
        self.names += 1;
        let name = WorkerId::operator("test", self.names as u64);
        let session = at_once(self.store.open(&self.group, &name)).session;
        let lease = Duration::from_millis(LEASE);
        at_once(self.store.heartbeat(&self.group, &session, lease));
        let acquire = Request::Acquire(Acquire {
            key: key(),
            mode: AcquireMode::HandOver,
            letters: Vec::new(),
            look_up: Vec::new(),
        });
        let exchange = at_once(self.store.exchange(&self.group, &session, &[acquire]));
        if let Some(Answer::Owned(owned)) = exchange.answers.into_iter().next() {
            let policy = self.group.policy().clone();
            let mut state = self.state();
            let mut transition = Transition::new(&mut state, &policy, exchange.now);
            transition.take_mail(&owned.mail);
            if let Previous::Died(worker) = &owned.previous
                && !worker.is_operator()
            {
                transition.owner_died(worker.as_str());
            }
            transition.wake();
            transition.watch_gap(false);
            let done = transition.operate(verb, None);
            let changes = std::mem::take(&mut transition.changes);
            self.tell(|| format!("operator: {verb}: {done:?}"));
            let mut save = Save::new(key(), owned.fence);
            save.listing =
                Listing::default().change(state.listing(&policy, Listing::default(), exchange.now));
            save.listing.due = save.listing.due.or(Some(None));
            save.listing.halted = save.listing.halted.or(Some(None));
            save.body = Some(state.encode(owned.fence));
            save.changes = changes;
            save.taken = owned.mail.len();
            save.release = true;
            let save = Request::Save(Box::new(save));
            at_once(self.store.exchange(&self.group, &session, &[save]));
        }
        at_once(self.store.leave(&self.group, &session));
    }

    /// Somebody saves the state of the key, which is free.
    pub(super) fn write(&self, state: KeyState) {
        let name = WorkerId::operator("test", 0);
        let session = at_once(self.store.open(&self.group, &name)).session;
        let lease = Duration::from_millis(LEASE);
        at_once(self.store.heartbeat(&self.group, &session, lease));
        let acquire = Request::Acquire(Acquire {
            key: key(),
            mode: AcquireMode::Ask,
            letters: Vec::new(),
            look_up: Vec::new(),
        });
        let exchange = at_once(self.store.exchange(&self.group, &session, &[acquire]));
        let Some(Answer::Owned(owned)) = exchange.answers.into_iter().next() else {
            panic!("it is free");
        };
        let mut save = Save::new(key(), owned.fence);
        save.body = Some(state.encode(owned.fence));
        save.release = true;
        let save = Request::Save(Box::new(save));
        at_once(self.store.exchange(&self.group, &session, &[save]));
        at_once(self.store.leave(&self.group, &session));
    }
}
