use super::scene::{A, B, Scene, claimed, committed, early, held, run, run_from};
use crate::event::Seq;
use crate::protocol::{Obstacle, Verdict};

#[test]
fn the_first_event_of_a_key_runs_at_once() {
    assert_eq!(Scene::new().offer(A, 1), run(1, 1));
}

#[test]
fn an_event_runs_only_after_the_one_before_it_is_committed() {
    let mut scene = Scene::new();
    assert_eq!(scene.offer(A, 2), early(1, Obstacle::Gap));
    assert_eq!(scene.hold(A, 2), held(1, Obstacle::Gap));
    scene.offer(B, 1);
    assert_eq!(scene.offer(A, 2), held(1, Obstacle::Running));
    assert_eq!(committed(&scene.commit(B, 1)), (vec![2], false));
}

#[test]
fn an_event_that_is_not_granted_cannot_be_committed() {
    let mut scene = Scene::new();
    scene.hold(A, 2);
    scene.offer(A, 1);
    assert_eq!(scene.commit(A, 2), Verdict::Fenced);
    assert_eq!(scene.commit_as(A, 1, "another", 1, 1), Verdict::Fenced);
    assert_eq!(scene.key.last_seq, 0);
}

#[test]
fn two_workers_that_offer_the_same_event_do_not_both_run_it() {
    let mut scene = Scene::new();
    assert_eq!(scene.offer(A, 1), run(1, 1));
    assert_eq!(scene.offer(B, 1), early(1, Obstacle::Running));
}

#[test]
fn one_worker_is_granted_the_following_events_under_one_fence() {
    let mut scene = Scene::new();
    for seq in 1..=3 {
        assert_eq!(scene.offer(A, seq), run(1, 1));
    }
    assert_eq!(scene.offer(A, 5), early(1, Obstacle::Gap));
    assert_eq!(
        committed(&scene.commit_as(A, 1, "id-1", 1, 3)),
        (vec![], false)
    );
    assert_eq!(
        committed(&scene.commit_as(A, 2, "id-2", 1, 3)),
        (vec![], false)
    );
    assert_eq!(
        committed(&scene.commit_as(A, 3, "id-3", 1, 3)),
        (vec![], true)
    );
}

#[test]
fn a_key_begins_where_the_policy_says() {
    let mut scene = Scene::with(|policy| policy.first_seq = 100);
    assert_eq!(scene.offer(A, 101), early(100, Obstacle::Gap));
    assert_eq!(scene.offer(A, 99), Verdict::Stale);
    assert_eq!(scene.offer(A, 100), run_from(100, 1, 1));
}

#[test]
fn the_last_seq_there_is_can_be_committed() {
    let last = Seq::MAX.get();
    let mut scene = Scene::with(|policy| policy.first_seq = last);
    assert_eq!(scene.offer(A, last), run_from(last, 1, 1));
    assert_eq!(committed(&scene.commit(A, last)), (vec![], true));
    assert_eq!(scene.offer(A, last), Verdict::Duplicate);
}

/// "An off-by-one in the staleness test dropped 14 % of first deliveries."
#[test]
fn the_event_right_after_the_last_committed_one_is_never_stale() {
    let mut scene = Scene::new();
    scene.process(A, 7);
    scene.now += 100 * 24 * 60 * 60 * 1_000;
    assert_eq!(scene.offer(A, 7), Verdict::Stale);
    assert!(matches!(scene.offer(A, 8), Verdict::Run(_)));
}

/// "Held events in process memory: with two workers the held one is never released."
#[test]
fn what_one_worker_held_is_handed_to_the_worker_that_commits_before_it() {
    let mut scene = Scene::new();
    scene.hold(B, 2);
    scene.hold(B, 3);
    scene.offer(A, 1);
    assert_eq!(committed(&scene.commit(A, 1)), (vec![2, 3], false));
}

#[test]
fn a_lane_gets_no_deeper_than_the_policy_says() {
    let mut scene = Scene::with(|policy| policy.lane_depth = 2);
    scene.offer(A, 1);
    scene.offer(A, 2);
    assert_eq!(scene.offer(A, 3), early(1, Obstacle::LaneFull));
    assert_eq!(scene.hold(A, 3), held(1, Obstacle::LaneFull));
    scene.hold(A, 4);
    assert_eq!(
        committed(&scene.commit_as(A, 1, "id-1", 1, 2)),
        (vec![3], false)
    );
}

