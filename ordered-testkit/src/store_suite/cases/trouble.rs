use std::time::Duration;

use ordered_core::event::{Envelope, Seq};
use ordered_core::protocol::{Action, Effect, GapPolicy, Obstacle, Refusal, Verb, Verdict};
use ordered_core::store::{Admin, Store, Stuck};

use crate::store_suite::stage::{
    A, B, Stage, claimed, committed, early, event, held, run, run_from,
};

fn seq(number: u64) -> Seq {
    Seq::new(number).expect("it is in bounds")
}

fn fill(from: u64, to: u64) -> Action {
    Action::Fill {
        from: seq(from),
        to: seq(to),
    }
}

async fn dead_letter(stage: &Stage<impl Store + Admin>, seq: u64) -> Verdict {
    let action = Action::DeadLetter {
        attempt: stage.attempt(seq, 1).await,
        envelope: Envelope::new("poison"),
        have: seq,
    };
    stage.say(A, action).await
}

pub async fn a_dead_letter_lets_the_key_go_on_and_is_replayed_before_the_head(
    stage: Stage<impl Store + Admin>,
) {
    stage.hold(B, 2).await;
    stage.offer(A, 1).await;
    assert_eq!(
        committed(&dead_letter(&stage, 1).await),
        (vec![2], false),
        "as a commit does"
    );
    committed(&stage.commit(A, 2).await);
    assert_eq!(stage.offer(B, 1).await, Verdict::Duplicate);
    stage.hold(B, 4).await;
    let replay = Action::Operate(Verb::Replay { seq: None });
    stage.say("operator", replay).await;
    assert_eq!(stage.swept().await, vec![stage.key.clone()]);
    let verdict = stage.say(B, Action::Claim).await;
    assert_eq!(claimed(&verdict), (vec![1], 1));
    assert_eq!(committed(&stage.commit(B, 1).await), (vec![], true));
    assert_eq!(stage.view().await.dead_events, 0);
    assert_eq!(stage.offer(A, 3).await, run_from(3, 3, 1));
}

pub async fn a_gap_is_skipped_after_its_time_and_what_comes_then_is_late(
    stage: Stage<impl Store + Admin>,
) {
    let after = Duration::from_millis(300);
    let stage = stage.with(|policy| {
        policy.on_gap = GapPolicy::Skip { after };
        policy.stuck_after = Duration::from_millis(200);
    });
    stage.hold(A, 3).await;
    let since = stage.clock.now();
    stage.clock.advance(299);
    assert_eq!(stage.swept().await, []);
    let swept = stage.store.sweep(&stage.group, 10).await;
    let swept = swept.expect("the store is there");
    let key = stage.key.clone();
    assert_eq!(swept.stuck, [Stuck { key, seq: 1, since }]);
    assert_eq!(swept.oldest_gap, Some(since));
    stage.clock.advance(1);
    assert_eq!(stage.swept().await, vec![stage.key.clone()]);
    assert_eq!(claimed(&stage.say(B, Action::Claim).await), (vec![3], 1));
    assert_eq!(stage.offer(A, 2).await, Verdict::Late);
    assert_eq!(stage.view().await.gap_since, None);
}

pub async fn a_gap_halts_the_key_after_its_time(stage: Stage<impl Store + Admin>) {
    let after = Duration::from_millis(300);
    let stage = stage.with(|policy| policy.on_gap = GapPolicy::Halt { after });
    stage.hold(A, 3).await;
    stage.clock.advance(300);
    stage.beat(B).await;
    assert_eq!(stage.say(B, Action::Claim).await, Verdict::Idle);
    let view = stage.view().await;
    assert_eq!(view.phase, "halted");
    let error = view.trouble.expect("it says why").error;
    assert_eq!(error, "seq 1 has not come for 300ms");
    let swept = stage.store.sweep(&stage.group, 10).await;
    assert_eq!(swept.expect("the store is there").halted, 1);
}

pub async fn what_will_never_come_is_passed_over_and_what_comes_all_the_same_is_handled(
    stage: Stage<impl Store + Admin>,
) {
    stage.hold(B, 3).await;
    stage.hold(B, 6).await;
    stage.offer(A, 1).await;
    for range in [fill(4, 5), fill(2, 4), fill(2, 5)] {
        assert_eq!(stage.say(B, range).await, Verdict::Noted);
    }
    assert_eq!(stage.view().await.absent, [(2, 5)]);
    assert_eq!(committed(&stage.commit(A, 1).await), (vec![3, 6], false));
    assert_eq!(stage.offer(B, 4).await, Verdict::Late, "6 was granted");
    committed(&stage.commit(A, 3).await);
    assert_eq!(committed(&stage.commit(A, 6).await), (vec![], true));
    assert_eq!(stage.view().await.absent, []);
}

