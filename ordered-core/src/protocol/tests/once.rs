//! An event commits once, and what an event is that comes again.

use std::time::Duration;

use super::scene::{Scene, id, id_of};
use crate::protocol::Verb;
use crate::protocol::{Placement, SKIPPED_RANGES};
use crate::store::Slot;

const DAY: u64 = 24 * 60 * 60 * 1_000;

#[test]
fn an_event_that_was_committed_is_a_duplicate() {
    let mut scene = Scene::new();
    scene.process(2);
    assert_eq!(scene.place(1, &id_of(1)), Placement::Duplicate);
    assert_eq!(scene.place(2, &id_of(2)), Placement::Duplicate);
    assert_eq!(scene.place(3, &id_of(3)), Placement::Ahead);
}

#[test]
fn an_event_that_was_not_committed_is_no_duplicate() {
    let mut scene = Scene::new();
    assert_eq!(scene.place(1, &id_of(1)), Placement::Ahead);
    scene.fail(1, |transition, run| transition.retry(run));
    assert_eq!(scene.place(1, &id_of(1)), Placement::Ahead);
    assert!(scene.remembered.is_empty());
}

#[test]
fn another_event_under_a_committed_seq_is_a_conflict() {
    let mut scene = Scene::new();
    scene.process(2);
    assert_eq!(scene.place(1, &id("imposter")), Placement::Conflict);
    assert_eq!(scene.place(2, &id("imposter")), Placement::Conflict);
}

#[test]
fn an_event_under_a_held_seq_is_compared_with_what_is_there() {
    let mut scene = Scene::new();
    scene.hold(3);
    let placement = Placement::Compare(Slot::Held(3));
    assert_eq!(scene.place(3, &id("imposter")), placement);
    assert_eq!(scene.place(3, &id_of(3)), placement);
}

#[test]
fn an_id_that_was_committed_is_a_duplicate_under_any_past_seq_and_ahead_under_a_new_one() {
    let mut scene = Scene::new();
    scene.process(3);
    assert_eq!(scene.place(1, &id_of(3)), Placement::Duplicate);
    assert_eq!(scene.place(4, &id_of(3)), Placement::Ahead);
}

#[test]
fn what_is_forgotten_is_stale_and_never_runs_again() {
    let mut scene = Scene::with(|policy| policy.dedup_ttl = Duration::from_secs(100));
    scene.process(2);
    scene.now += 99_999;
    assert_eq!(scene.place(2, &id_of(2)), Placement::Duplicate);
    assert_eq!(scene.place(2, &id("imposter")), Placement::Conflict);
    scene.now += 1;
    assert_eq!(scene.place(2, &id_of(2)), Placement::Stale);
    assert_eq!(scene.place(2, &id("imposter")), Placement::Stale);
}

/// "last_seq expires: a cold key accepts anything, or starts over."
#[test]
fn the_last_seq_is_kept_permanently() {
    let mut scene = Scene::new();
    scene.process(7);
    scene.now += 3_650 * DAY;
    assert_eq!(scene.place(7, &id_of(7)), Placement::Stale);
    assert_eq!(scene.place(8, &id_of(8)), Placement::Ahead);
}

#[test]
fn a_key_begins_where_the_policy_says() {
    let scene = Scene::with(|policy| policy.first_seq = 100);
    assert_eq!(scene.state.head(), 100);
    assert_eq!(scene.place(99, &id_of(99)), Placement::Stale);
    assert_eq!(scene.place(100, &id_of(100)), Placement::Ahead);
}

/// "The dedup TTL counts from first sight and is never refreshed."
#[test]
fn a_conflict_is_recognised_for_as_long_as_the_id_is_surely_remembered() {
    let mut scene = Scene::with(|policy| policy.dedup_ttl = Duration::from_secs(80));
    for seq in 1..=20 {
        scene.commit(seq);
        scene.now += 5_000;
    }
    // The ids of 1 to 4 are forgotten; 5 was committed 80 seconds ago.
    for seq in 1..=20 {
        let (same, other) = (
            scene.place(seq, &id_of(seq)),
            scene.place(seq, &id("other")),
        );
        match same {
            Placement::Duplicate => assert!(
                other == Placement::Conflict || seq <= 6,
                "{seq} is {other:?}: an anchor may be no older than an eighth of the time"
            ),
            Placement::Stale => assert_eq!(other, Placement::Stale, "{seq}"),
            placement => panic!("{seq} is {placement:?}"),
        }
    }
    assert!(scene.state.anchors.len() <= 9);
}

#[test]
fn what_was_skipped_comes_late_as_long_as_that_is_remembered() {
    let mut scene = Scene::with(|policy| policy.dedup_ttl = Duration::from_secs(100));
    scene.process(1);
    scene.operate(&Verb::SetLast { to: 5 }).unwrap();
    assert_eq!(scene.place(3, &id_of(3)), Placement::Late);
    scene.now += 100_000;
    assert_eq!(scene.place(3, &id_of(3)), Placement::Stale);
}

#[test]
fn only_so_many_skipped_ranges_are_remembered() {
    let mut scene = Scene::new();
    for seq in 1..=100 {
        scene.hold(2 * seq);
        scene.operate(&Verb::Skip { to: None }).unwrap();
        scene.commit(2 * seq);
    }
    assert_eq!(scene.state.skipped.len(), SKIPPED_RANGES);
    assert_eq!(scene.place(199, &id_of(199)), Placement::Late);
}

#[test]
fn a_dead_letter_is_a_duplicate_and_another_event_under_its_seq_is_compared() {
    let mut scene = Scene::new();
    scene.dead_letter(1);
    assert_eq!(scene.place(1, &id_of(1)), Placement::Duplicate);
    let slot = Slot::Dead { epoch: 0, seq: 1 };
    assert_eq!(scene.place(1, &id("imposter")), Placement::Compare(slot));
}

#[test]
fn a_held_event_that_is_committed_leaves_the_mailbox() {
    let mut scene = Scene::new();
    scene.hold(2);
    scene.commit(1);
    assert!(scene.state.is_ready());
    scene.commit(2);
    assert!(scene.mailbox.is_empty());
    assert!(scene.state.is_idle());
}
