use std::time::Duration;

use ordered_core::event::{Envelope, EventId};
use ordered_core::protocol::{Action, Command, Obstacle, Verdict};
use ordered_core::store::{Admin, Store};

use crate::store_suite::stage::{A, B, Stage, committed, early, event, plain};

fn conflict(recorded: &str) -> Verdict {
    let recorded = EventId::new(recorded).expect("it is neither empty nor long");
    Verdict::Conflict { recorded }
}

pub async fn a_committed_event_is_a_duplicate(stage: Stage<impl Store + Admin>) {
    stage.process(A, 2).await;
    assert_eq!(stage.offer(A, 1).await, Verdict::Duplicate);
    assert_eq!(stage.hold(B, 2).await, Verdict::Duplicate);
}

pub async fn an_id_that_comes_back_under_a_new_seq_is_a_repeat(stage: Stage<impl Store + Admin>) {
    stage.process(A, 1).await;
    let again = Action::Offer(event(2, "id-1"));
    assert!(matches!(stage.say(A, again).await, Verdict::Run(grant) if grant.repeat));
    let (event, fence, have) = (event(2, "id-1"), stage.fence().await, 2);
    committed(&stage.say(A, Action::Commit { event, fence, have }).await);
    assert_eq!(stage.view().await.last_seq, 2);
    assert_eq!(stage.offer(A, 1).await, Verdict::Duplicate);
}

pub async fn another_event_under_a_taken_seq_is_a_conflict(stage: Stage<impl Store + Admin>) {
    stage.process(A, 1).await;
    stage.hold(A, 4).await;
    stage.offer(A, 2).await;
    for seq in [1, 2, 4] {
        let imposter = Action::Offer(event(seq, "imposter"));
        assert_eq!(stage.say(B, imposter).await, conflict(&format!("id-{seq}")));
    }
}

pub async fn what_is_forgotten_is_stale(stage: Stage<impl Store + Admin>) {
    let stage = stage.with(|policy| policy.dedup_ttl = Duration::from_millis(100));
    stage.process(A, 2).await;
    stage.clock.advance(99);
    assert_eq!(stage.offer(A, 2).await, Verdict::Duplicate);
    let imposter = Action::Offer(event(2, "imposter"));
    assert_eq!(stage.say(A, imposter.clone()).await, conflict("id-2"));
    stage.clock.advance(1);
    assert_eq!(stage.offer(A, 2).await, Verdict::Stale);
    assert_eq!(stage.say(A, imposter).await, Verdict::Stale);
}

pub async fn the_last_seq_is_kept_for_good(stage: Stage<impl Store + Admin>) {
    stage.process(A, 2).await;
    stage.clock.advance(10 * 365 * 24 * 60 * 60 * 1_000);
    assert_eq!(stage.offer(A, 1).await, Verdict::Stale);
    assert_eq!(stage.offer(A, 4).await, early(3, Obstacle::Gap));
}

/// The replies were lost, one after the other.
pub async fn every_command_may_be_repeated(stage: Stage<impl Store + Admin>) {
    stage.hold(B, 2).await;
    stage.hold(B, 3).await;
    let twice = async |action: Action| {
        let key = stage.key.clone();
        let commands = [Command { key, action }];
        let first = stage.batch(A, &commands).await;
        let view = stage.view().await;
        assert_eq!(stage.batch(A, &commands).await, first);
        assert_eq!(stage.view().await, view);
        first.into_iter().next().expect("one command, one verdict")
    };
    twice(Action::Offer(plain(1))).await;
    let (event, fence, have) = (plain(1), stage.fence().await, 1);
    let verdict = twice(Action::Commit { event, fence, have }).await;
    assert_eq!(committed(&verdict), (vec![2, 3], false));
    twice(Action::Retry(stage.attempt(2, 1).await)).await;
    let delay = Duration::from_millis(10);
    let postpone = Action::Postpone(stage.attempt(2, 2).await, Envelope::new("x"), delay);
    assert!(matches!(twice(postpone).await, Verdict::Postponed { .. }));
    stage.clock.advance(10);
    assert!(matches!(
        twice(Action::Claim).await,
        Verdict::Claimed { attempt: 3, .. }
    ));
    let fence = stage.fence().await;
    twice(Action::Release { fence }).await;
    twice(Action::Claim).await;
    let halt = Action::Halt(stage.attempt(2, 3).await, Envelope::new("x"));
    assert_eq!(twice(halt).await, Verdict::Halted);
    twice(Action::Hold(plain(9), Envelope::new("x"))).await;
}
