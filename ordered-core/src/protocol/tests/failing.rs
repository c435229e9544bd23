use super::scene::{A, B, Scene, claimed, committed, early, held, run, run_from};
use crate::protocol::{Obstacle, Phase, Verdict};

#[test]
fn a_retry_counts_the_attempt_and_keeps_the_key() {
    let mut scene = Scene::new();
    scene.offer(A, 1);
    assert_eq!(scene.retry(A, 1, 1), run(1, 2));
    assert_eq!(scene.retry(A, 1, 2), run(1, 3));
    assert_eq!(scene.offer(B, 1), early(1, Obstacle::Running));
    let trouble = scene.key.trouble.clone().unwrap();
    assert_eq!(trouble.error, "attempt 2 failed");
}

#[test]
fn a_postponed_event_waits_for_its_time_and_holds_up_no_worker() {
    let mut scene = Scene::new();
    scene.offer(A, 1);
    let until = scene.now + 500;
    assert_eq!(scene.postpone(A, 1, 1, 500), Verdict::Postponed { until });
    assert_eq!(scene.offer(B, 1), held(1, Obstacle::BackingOff));
    assert_eq!(scene.offer(A, 2), early(1, Obstacle::BackingOff));
    assert!(!scene.swept());
    scene.now += 499;
    assert!(!scene.swept());
    scene.now += 1;
    assert!(scene.swept());
    assert_eq!(claimed(&scene.claim(B)), (vec![1], 2));
    committed(&scene.commit(B, 1));
    assert_eq!(scene.key.trouble, None);
}

#[test]
fn events_behind_a_postponed_one_wait_in_order() {
    let mut scene = Scene::new();
    scene.offer(A, 1);
    scene.offer(A, 2);
    scene.postpone(A, 1, 1, 500);
    assert_eq!(scene.hold(A, 2), held(1, Obstacle::BackingOff));
    scene.now += 500;
    assert_eq!(claimed(&scene.claim(A)), (vec![1, 2], 2));
}

#[test]
fn a_halted_key_keeps_its_event_and_lets_nobody_by() {
    let mut scene = Scene::new();
    scene.offer(A, 1);
    assert_eq!(scene.halt(A, 1, 3), Verdict::Halted);
    assert_eq!(scene.key.phase, Phase::Halted);
    assert!(scene.key.held.contains_key(&1));
    assert_eq!(scene.offer(B, 1), held(1, Obstacle::Halted));
    assert_eq!(scene.hold(B, 2), held(1, Obstacle::Halted));
    scene.now += 1_000_000;
    assert!(!scene.swept());
    assert_eq!(scene.claim(B), Verdict::Idle);
}

#[test]
fn only_the_owner_retries_postpones_or_halts_and_only_the_head() {
    let mut scene = Scene::new();
    scene.offer(A, 1);
    scene.offer(A, 2);
    let before = scene.key.clone();
    for verdict in [
        scene.retry(B, 1, 1),
        scene.postpone(B, 1, 1, 10),
        scene.halt(B, 1, 1),
        scene.retry(A, 2, 1),
        scene.postpone(A, 2, 1, 10),
        scene.halt(A, 2, 1),
    ] {
        assert_eq!(verdict, Verdict::Fenced);
    }
    assert_eq!(scene.key, before);
}

#[test]
fn a_commit_forgives_the_attempts_before_it() {
    let mut scene = Scene::with(|policy| policy.max_attempts = 2);
    scene.offer(A, 1);
    scene.retry(A, 1, 1);
    scene.offer(A, 2);
    committed(&scene.commit_as(A, 1, "id-1", 1, 2));
    assert_eq!((scene.key.attempts, &scene.key.trouble), (1, &None));
    assert_eq!(scene.offer(A, 2), run_from(2, 1, 1));
}

#[test]
fn trouble_says_when_it_began_and_when_it_was_last() {
    let mut scene = Scene::new();
    scene.offer(A, 1);
    let began = scene.now;
    scene.retry(A, 1, 1);
    scene.now += 70;
    scene.postpone(A, 1, 2, 5);
    let trouble = scene.key.trouble.unwrap();
    assert_eq!((trouble.first_at, trouble.last_at), (began, began + 70));
}
