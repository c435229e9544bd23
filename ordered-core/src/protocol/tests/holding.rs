use super::scene::{A, B, Scene, committed, early, event, held, run};
use crate::event::Envelope;
use crate::protocol::{Action, Obstacle, Quota, QuotaLimit, Verdict};

#[test]
fn an_offer_keeps_nothing_and_a_hold_keeps_the_payload() {
    let mut scene = Scene::new();
    assert_eq!(scene.offer(A, 2), early(1, Obstacle::Gap));
    assert!(scene.key.held.is_empty());
    assert_eq!(scene.hold(A, 2), held(1, Obstacle::Gap));
    assert_eq!(
        scene.offer(B, 2),
        held(1, Obstacle::Gap),
        "it is there already"
    );
    assert_eq!((scene.bucket.held_events, scene.bucket.held_bytes), (1, 10));
}

#[test]
fn a_hold_of_an_event_that_may_run_runs_it() {
    let mut scene = Scene::new();
    assert_eq!(scene.hold(A, 1), run(1, 1));
    assert!(scene.key.held.is_empty());
}

#[test]
fn a_committed_event_is_held_no_more() {
    let mut scene = Scene::new();
    scene.hold(A, 2);
    scene.offer(A, 1);
    scene.commit(A, 1);
    assert_eq!(committed(&scene.commit(A, 2)), (vec![], true));
    assert!(scene.key.held.is_empty());
    assert_eq!((scene.bucket.held_events, scene.bucket.held_bytes), (0, 0));
    assert_eq!(scene.key.held_bytes, 0);
}

#[test]
fn an_event_that_comes_again_while_it_is_held_and_granted_runs_once_and_frees_its_place() {
    let mut scene = Scene::new();
    scene.hold(B, 2);
    scene.offer(A, 1);
    assert_eq!(scene.offer(A, 2), run(1, 1));
    assert_eq!(
        committed(&scene.commit_as(A, 1, "id-1", 1, 2)),
        (vec![], false)
    );
    committed(&scene.commit(A, 2));
    assert!(scene.key.held.is_empty());
}

fn full_at(change: impl FnOnce(&mut Quota, &mut Quota)) -> (Verdict, Verdict) {
    let mut scene = Scene::with(|policy| change(&mut policy.key_quota, &mut policy.group_quota));
    scene.hold(A, 3);
    scene.hold(A, 4);
    (scene.hold(A, 5), scene.offer(A, 5))
}

#[test]
fn each_quota_is_told() {
    let waiting = early(1, Obstacle::Gap);
    let cases = [
        (full_at(|key, _| key.events = 2), QuotaLimit::KeyEvents),
        (full_at(|key, _| key.bytes = 29), QuotaLimit::KeyBytes),
        (
            full_at(|_, group| group.events = 2),
            QuotaLimit::GroupEvents,
        ),
        (full_at(|_, group| group.bytes = 29), QuotaLimit::GroupBytes),
    ];
    for ((hold, offer), limit) in cases {
        assert_eq!(hold, Verdict::HoldFull(limit));
        assert_eq!(offer, waiting);
    }
}

#[test]
fn a_quota_can_be_used_up_to_its_last_byte() {
    let (hold, _) = full_at(|key, group| (key.bytes, group.bytes) = (30, 30));
    assert_eq!(hold, held(1, Obstacle::Gap));
}

/// A key whose head is refused would wait for it for ever.
#[test]
fn the_head_is_held_whatever_the_quota_says() {
    let mut scene = Scene::with(|policy| policy.key_quota.events = 1);
    scene.hold(A, 2);
    scene.offer(B, 1);
    scene.postpone(B, 1, 1, 100);
    assert!(scene.key.held.contains_key(&1), "the failed head");
    let mut scene = Scene::with(|policy| policy.group_quota.bytes = 5);
    scene.offer(B, 1);
    assert_eq!(scene.hold(A, 1), held(1, Obstacle::Running));
}

#[test]
fn a_full_key_still_says_what_is_held_already() {
    let mut scene = Scene::with(|policy| policy.key_quota.events = 1);
    scene.hold(A, 2);
    assert_eq!(scene.hold(B, 2), held(1, Obstacle::Gap));
    let hold = Action::Hold(event(3, "id-3"), Envelope::new(""));
    assert_eq!(
        scene.say(A, &hold),
        Verdict::HoldFull(QuotaLimit::KeyEvents)
    );
}

#[test]
fn a_share_of_a_quota_is_never_nothing() {
    let quota = Quota {
        events: 10,
        bytes: 3,
    };
    let share = quota.share(16);
    assert_eq!((share.events, share.bytes), (1, 1));
    assert_eq!(quota.share(0), quota);
}