#[test]
fn a_commit_hands_back_no_more_than_the_policy_says() {
    let mut scene = Scene::with(|policy| policy.next_events = 2);
    for seq in 2..=5 {
        scene.hold(A, seq);
    }
    scene.offer(A, 1);
    assert_eq!(committed(&scene.commit(A, 1)), (vec![2, 3], false));
    assert_eq!(
        committed(&scene.commit_as(A, 2, "id-2", 1, 3)),
        (vec![4, 5], false)
    );
}

#[test]
fn the_bytes_of_a_commit_are_bounded_but_never_below_one_event() {
    let mut scene = Scene::with(|policy| policy.next_bytes = 20);
    for (seq, bytes) in [(2, 10), (3, 10), (4, 1), (5, 500), (6, 1)] {
        scene.hold_bytes(A, seq, bytes);
    }
    scene.offer(A, 1);
    assert_eq!(committed(&scene.commit(A, 1)), (vec![2, 3], false));
    assert_eq!(
        committed(&scene.commit_as(A, 2, "id-2", 1, 3)),
        (vec![4], false)
    );
    assert_eq!(
        committed(&scene.commit_as(A, 3, "id-3", 1, 4)),
        (vec![5], false)
    );
}

/// A grant that the worker never hears of would stop the key for as long as that worker lives.
#[test]
fn limits_of_zero_hand_out_one_event_and_do_not_stall() {
    let mut scene = Scene::with(|policy| {
        policy.lane_depth = 0;
        policy.next_events = 0;
        policy.next_bytes = 0;
    });
    scene.hold(A, 2);
    scene.hold(A, 3);
    scene.offer(A, 1);
    assert_eq!(committed(&scene.commit(A, 1)), (vec![2], false));
    assert_eq!(committed(&scene.commit(A, 2)), (vec![3], false));
    assert_eq!(committed(&scene.commit(A, 3)), (vec![], true));
}

#[test]
fn a_claim_takes_what_is_held_at_the_head_and_nothing_behind_a_gap() {
    let mut scene = Scene::new();
    for seq in [2, 3, 5] {
        scene.hold(A, seq);
    }
    scene.offer(A, 1);
    scene.commit(A, 1);
    scene.release(A);
    assert!(scene.swept());
    assert_eq!(claimed(&scene.claim(B)), (vec![2, 3], 1));
    assert_eq!(scene.claim(A), Verdict::Idle);
}

#[test]
fn a_claim_of_a_key_with_nothing_to_run_changes_nothing() {
    let mut scene = Scene::new();
    scene.hold(A, 2);
    let before = scene.key.clone();
    assert!(!scene.swept());
    assert_eq!(scene.claim(A), Verdict::Idle);
    assert_eq!(scene.key, before);
}

#[test]
fn a_released_key_counts_no_attempt() {
    let mut scene = Scene::new();
    scene.offer(A, 1);
    assert_eq!(scene.release(A), Verdict::Released);
    assert_eq!(scene.key.attempts, 0);
    assert_eq!(scene.offer(B, 1), run(2, 1));
}

/// What it says it has and was never granted would otherwise be skipped, and the grants be out of step with their seqs.
#[test]
fn a_worker_that_says_it_has_more_than_it_was_granted_is_handed_what_comes_next() {
    let mut scene = Scene::new();
    scene.hold(B, 3);
    scene.hold(B, 4);
    scene.offer(A, 1);
    scene.offer(A, 2);
    let (fence, have) = (scene.key.fence.0, 3);
    assert_eq!(
        committed(&scene.commit_as(A, 1, "id-1", fence, have)),
        (vec![3, 4], false)
    );
    let granted: Vec<&str> = scene
        .key
        .claim
        .as_ref()
        .unwrap()
        .granted
        .iter()
        .map(|granted| granted.id.as_str())
        .collect();
    assert_eq!(granted, ["id-2", "id-3", "id-4"]);
}
