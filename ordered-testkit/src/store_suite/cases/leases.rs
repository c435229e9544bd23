use ordered_core::protocol::WorkerId;
use ordered_core::store::{Answer, Inspect, Previous, WorkerRecord};

use crate::store_suite::stage::{A, B, LEASE, Stage, broad, saved};

/// Whether B is granted the key of the test, which A owns.
async fn is_taken_over(stage: &Stage<impl Inspect>) -> bool {
    stage.beat(B).await;
    matches!(stage.ask(B).await, Answer::Owned(_))
}

pub async fn a_key_is_taken_over_after_two_looks_and_not_before(stage: Stage<impl Inspect>) {
    stage.own(A).await;
    stage.clock.advance(LEASE / 2 - 1);
    assert!(!is_taken_over(&stage).await, "it is fresh");
    stage.clock.advance(1);
    assert!(
        !is_taken_over(&stage).await,
        "the first look puts it in doubt"
    );
    stage.clock.advance(LEASE / 2 - 1);
    assert!(!is_taken_over(&stage).await, "it is in doubt");
    stage.clock.advance(1);
    stage.beat(B).await;
    let owned = stage.own(B).await;
    assert_eq!(owned.previous, Previous::Died(WorkerId::new(A)));
}

pub async fn a_sweep_is_a_look(stage: Stage<impl Inspect>) {
    stage.own(A).await;
    stage.clock.advance(LEASE / 2);
    stage.sweep(&broad()).await;
    stage.clock.advance(LEASE / 2);
    assert!(is_taken_over(&stage).await);
}

pub async fn a_heartbeat_ends_the_doubt(stage: Stage<impl Inspect>) {
    let fence = stage.own(A).await.fence;
    for _ in 0..5 {
        stage.clock.advance(LEASE - 1);
        assert!(!is_taken_over(&stage).await);
        stage.beat(A).await;
    }
    saved(stage.save(A, stage.blank(fence)).await);
}

pub async fn a_step_of_the_clock_forward_takes_nothing_from_a_worker_that_beats(
    stage: Stage<impl Inspect>,
) {
    stage.own(A).await;
    for _ in 0..3 {
        stage.clock.advance(3_600_000);
        assert!(!is_taken_over(&stage).await);
        stage.clock.advance(LEASE / 3);
        stage.beat(A).await;
        assert!(!is_taken_over(&stage).await);
    }
}

pub async fn a_step_of_the_clock_back_delays_a_takeover_by_no_more_than_one_lease(
    stage: Stage<impl Inspect>,
) {
    stage.own(A).await;
    stage.clock.step_back(90_000);
    let mut waited = 0;
    while !is_taken_over(&stage).await {
        stage.clock.advance(LEASE / 10);
        waited += LEASE / 10;
        assert!(waited <= LEASE, "the key is not taken over");
    }
    assert_eq!(waited, LEASE);
}

pub async fn a_step_back_in_doubt_delays_a_takeover_by_no_more_than_half_a_lease(
    stage: Stage<impl Inspect>,
) {
    stage.own(A).await;
    stage.clock.advance(LEASE / 2);
    assert!(!is_taken_over(&stage).await);
    stage.clock.step_back(90_000);
    assert!(!is_taken_over(&stage).await);
    stage.clock.advance(LEASE / 2);
    assert!(is_taken_over(&stage).await);
}

pub async fn a_worker_without_a_lease_is_granted_nothing(stage: Stage<impl Inspect>) {
    stage.leave(A).await;
    assert_eq!(stage.ask(A).await, Answer::NoLease);
    assert_eq!(stage.read().await, None);
    stage.beat(A).await;
    stage.own(A).await;
}

pub async fn a_dead_worker_is_granted_nothing_until_it_beats(stage: Stage<impl Inspect>) {
    stage.own(A).await;
    stage.crash(A).await;
    assert_eq!(stage.ask(A).await, Answer::NoLease);
    stage.beat(A).await;
    assert_eq!(stage.own(A).await.previous, Previous::Myself);
}

pub async fn a_worker_that_came_back_keeps_what_nobody_took(stage: Stage<impl Inspect>) {
    let fence = stage.own(A).await.fence;
    stage.crash(A).await;
    saved(stage.save(A, stage.blank(fence)).await);
    stage.beat(A).await;
    assert!(!is_taken_over(&stage).await);
    assert!(stage.sweep(&broad()).await.orphaned.is_empty());
}

pub async fn a_worker_that_was_overtaken_can_save_nothing(stage: Stage<impl Inspect>) {
    let fence = stage.own(A).await.fence;
    stage.crash(A).await;
    assert!(is_taken_over(&stage).await);
    stage.beat(A).await;
    assert_eq!(stage.save(A, stage.blank(fence)).await, Answer::Lost);
}

pub async fn a_worker_that_leaves_gives_way_at_once(stage: Stage<impl Inspect>) {
    let fence = stage.own(A).await.fence;
    stage.leave(A).await;
    saved(stage.save(A, stage.blank(fence)).await);
    let owned = stage.own(B).await;
    assert_eq!(
        owned.previous,
        Previous::Other(WorkerId::new(A)),
        "it did not die with the key"
    );
    assert_eq!(stage.save(A, stage.blank(fence)).await, Answer::Lost);
}

pub async fn a_dead_worker_is_forgotten_once_it_owns_nothing(stage: Stage<impl Inspect>) {
    stage.own(A).await;
    let names = async || -> Vec<(String, bool)> {
        let workers = stage.store.workers(&stage.group).await;
        let workers = workers.expect("the store is there");
        let named = |worker: &WorkerRecord| (worker.worker.as_str().to_owned(), worker.alive);
        workers.iter().map(named).collect()
    };
    let (a, b) = (A.to_owned(), B.to_owned());
    assert_eq!(names().await, [(a.clone(), true), (b.clone(), true)]);
    stage.crash(A).await;
    stage.sweep(&broad()).await;
    assert_eq!(names().await, [(a, false), (b.clone(), true)]);
    assert!(is_taken_over(&stage).await);
    stage.sweep(&broad()).await;
    assert_eq!(names().await, [(b, true)]);
}