pub async fn a_new_numbering_begins_again_and_keeps_the_old_apart(
    stage: Stage<impl Store + Admin>,
) {
    stage.process(A, 2).await;
    stage.hold(A, 4).await;
    let at = |epoch, seq| ordered_core::protocol::Event {
        epoch: Some(epoch),
        ..event(seq, &format!("new-{seq}"))
    };
    let early_bird = stage.say(B, Action::Offer(at(1, 1))).await;
    assert_eq!(early_bird, Verdict::NotYet);
    for _ in 0..2 {
        let (at, epoch) = (seq(1), Some(1));
        let reset = stage.say(B, Action::Reset { at, epoch }).await;
        assert_eq!(reset, Verdict::Noted);
    }
    let view = stage.view().await;
    assert_eq!((view.last_seq, view.epoch, view.held_events), (0, 1, 0));
    assert_eq!(view.dead[0].cause, "superseded");
    let verdict = stage.say(B, Action::Offer(at(1, 1))).await;
    assert_eq!(verdict, run(4, 1));
    let verdict = stage.say(B, Action::Offer(at(0, 3))).await;
    assert_eq!(verdict, Verdict::Late);
}

pub async fn a_paused_key_stands_still(stage: Stage<impl Store + Admin>) {
    stage.offer(A, 1).await;
    stage.hold(B, 2).await;
    let verb = |verb| stage.say("operator", Action::Operate(verb));
    verb(Verb::Pause).await;
    assert_eq!(committed(&stage.commit(A, 1).await), (vec![], true));
    assert_eq!(stage.offer(A, 2).await, held(2, Obstacle::Paused));
    assert_eq!(stage.offer(A, 3).await, early(2, Obstacle::Paused));
    assert_eq!(stage.swept().await, []);
    verb(Verb::Resume).await;
    assert_eq!(stage.swept().await, vec![stage.key.clone()]);
}

/// A worker was granted 1, and died; the broker has lost it too.
pub async fn what_waits_behind_an_event_that_died_with_its_worker_is_a_gap(
    stage: Stage<impl Store + Admin>,
) {
    let after = Duration::from_millis(300);
    let stage = stage.with(|policy| policy.on_gap = GapPolicy::Skip { after });
    stage.offer(A, 1).await;
    stage.hold(B, 2).await;
    assert_eq!(stage.swept().await, []);
    stage.crash(A).await;
    assert_eq!(stage.view().await.gap_since, None);
    assert_eq!(stage.swept().await, vec![stage.key.clone()]);
    assert_eq!(stage.say(B, Action::Claim).await, Verdict::Idle);
    let view = stage.view().await;
    assert_eq!((view.claim, view.attempts), (None, 1));
    assert_eq!(view.gap_since, Some(stage.clock.now()));
    assert_eq!(stage.swept().await, []);
    stage.clock.advance(300);
    stage.beat(B).await;
    assert_eq!(stage.swept().await, vec![stage.key.clone()]);
    assert_eq!(claimed(&stage.say(B, Action::Claim).await), (vec![2], 1));
}

pub async fn an_event_of_an_old_numbering_cannot_be_run_again_and_can_be_discarded(
    stage: Stage<impl Store + Admin>,
) {
    stage.process(A, 2).await;
    stage.hold(A, 4).await;
    for epoch in [3, 5] {
        let (at, epoch) = (seq(1), Some(epoch));
        stage.say(B, Action::Reset { at, epoch }).await;
    }
    let kept = stage.store.event(&stage.group, &stage.key, seq(4)).await;
    assert!(
        kept.expect("the store is there").is_some(),
        "to be exported"
    );
    let operate = |verb| stage.say("operator", Action::Operate(verb));
    let body = "x".into();
    for verb in [
        Verb::Replay { seq: None },
        Verb::Replay { seq: Some(seq(4)) },
        Verb::Edit { seq: seq(4), body },
    ] {
        let verdict = operate(verb).await;
        assert_eq!(verdict, Verdict::Refused(Refusal::Superseded));
    }
    let discard = Verb::Discard { seq: seq(4) };
    let gone = Verdict::Operated(Effect {
        last_seq: 0,
        released: vec![],
        removed: vec![4],
    });
    assert_eq!(operate(discard.clone()).await, gone);
    let none = Verdict::Refused(Refusal::NoSuchEvent);
    assert_eq!(operate(discard).await, none);
    assert_eq!(stage.view().await.dead_events, 0);
}
