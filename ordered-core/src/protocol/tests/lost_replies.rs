//! "Executed, but the reply was lost": the same worker says the same again and gets the same answer, and the state
//! is what it was after the first time.

use super::scene::{A, B, Scene, event, id_of};
use crate::event::Envelope;
use crate::protocol::{Action, Fence, Verdict};

fn twice(scene: &mut Scene, act: impl Fn(&mut Scene) -> Verdict) -> Verdict {
    let first = act(scene);
    let (key, bucket) = (scene.key.clone(), scene.bucket.clone());
    assert_eq!(act(scene), first);
    assert_eq!(scene.key, key);
    assert_eq!(scene.bucket, bucket);
    first
}

#[test]
fn an_offer() {
    let mut scene = Scene::new();
    assert!(matches!(
        twice(&mut scene, |scene| scene.offer(A, 1)),
        Verdict::Run(_)
    ));
    assert!(matches!(
        twice(&mut scene, |scene| scene.offer(A, 2)),
        Verdict::Run(_)
    ));
    assert!(matches!(
        twice(&mut scene, |scene| scene.offer(A, 4)),
        Verdict::Early(_)
    ));
}

#[test]
fn an_offer_that_halts_the_key() {
    let mut scene = Scene::with(|policy| policy.max_attempts = 1);
    scene.offer(A, 1);
    scene.crash(A);
    assert!(matches!(
        twice(&mut scene, |scene| scene.offer(B, 1)),
        Verdict::Early(_)
    ));
}

#[test]
fn a_hold() {
    let mut scene = Scene::new();
    assert!(matches!(
        twice(&mut scene, |scene| scene.hold(A, 3)),
        Verdict::Held(_)
    ));
}

#[test]
fn a_commit_that_ends_the_claim() {
    let mut scene = Scene::new();
    scene.offer(A, 1);
    assert!(matches!(
        twice(&mut scene, |scene| scene.commit(A, 1)),
        Verdict::Committed { front: None, .. }
    ));
}

#[test]
fn a_commit_that_hands_out_held_events() {
    let mut scene = Scene::with(|policy| policy.next_events = 2);
    for seq in 2..=6 {
        scene.hold(B, seq);
    }
    scene.offer(A, 1);
    let verdict = twice(&mut scene, |scene| scene.commit_as(A, 1, &id_of(1), 1, 1));
    let Verdict::Committed { next, .. } = verdict else {
        panic!("it is committed");
    };
    assert_eq!(next.len(), 2);
}

/// The lane went on to the next event meanwhile: the claim is the same, and so is what can be handed out.
#[test]
fn a_commit_that_is_repeated_after_the_next_one() {
    let mut scene = Scene::new();
    scene.offer(A, 1);
    scene.offer(A, 2);
    scene.commit_as(A, 1, &id_of(1), 1, 2);
    scene.commit_as(A, 2, &id_of(2), 1, 2);
    assert!(matches!(
        scene.commit_as(A, 1, &id_of(1), 1, 2),
        Verdict::Committed { .. }
    ));
    assert_eq!(scene.key.last_seq, 2);
}

#[test]
fn a_commit_after_which_another_worker_was_granted_the_key_is_fenced() {
    let mut scene = Scene::new();
    scene.offer(A, 1);
    scene.commit(A, 1);
    scene.offer(B, 2);
    assert_eq!(scene.commit_as(A, 1, &id_of(1), 1, 1), Verdict::Fenced);
}

#[test]
fn a_retry() {
    let mut scene = Scene::new();
    scene.offer(A, 1);
    twice(&mut scene, |scene| scene.retry(A, 1, 1));
    assert_eq!(scene.key.attempts, 2);
}

#[test]
fn a_postponement() {
    let mut scene = Scene::new();
    scene.offer(A, 1);
    let verdict = twice(&mut scene, |scene| scene.postpone(A, 1, 1, 100));
    assert!(matches!(verdict, Verdict::Postponed { .. }));
    scene.now += 30;
    assert_eq!(
        scene.postpone(A, 1, 1, 100),
        verdict,
        "the time does not move"
    );
}

#[test]
fn a_halt() {
    let mut scene = Scene::new();
    scene.offer(A, 1);
    assert_eq!(
        twice(&mut scene, |scene| scene.halt(A, 1, 1)),
        Verdict::Halted
    );
}

#[test]
fn a_release() {
    let mut scene = Scene::new();
    scene.offer(A, 1);
    scene.retry(A, 1, 1);
    assert_eq!(
        twice(&mut scene, |scene| scene.release(A)),
        Verdict::Released
    );
    assert_eq!(scene.key.attempts, 1);
}

#[test]
fn a_claim() {
    let mut scene = Scene::new();
    scene.offer(A, 1);
    scene.postpone(A, 1, 1, 0);
    scene.hold(B, 2);
    let verdict = twice(&mut scene, |scene| scene.claim(B));
    assert!(matches!(verdict, Verdict::Claimed { attempt: 2, .. }));
}

#[test]
fn a_command_under_a_fence_that_never_was_changes_nothing() {
    let mut scene = Scene::new();
    scene.offer(A, 1);
    let before = scene.key.clone();
    let fence = Fence(99);
    let mut attempt = scene.attempt(1, 1);
    attempt.fence = fence;
    let event = event(1, &id_of(1));
    for action in [
        Action::Commit {
            event,
            fence,
            have: 1,
        },
        Action::Retry(attempt.clone()),
        Action::Halt(attempt, Envelope::new("x")),
        Action::Release { fence },
    ] {
        assert_eq!(scene.say(A, &action), Verdict::Fenced);
    }
    assert_eq!(scene.key, before);
}
