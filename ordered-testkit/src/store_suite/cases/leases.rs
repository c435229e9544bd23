use ordered_core::protocol::{Action, Fence, Obstacle, Verdict, WorkerId};
use ordered_core::store::{Admin, Store};

use crate::store_suite::stage::{A, B, LEASE, Stage, claimed, committed, early, held, run};

pub async fn a_worker_that_was_overtaken_can_commit_nothing(stage: Stage<impl Store + Admin>) {
    stage.offer(A, 1).await;
    stage.crash(A).await;
    assert_eq!(stage.offer(B, 1).await, run(2, 2));
    assert_eq!(stage.commit_under(A, 1, Fence(1)).await, Verdict::Fenced);
    assert_eq!(stage.commit_under(A, 1, Fence(2)).await, Verdict::Fenced);
    assert_eq!(stage.view().await.last_seq, 0);
    committed(&stage.commit(B, 1).await);
}

pub async fn a_key_is_taken_over_when_the_lease_is_over_and_not_before(
    stage: Stage<impl Store + Admin>,
) {
    stage.offer(A, 1).await;
    stage.clock.advance(LEASE - 1);
    assert_eq!(stage.offer(B, 1).await, early(1, Obstacle::Running));
    stage.clock.advance(1);
    assert_eq!(stage.offer(B, 1).await, run(2, 2));
}

pub async fn a_heartbeat_keeps_the_keys_of_a_worker(stage: Stage<impl Store + Admin>) {
    stage.offer(A, 1).await;
    for _ in 0..5 {
        stage.clock.advance(LEASE - 1);
        stage.beat(A).await;
    }
    assert_eq!(stage.offer(B, 1).await, early(1, Obstacle::Running));
    let view = stage.view().await;
    let claim = view.claim.expect("it has the key");
    assert_eq!(claim.worker, A);
    assert!(claim.lease_until > Some(view.now));
}

pub async fn a_worker_that_leaves_gives_way_at_once(stage: Stage<impl Store + Admin>) {
    stage.offer(A, 1).await;
    let leave = stage.store.leave(&stage.group, &WorkerId::new(A)).await;
    leave.expect("the store is there");
    let claim = stage.view().await.claim.expect("nobody took it over");
    assert_eq!(claim.lease_until, None);
    assert_eq!(stage.offer(B, 1).await, run(2, 2));
}

pub async fn an_event_that_kills_its_workers_halts_the_key(stage: Stage<impl Store + Admin>) {
    let stage = stage.with(|policy| policy.max_attempts = 2);
    stage.offer(A, 1).await;
    stage.crash(A).await;
    assert_eq!(stage.offer(B, 1).await, run(2, 2));
    stage.crash(B).await;
    assert_eq!(stage.offer(A, 1).await, early(1, Obstacle::Halted));
    assert_eq!(stage.hold(A, 1).await, held(1, Obstacle::Halted));
    assert_eq!(stage.commit_under(B, 1, Fence(2)).await, Verdict::Fenced);
    let view = stage.view().await;
    assert_eq!(view.phase, "halted");
    let trouble = view.trouble.expect("it says why");
    let said = format!("worker {B} died");
    assert!(trouble.error.contains(&said), "{}", trouble.error);
    assert_eq!(trouble.worker, B);
}

pub async fn what_was_under_way_in_two_workers_that_died_is_only_claimed(
    stage: Stage<impl Store + Admin>,
) {
    stage.offer(A, 1).await;
    stage.crash(A).await;
    assert_eq!(stage.offer(B, 1).await, run(2, 2), "once may be chance");
    stage.crash(B).await;
    assert_eq!(stage.offer(A, 1).await, early(1, Obstacle::BackingOff));
    assert_eq!(stage.hold(A, 1).await, held(1, Obstacle::BackingOff));
    let swept = stage.store.sweep(&stage.group, 1_000).await;
    let swept = swept.expect("the store is there");
    assert_eq!(swept.runnable, vec![stage.key.clone()]);
    assert_eq!(swept.suspects, vec![stage.key.clone()]);
    assert_eq!(claimed(&stage.say(A, Action::Claim).await), (vec![1], 3));
    committed(&stage.commit(A, 1).await);
    let next = stage.offer(B, 2).await;
    assert!(
        matches!(&next, Verdict::Run(grant) if grant.attempt == 1),
        "it was not this key: {next:?}"
    );
}
