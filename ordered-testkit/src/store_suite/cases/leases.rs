use ordered_core::protocol::WorkerId;
use ordered_core::store::{Answer, Inspect, Previous, WorkerRecord};

use crate::store_suite::fixture::{A, B, LEASE, StoreFixture, broad, saved};

/// Whether B is granted the key of the test, which A owns.
async fn is_taken_over(fixture: &StoreFixture<impl Inspect>) -> bool {
    fixture.beat(B).await;
    matches!(fixture.ask(B).await, Answer::Owned(_))
}

pub async fn a_key_is_taken_over_after_two_looks_and_not_before(
    fixture: StoreFixture<impl Inspect>,
) {
    fixture.own(A).await;
    fixture.clock.advance(LEASE / 2 - 1);
    assert!(!is_taken_over(&fixture).await, "it is fresh");
    fixture.clock.advance(1);
    assert!(
        !is_taken_over(&fixture).await,
        "the first look puts it in doubt"
    );
    fixture.clock.advance(LEASE / 2 - 1);
    assert!(!is_taken_over(&fixture).await, "it is in doubt");
    fixture.clock.advance(1);
    fixture.beat(B).await;
    let owned = fixture.own(B).await;
    assert_eq!(owned.previous, Previous::Died(WorkerId::new(A)));
}

pub async fn a_sweep_is_a_look(fixture: StoreFixture<impl Inspect>) {
    fixture.own(A).await;
    fixture.clock.advance(LEASE / 2);
    fixture.sweep(&broad()).await;
    fixture.clock.advance(LEASE / 2);
    assert!(is_taken_over(&fixture).await);
}

pub async fn a_heartbeat_ends_the_doubt(fixture: StoreFixture<impl Inspect>) {
    let fence = fixture.own(A).await.fence;
    for _ in 0..5 {
        fixture.clock.advance(LEASE - 1);
        assert!(!is_taken_over(&fixture).await);
        fixture.beat(A).await;
    }
    saved(fixture.save(A, fixture.blank(fence)).await);
}

pub async fn a_step_of_the_clock_forward_takes_nothing_from_a_worker_that_beats(
    fixture: StoreFixture<impl Inspect>,
) {
    fixture.own(A).await;
    for _ in 0..3 {
        fixture.clock.advance(3_600_000);
        assert!(!is_taken_over(&fixture).await);
        fixture.clock.advance(LEASE / 3);
        fixture.beat(A).await;
        assert!(!is_taken_over(&fixture).await);
    }
}

pub async fn a_step_of_the_clock_back_delays_a_takeover_by_no_more_than_one_lease(
    fixture: StoreFixture<impl Inspect>,
) {
    fixture.own(A).await;
    fixture.clock.step_back(90_000);
    let mut waited = 0;
    while !is_taken_over(&fixture).await {
        fixture.clock.advance(LEASE / 10);
        waited += LEASE / 10;
        assert!(waited <= LEASE, "the key is not taken over");
    }
    assert_eq!(waited, LEASE);
}

pub async fn a_step_back_in_doubt_delays_a_takeover_by_no_more_than_half_a_lease(
    fixture: StoreFixture<impl Inspect>,
) {
    fixture.own(A).await;
    fixture.clock.advance(LEASE / 2);
    assert!(!is_taken_over(&fixture).await);
    fixture.clock.step_back(90_000);
    assert!(!is_taken_over(&fixture).await);
    fixture.clock.advance(LEASE / 2);
    assert!(is_taken_over(&fixture).await);
}

pub async fn a_worker_without_a_lease_is_granted_nothing(fixture: StoreFixture<impl Inspect>) {
    fixture.leave(A).await;
    assert_eq!(fixture.ask(A).await, Answer::NoLease);
    assert_eq!(fixture.read().await, None);
    fixture.beat(A).await;
    fixture.own(A).await;
}

pub async fn a_dead_worker_is_granted_nothing_until_it_beats(fixture: StoreFixture<impl Inspect>) {
    fixture.own(A).await;
    fixture.crash(A).await;
    assert_eq!(fixture.ask(A).await, Answer::NoLease);
    fixture.beat(A).await;
    assert_eq!(fixture.own(A).await.previous, Previous::Myself);
}

pub async fn a_worker_that_came_back_keeps_what_nobody_took(fixture: StoreFixture<impl Inspect>) {
    let fence = fixture.own(A).await.fence;
    fixture.crash(A).await;
    saved(fixture.save(A, fixture.blank(fence)).await);
    fixture.beat(A).await;
    assert!(!is_taken_over(&fixture).await);
    assert!(fixture.sweep(&broad()).await.orphaned.is_empty());
}

pub async fn a_worker_that_was_overtaken_can_save_nothing(fixture: StoreFixture<impl Inspect>) {
    let fence = fixture.own(A).await.fence;
    fixture.crash(A).await;
    assert!(is_taken_over(&fixture).await);
    fixture.beat(A).await;
    assert_eq!(fixture.save(A, fixture.blank(fence)).await, Answer::Lost);
}

pub async fn a_worker_that_leaves_gives_way_at_once(fixture: StoreFixture<impl Inspect>) {
    let fence = fixture.own(A).await.fence;
    fixture.leave(A).await;
    saved(fixture.save(A, fixture.blank(fence)).await);
    let owned = fixture.own(B).await;
    assert_eq!(
        owned.previous,
        Previous::Other(WorkerId::new(A)),
        "it did not die with the key"
    );
    assert_eq!(fixture.save(A, fixture.blank(fence)).await, Answer::Lost);
}

pub async fn a_dead_worker_is_forgotten_once_it_owns_nothing(fixture: StoreFixture<impl Inspect>) {
    fixture.own(A).await;
    let names = async || -> Vec<(String, bool)> {
        let workers = fixture.store.workers(&fixture.group).await;
        let workers = workers.expect("the store is there");
        let named = |worker: &WorkerRecord| (worker.worker.as_str().to_owned(), worker.alive);
        workers.iter().map(named).collect()
    };
    let (a, b) = (A.to_owned(), B.to_owned());
    assert_eq!(names().await, [(a.clone(), true), (b.clone(), true)]);
    fixture.crash(A).await;
    fixture.sweep(&broad()).await;
    assert_eq!(names().await, [(a, false), (b.clone(), true)]);
    assert!(is_taken_over(&fixture).await);
    fixture.sweep(&broad()).await;
    assert_eq!(names().await, [(b, true)]);
}
