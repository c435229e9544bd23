//! Answers that do not come, and a store that forgets.

use super::*;
use crate::protocol::engine::KeyChange;

#[test]
fn a_commit_without_an_answer_is_committed_once_and_not_run_again() {
    for carried_out in [false, true] {
        let mut bench = Bench::new();
        let mut w = bench.worker("w");
        bench.deliver_all(&mut w, 1..=2);
        bench.settle(&mut w);
        assert_eq!(w.begin(), Some((1, 1)));
        w.end(Ok(()));
        bench.lose_answer(&mut w, carried_out);
        assert_eq!(w.begin(), None, "not before it is known");
        assert_eq!(bench.run_all(&mut w), [(2, 2)]);
        assert_eq!(
            w.says(|what| matches!(what, EventChange::Committed { .. })),
            2
        );
        let committed = [1, 2].map(|seq| (seq, EventOutcome::Committed));
        assert_eq!(w.settled(), committed);
        assert!(w.engine.is_idle());
    }
}

#[test]
fn a_failure_without_an_answer_is_one_attempt() {
    for carried_out in [false, true] {
        let mut bench = Bench::with(|rules| rules.own_backoff = Duration::from_secs(1));
        let mut w = bench.worker("w");
        bench.deliver(&mut w, 1);
        bench.settle(&mut w);
        w.begin();
        w.end(failed());
        bench.lose_answer(&mut w, carried_out);
        bench.settle(&mut w);
        assert_eq!(bench.state().attempts, 1);
        w.engine.wake(&key());
        bench.settle(&mut w);
        assert_eq!((w.begin(), w.attempt()), (Some((1, 1)), 2));
        w.end(Ok(()));
        bench.settle(&mut w);
        assert_eq!(w.settled(), [(1, EventOutcome::Committed)]);
    }
}

#[test]
fn a_delivery_that_is_put_back_is_not_lost_to_another_in_its_place() {
    for carried_out in [false, true] {
        let mut bench = Bench::new();
        let mut w = bench.worker("w");
        bench.deliver_as(&mut w, 3, "one");
        bench.exchange(&mut w);
        let (requests, pending) = w.engine.take_requests(10, 1 << 20);
        bench.deliver_as(&mut w, 3, "another");
        if carried_out {
            bench.carry_out(&mut w, &requests, None);
        }
        w.engine.on_no_answer(pending);
        bench.settle(&mut w);
        assert_eq!(w.settled().len(), 2);
        assert!(w.engine.is_idle());
        assert_eq!(bench.held(), 1);
    }
}

#[test]
fn a_control_message_that_changes_nothing_is_settled() {
    use crate::event::Seq;
    use crate::worker::Control;
    let mut bench = Bench::new();
    let mut w = bench.worker("w");
    bench.deliver(&mut w, 2);
    bench.exchange(&mut w);
    let seq = Seq::new(2).expect("it is positive");
    let fill = Control::GapFill { from: seq, to: seq };
    bench.exchange(&mut w);
    w.engine.control(&key(), fill, Token(99));
    bench.settle(&mut w);
    let is_settled =
        |effect: &Effect| matches!(effect, Effect::SettleControl { deferred: None, .. });
    assert!(w.effects.iter().any(is_settled), "{:?}", w.effects);
    assert!(w.engine.is_idle());
}

#[test]
fn a_store_that_lost_state_is_set_right_by_what_the_worker_knows() {
    let mut bench = Bench::new();
    let mut w = bench.worker("w");
    bench.deliver(&mut w, 1);
    bench.run_all(&mut w);
    let snapshot = bench.store.snapshot();
    bench.deliver_all(&mut w, 2..=3);
    assert_eq!(bench.run_all(&mut w), [(2, 2), (3, 3)]);
    bench.store.restore(snapshot);
    bench.clock.advance(1);
    assert_eq!(bench.state().last_seq, 1);
    w.settled();
    bench.deliver(&mut w, 2);
    bench.deliver(&mut w, 4);
    assert_eq!(bench.run_all(&mut w), [(4, 4)]);
    let corrected = |effect: &Effect| {
        let what = KeyChange::Corrected { found: 1, known: 3 };
        *effect == Effect::Key { key: key(), what }
    };
    assert!(w.effects.iter().any(corrected));
    assert_eq!(bench.state().last_seq, 4);
}

