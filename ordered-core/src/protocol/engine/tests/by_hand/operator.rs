//! An operator beside the workers, who decides with the same state machine.

use super::*;
use crate::protocol::{Transition, Verb};
use crate::store::{Acquire, AcquireMode, Answer, Listing, Save};

/// An operator does something to the key, which is free.
pub(super) fn operate(bench: &Bench, verb: &Verb) {
    let name = WorkerId::operator("test", 1);
    let opened = bench.store.open(&bench.group, &name).now_or_never();
    let session = opened.expect("at once").expect("it opens").session;
    let beat = bench.store.heartbeat(&bench.group, &session, LEASE);
    beat.now_or_never().expect("at once").expect("it is open");
    let acquire = Request::Acquire(Acquire {
        key: key(),
        mode: AcquireMode::Ask,
        letters: Vec::new(),
        look_up: Vec::new(),
    });
    let say = |request: Request| {
        let said = [request];
        let exchange = bench.store.exchange(&bench.group, &session, &said);
        exchange
            .now_or_never()
            .expect("at once")
            .expect("it is open")
    };
    let granted = say(acquire);
    let Some(Answer::Owned(owned)) = granted.answers.into_iter().next() else {
        panic!("it is free");
    };
    let mut state = bench.state();
    let mut transition = Transition::new(&mut state, &bench.rules.policy, granted.now);
    transition.take_mail(&owned.mail);
    transition.operate(verb, None).expect("it can be done");
    let changes = std::mem::take(&mut transition.changes);
    let mut save = Save::new(key(), owned.fence);
    let listing = state.listing(&bench.rules.policy, Listing::default(), granted.now);
    save.listing = Listing::default().change(listing);
    save.listing.halted = save.listing.halted.or(Some(None));
    save.body = Some(state.encode(owned.fence));
    save.changes = changes;
    save.release = true;
    say(Request::Save(Box::new(save)));
}
