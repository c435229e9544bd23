use super::scene::{A, B, LEASE, Scene, claimed, committed, early, held, run};
use crate::protocol::{Obstacle, Phase, Verdict, WorkerId};

/// "A lease shorter than the handler, no fence: two owners."
#[test]
fn a_worker_whose_key_was_taken_over_can_commit_nothing() {
    let mut scene = Scene::new();
    scene.offer(A, 1);
    scene.crash(A);
    assert_eq!(scene.offer(B, 1), run(2, 2));
    assert_eq!(scene.commit_as(A, 1, "id-1", 1, 1), Verdict::Fenced);
    assert_eq!(scene.key.last_seq, 0);
    committed(&scene.commit(B, 1));
    assert_eq!(
        scene.commit_as(A, 1, "id-1", 1, 1),
        Verdict::Fenced,
        "not even what is done"
    );
}

/// "Unlock without comparing the owner."
#[test]
fn only_the_owner_releases() {
    let mut scene = Scene::new();
    scene.offer(A, 1);
    assert_eq!(scene.release(B), Verdict::Fenced);
    scene.crash(A);
    scene.offer(B, 1);
    let stale = crate::protocol::Action::Release {
        fence: crate::protocol::Fence(1),
    };
    assert_eq!(scene.say(A, &stale), Verdict::Fenced);
    assert_eq!(scene.key.claim.as_ref().unwrap().worker, WorkerId::new(B));
}

#[test]
fn a_lease_is_over_at_its_expiry_and_not_before() {
    let mut scene = Scene::new();
    scene.offer(A, 1);
    scene.now += LEASE - 1;
    assert_eq!(scene.offer(B, 1), early(1, Obstacle::Running));
    scene.now += 1;
    assert_eq!(scene.offer(B, 1), run(2, 2));
}

#[test]
fn a_heartbeat_keeps_every_key_of_the_worker() {
    let mut scene = Scene::new();
    scene.offer(A, 1);
    for _ in 0..5 {
        scene.now += LEASE - 1;
        scene.beat(A);
    }
    assert_eq!(scene.offer(B, 1), early(1, Obstacle::Running));
}

/// The lease of a worker that comes back before anyone took over is as good as before.
#[test]
fn a_worker_that_was_merely_late_goes_on() {
    let mut scene = Scene::new();
    scene.offer(A, 1);
    scene.now += 2 * LEASE;
    assert_eq!(committed(&scene.commit(A, 1)), (vec![], true));
}

#[test]
fn what_a_dead_worker_had_in_the_store_is_swept_and_claimed() {
    let mut scene = Scene::new();
    scene.hold(A, 2);
    scene.hold(A, 3);
    scene.offer(A, 1);
    scene.commit(A, 1);
    assert!(!scene.swept(), "its worker lives");
    scene.crash(A);
    assert!(scene.swept());
    assert_eq!(claimed(&scene.claim(B)), (vec![2, 3], 2));
    assert!(!scene.swept());
}

#[test]
fn a_worker_that_leaves_gives_way_at_once() {
    let mut scene = Scene::new();
    scene.offer(A, 1);
    scene.bucket.leases.remove(&WorkerId::new(A));
    assert_eq!(scene.offer(B, 1), run(2, 2));
}

/// The events that only the dead worker's memory had come again from the broker.
#[test]
fn what_a_dead_worker_had_in_memory_only_waits_for_the_broker() {
    let mut scene = Scene::new();
    scene.offer(A, 1);
    scene.offer(A, 2);
    scene.crash(A);
    assert!(!scene.swept());
    assert_eq!(scene.hold(B, 2), held(1, Obstacle::Gap));
    assert_eq!(scene.offer(B, 1), run(2, 2));
    assert_eq!(committed(&scene.commit(B, 1)), (vec![2], false));
}

#[test]
fn an_event_that_kills_its_workers_halts_the_key() {
    let mut scene = Scene::with(|policy| policy.max_attempts = 2);
    scene.offer(A, 1);
    scene.crash(A);
    assert_eq!(scene.offer(B, 1), run(2, 2));
    scene.crash(B);
    assert_eq!(scene.offer(A, 1), early(1, Obstacle::Halted));
    assert_eq!(
        scene.hold(A, 1),
        held(1, Obstacle::Halted),
        "and is kept for the operator"
    );
    assert_eq!(scene.commit_as(B, 1, "id-1", 2, 1), Verdict::Fenced);
    let trouble = scene.key.trouble.unwrap();
    assert!(
        trouble.error.contains(&format!("worker {B} died")),
        "{}",
        trouble.error
    );
    assert_eq!(trouble.worker.as_str(), B);
}

#[test]
fn what_was_under_way_in_two_workers_that_died_is_only_claimed() {
    let mut scene = Scene::with(|policy| policy.max_attempts = 4);
    scene.offer(A, 1);
    scene.crash(A);
    assert_eq!(scene.offer(B, 1), run(2, 2), "once may be chance");
    assert!(!scene.suspect());
    scene.crash(B);
    assert!(scene.suspect());
    assert_eq!(scene.offer(A, 1), early(1, Obstacle::BackingOff));
    assert_eq!(scene.hold(A, 1), held(1, Obstacle::BackingOff));
    assert!(scene.swept());
    assert!(matches!(
        scene.claim(A),
        Verdict::Claimed { attempt: 3, .. }
    ));
    assert!(!scene.suspect(), "while a worker has it");
    scene.crash(A);
    assert!(matches!(
        scene.claim(B),
        Verdict::Claimed { attempt: 4, .. }
    ));
    scene.crash(B);
    assert!(!scene.suspect(), "its attempts are used up");
    assert_eq!(scene.claim(A), Verdict::Idle);
    assert_eq!(scene.key.phase, Phase::Halted);
}

#[test]
fn what_failed_and_waits_for_its_next_attempt_is_no_suspect() {
    let mut scene = Scene::with(|policy| policy.max_attempts = 9);
    scene.offer(A, 1);
    for attempt in 1..=4 {
        scene.postpone(A, 1, attempt, 100);
        scene.now += 100;
        assert!(scene.swept() && !scene.suspect());
        scene.claim(A);
    }
}

#[test]
fn a_held_event_that_kills_its_workers_halts_the_key_too() {
    let mut scene = Scene::with(|policy| policy.max_attempts = 1);
    scene.hold(A, 2);
    scene.offer(A, 1);
    scene.commit(A, 1);
    scene.crash(A);
    assert_eq!(scene.claim(B), Verdict::Idle);
    assert!(!scene.swept());
    assert_eq!(scene.offer(B, 2), held(2, Obstacle::Halted));
}

#[test]
fn every_grant_to_a_worker_has_a_higher_fence_than_all_before() {
    let mut scene = Scene::new();
    let mut fences = Vec::new();
    for seq in 1..=3 {
        scene.offer(A, seq);
        fences.push(scene.key.fence);
        scene.crash(A);
        scene.offer(B, seq);
        fences.push(scene.key.fence);
        scene.commit(B, seq);
        scene.beat(A);
    }
    assert!(fences.is_sorted_by(|one, next| one < next), "{fences:?}");
}