#[test]
fn what_cannot_be_read_stays_with_the_broker_and_the_key_is_given_back() {
    use crate::protocol::engine::DeferReason;
    use crate::store::{Acquire, AcquireMode, Answer, Save};
    let mut bench = Bench::new();
    let (mut w, later) = (bench.worker("w"), bench.worker("later"));
    let acquire = Request::Acquire(Acquire {
        key: key(),
        mode: AcquireMode::Ask,
        letters: Vec::new(),
        look_up: Vec::new(),
    });
    let say = |request: Request| {
        let requests = [request];
        let said = bench
            .store
            .exchange(&bench.group, &later.session, &requests);
        let said = said.now_or_never().expect("at once").expect("it is open");
        said.answers.into_iter().next()
    };
    let Some(Answer::Owned(owned)) = say(acquire) else {
        panic!("the key is free");
    };
    let mut save = Save::new(key(), owned.fence);
    save.body = Some(vec![77, 1, 2].into());
    save.release = true;
    say(Request::Save(Box::new(save)));
    bench.deliver(&mut w, 1);
    bench.settle(&mut w);
    assert_eq!(
        w.settled(),
        [(1, EventOutcome::Deferred(DeferReason::Unreadable))]
    );
    assert!(w.engine.is_idle());
    assert_eq!(bench.owner(), None);
    let record = bench.store.read(&bench.group, &key()).now_or_never();
    let record = record.expect("at once").expect("it is open");
    let body = record.and_then(|record| record.body);
    assert_eq!(
        body.as_deref(),
        Some(&[77, 1, 2][..]),
        "it is left as it is"
    );
}

#[test]
fn what_is_held_of_an_epoch_that_came_back_is_not_taken_for_the_present_one() {
    use crate::event::Seq;
    use crate::worker::Control;
    let mut bench = Bench::new();
    let mut w = bench.worker("w");
    bench.deliver_as(&mut w, 2, "old");
    bench.settle(&mut w);
    let snapshot = bench.store.snapshot();
    let at = Seq::new(1).expect("it is positive");
    let reset = Control::Reset { at, epoch: Some(1) };
    w.engine.control(&key(), reset, Token(99));
    bench.settle(&mut w);
    bench.deliver_with(&mut w, 1, "new", |event| event.epoch = Some(1));
    assert_eq!(bench.run_all(&mut w), [(1, 1)]);
    bench.store.restore(snapshot);
    assert_eq!(bench.state().epoch, 0);
    bench.clock.advance(1);
    bench.deliver_with(&mut w, 2, "next", |event| event.epoch = Some(1));
    assert_eq!(bench.run_all(&mut w), [(2, 2)]);
    let state = bench.state();
    assert_eq!((state.epoch, state.last_seq, bench.held()), (1, 2, 0));
    assert_eq!(state.dead_letters().collect::<Vec<_>>(), [(0, 2)]);
}

#[test]
fn no_event_runs_under_a_lower_fence_than_before() {
    let mut bench = Bench::new();
    let mut w = bench.worker("w");
    bench.deliver(&mut w, 1);
    bench.run_all(&mut w);
    let snapshot = bench.store.snapshot();
    bench.deliver(&mut w, 2);
    bench.run_all(&mut w);
    // The store forgets the last grant, and its clock is not past it.
    bench.store.restore(snapshot);
    bench.deliver(&mut w, 3);
    assert_eq!(bench.run_all(&mut w), []);
    let is_told = |effect: &Effect| {
        let fell = |what: &KeyChange| matches!(what, KeyChange::FenceFell { given, known } if given <= known);
        matches!(effect, Effect::Key { what, .. } if fell(what))
    };
    assert!(w.effects.iter().any(is_told), "{:?}", w.effects);
    bench.clock.advance(1);
    w.engine.wake(&key());
    assert_eq!(bench.run_all(&mut w), [(3, 3)]);
    assert_eq!(bench.state().last_seq, 3);
}

#[test]
fn a_key_that_the_worker_does_not_remember_waits_for_those_who_may() {
    let mut bench = Bench::new();
    let mut w = bench.worker("w");
    w.engine.adopt();
    bench.deliver(&mut w, 1);
    assert_eq!(bench.run_all(&mut w), []);
    assert!(w.engine.go_on_adopting());
    assert_eq!(bench.run_all(&mut w), []);
    assert!(!w.engine.go_on_adopting());
    assert_eq!(bench.run_all(&mut w), [(1, 1)]);
}
