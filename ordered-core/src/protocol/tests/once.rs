use std::time::Duration;

use super::scene::{A, B, Scene, committed, early, event, run, run_from};
use crate::event::{Envelope, EventId};
use crate::protocol::{Action, Fence, Grant, Obstacle, Verdict};

fn conflict(recorded: &str) -> Verdict {
    let recorded = EventId::new(recorded).unwrap();
    Verdict::Conflict { recorded }
}

#[test]
fn an_event_that_was_committed_is_a_duplicate() {
    let mut scene = Scene::new();
    scene.process(A, 1);
    assert_eq!(scene.offer(A, 1), Verdict::Duplicate);
    assert_eq!(scene.offer(B, 1), Verdict::Duplicate);
}

/// "Mark before handling: the redelivery is a duplicate, and the event is gone."
#[test]
fn an_event_that_was_granted_and_not_committed_is_no_duplicate() {
    let mut scene = Scene::new();
    scene.offer(A, 1);
    assert_eq!(scene.offer(A, 1), run(1, 1));
    scene.crash(A);
    assert_eq!(scene.offer(B, 1), run(2, 2));
}

/// "Mark after handling, crash in between: double effect, and nobody says so."
#[test]
fn the_second_run_after_a_crash_says_that_it_is_the_second() {
    let mut scene = Scene::new();
    scene.offer(A, 1);
    scene.crash(A);
    let Verdict::Run(Grant { fence, attempt, .. }) = scene.offer(B, 1) else {
        panic!("it runs again");
    };
    assert_eq!((fence, attempt), (Fence(2), 2));
}

#[test]
fn another_event_under_a_committed_seq_is_a_conflict() {
    let mut scene = Scene::new();
    scene.process(A, 2);
    assert_eq!(scene.offer_as(A, 1, "imposter"), conflict("id-1"));
    assert_eq!(scene.offer_as(A, 2, "imposter"), conflict("id-2"));
}

#[test]
fn another_event_under_a_held_seq_is_a_conflict() {
    let mut scene = Scene::new();
    scene.hold(A, 3);
    assert_eq!(scene.offer_as(B, 3, "imposter"), conflict("id-3"));
    let hold = Action::Hold(event(3, "imposter"), Envelope::new("x"));
    assert_eq!(scene.say(B, &hold), conflict("id-3"));
}

#[test]
fn another_event_under_a_granted_seq_is_a_conflict() {
    let mut scene = Scene::new();
    scene.offer(A, 1);
    scene.offer(A, 2);
    assert_eq!(scene.offer_as(A, 1, "imposter"), conflict("id-1"));
    assert_eq!(scene.offer_as(B, 2, "imposter"), conflict("id-2"));
}

#[test]
fn an_id_that_comes_back_under_a_new_seq_moves_the_key_on_without_a_run() {
    let mut scene = Scene::new();
    scene.process(A, 1);
    let repeat = Verdict::Run(Grant {
        fence: Fence(2),
        front: 2,
        attempt: 1,
        repeat: true,
    });
    assert_eq!(scene.offer_as(A, 2, "id-1"), repeat);
    committed(&scene.commit_as(A, 2, "id-1", 2, 2));
    assert_eq!(scene.key.last_seq, 2);
    assert_eq!(scene.offer(A, 3), run_from(3, 3, 1));
}

#[test]
fn a_held_event_whose_id_was_committed_meanwhile_is_handed_out_as_a_repeat() {
    let mut scene = Scene::new();
    let hold = Action::Hold(event(2, "id-1"), Envelope::new("x"));
    scene.say(A, &hold);
    scene.offer(A, 1);
    let Verdict::Committed { next, .. } = scene.commit(A, 1) else {
        panic!("it is committed");
    };
    assert!(next[0].repeat);
}

#[test]
fn an_id_that_was_committed_is_a_duplicate_under_any_past_seq() {
    let mut scene = Scene::new();
    scene.process(A, 3);
    assert_eq!(scene.offer_as(A, 1, "id-3"), Verdict::Duplicate);
}

#[test]
fn what_is_forgotten_is_stale_and_never_runs_again() {
    let mut scene = Scene::with(|policy| policy.dedup_ttl = Duration::from_millis(100));
    scene.process(A, 2);
    scene.now += 99;
    assert_eq!(scene.offer(A, 2), Verdict::Duplicate);
    assert_eq!(scene.offer_as(A, 2, "imposter"), conflict("id-2"));
    scene.now += 1;
    assert_eq!(scene.offer(A, 2), Verdict::Stale);
    assert_eq!(scene.offer_as(A, 2, "imposter"), Verdict::Stale);
    assert_eq!(scene.key.done.len() + scene.key.done_ids.len(), 0);
}

/// "last_seq expires: a cold key accepts anything, or starts over."
#[test]
fn the_last_seq_is_kept_for_good() {
    let mut scene = Scene::new();
    scene.process(A, 2);
    scene.now += 10 * 365 * 24 * 60 * 60 * 1_000;
    assert_eq!(scene.offer(A, 1), Verdict::Stale);
    assert_eq!(scene.offer(A, 4), early(3, Obstacle::Gap));
}

/// "The dedup TTL counts from first sight and is never refreshed."
#[test]
fn an_event_is_remembered_from_its_commit_on() {
    let mut scene = Scene::with(|policy| policy.dedup_ttl = Duration::from_millis(100));
    scene.offer(A, 1);
    scene.now += 90;
    scene.commit(A, 1);
    scene.now += 90;
    assert_eq!(scene.offer(A, 1), Verdict::Duplicate);
    assert!(matches!(scene.offer_as(A, 2, "id-1"), Verdict::Run(grant) if grant.repeat));
    scene.commit_as(A, 2, "id-1", scene.key.fence.0, 2);
    scene.now += 90;
    assert_eq!(
        scene.offer(A, 1),
        Verdict::Duplicate,
        "its second commit counts"
    );
}

/// "One record for in progress and done."
#[test]
fn an_event_that_failed_leaves_no_record_of_being_done() {
    let mut scene = Scene::new();
    scene.offer(A, 1);
    scene.postpone(A, 1, 1, 50);
    assert!(scene.key.done.is_empty() && scene.key.done_ids.is_empty());
    scene.now += 50;
    assert!(matches!(scene.offer(B, 1), Verdict::Run(grant) if !grant.repeat));
}
