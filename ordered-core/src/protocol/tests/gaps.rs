//! What waits for an event that has not come, and what will never come.

use std::time::Duration;

use super::scene::{Scene, id_of, seq};
use crate::protocol::{ABSENT_RANGES, Phase, Placement, RepairAsked};
use crate::protocol::{GapPolicy, Start, Verb};
use crate::store::{Listing, NEVER_DUE};

const AFTER: Duration = Duration::from_secs(10);

fn skipping() -> Scene {
    Scene::with(|policy| policy.on_gap = GapPolicy::Skip { after: AFTER })
}

/// Returns what is to be asked for.
fn end_gap(scene: &mut Scene) -> Option<(u64, u64)> {
    scene.change(|transition| {
        transition.watch_gap(false);
        transition.end_gap_if_over("worker-a");
        transition.watch_gap(false);
        let wanted = transition.repair.pop();
        wanted.map(|wanted| (wanted.from, wanted.to))
    })
}

fn fill(scene: &mut Scene, from: u64, to: u64) -> bool {
    scene.change(|transition| transition.fill(from, to, []))
}

fn listing(scene: &Scene) -> Listing {
    scene
        .state
        .listing(&scene.policy, Listing::default(), scene.now)
}

#[test]
fn a_filled_range_is_passed_once_its_turn_has_come() {
    let mut scene = Scene::new();
    assert!(fill(&mut scene, 3, 5));
    assert_eq!(scene.state.last_seq, 0);
    scene.process(2);
    assert_eq!(scene.state.last_seq, 5);
    assert_eq!(scene.place(4, &id_of(4)), Placement::Late);
    assert!(scene.state.absent.is_empty());
}

#[test]
fn what_is_here_all_the_same_is_handled_in_its_place() {
    let mut scene = Scene::new();
    scene.hold(4);
    scene.change(|transition| assert!(transition.fill(1, 6, [2])));
    assert_eq!(scene.state.last_seq, 1);
    scene.commit(2);
    assert_eq!(scene.state.last_seq, 3);
    scene.commit(4);
    assert_eq!(scene.state.last_seq, 6);
}

#[test]
fn an_event_that_comes_after_its_seq_was_filled_is_handled_in_its_place() {
    let mut scene = Scene::new();
    fill(&mut scene, 3, 5);
    scene.hold(4);
    scene.process(2);
    assert_eq!(scene.state.last_seq, 3);
    scene.process(4);
    assert_eq!(scene.state.last_seq, 5);
}

#[test]
fn what_was_discarded_is_passed_even_if_it_came_again() {
    let mut scene = Scene::new();
    scene.hold(3);
    scene.operate(&Verb::Discard { seq: seq(3) }).unwrap();
    scene.post(3, &id_of(3));
    scene.change(|transition| assert!(transition.fill(1, 4, [3])));
    assert_eq!(scene.state.last_seq, 4);
}

#[test]
fn a_fill_of_what_is_past_changes_nothing() {
    let mut scene = Scene::new();
    scene.process(5);
    let before = scene.state.clone();
    assert!(fill(&mut scene, 2, 5));
    assert_eq!(scene.state, before);
}

#[test]
fn only_so_many_ranges_are_noted_and_what_touches_one_is_none_of_its_own() {
    let mut scene = Scene::new();
    for range in 1..=ABSENT_RANGES as u64 {
        assert!(fill(&mut scene, 10 * range, 10 * range + 1));
    }
    let before = scene.state.clone();
    assert!(!fill(&mut scene, 5, 6));
    assert_eq!(scene.state, before);
    assert!(fill(&mut scene, 12, 13));
}

#[test]
fn a_key_waits_for_a_gap_from_the_moment_that_later_events_wait() {
    let mut scene = Scene::new();
    assert_eq!(scene.state.gap_since, None);
    scene.hold(3);
    let since = scene.now;
    scene.now += 500;
    scene.hold(4);
    assert_eq!(scene.state.gap_since, Some(since));
    scene.commit(1);
    scene.change(|transition| transition.watch_gap(false));
    assert_eq!(
        scene.state.gap_since,
        Some(scene.now),
        "it waits for another one now"
    );
    scene.commit(2);
    scene.change(|transition| transition.watch_gap(false));
    assert_eq!(scene.state.gap_since, None);
}

#[test]
fn a_gap_is_skipped_after_its_time_and_not_before() {
    let mut scene = skipping();
    scene.hold(3);
    scene.now += 9_999;
    end_gap(&mut scene);
    assert_eq!(scene.state.last_seq, 0);
    assert_eq!(listing(&scene).due, Some(scene.now + 1));
    scene.now += 1;
    end_gap(&mut scene);
    assert_eq!(scene.state.last_seq, 2);
    assert_eq!(scene.place(1, &id_of(1)), Placement::Late);
    assert!(scene.state.is_ready());
}

#[test]
fn a_gap_halts_the_key_where_the_group_says_so_and_retry_waits_again() {
    let mut scene = Scene::with(|policy| policy.on_gap = GapPolicy::Halt { after: AFTER });
    scene.hold(3);
    scene.now += 10_000;
    end_gap(&mut scene);
    let since = scene.now;
    assert_eq!(scene.state.phase, Phase::Halted { since });
    let last_error = scene.state.last_error.clone().unwrap();
    assert!(last_error.error.contains("seq 1 has not come"));
    let halted = listing(&scene);
    assert_eq!((halted.due, halted.gap), (Some(NEVER_DUE), None));
    assert_eq!(halted.halted, Some(since));
    scene.now += 5_000;
    scene.operate(&Verb::Retry).unwrap();
    assert_eq!(scene.state.gap_since, Some(scene.now));
}

#[test]
fn a_missing_event_is_asked_for_again_and_again_at_growing_distances() {
    let mut scene = Scene::with(|policy| policy.on_gap = GapPolicy::Repair { after: AFTER });
    scene.hold(4);
    let mut asked = Vec::new();
    let most = u64::from(GapPolicy::MAX_DOUBLINGS);
    for second in 0..10 * (1 << (most + 3)) {
        if end_gap(&mut scene) == Some((1, 3)) {
            asked.push(second);
        }
        assert_eq!(scene.state.last_seq, 0);
        assert!(listing(&scene).due.unwrap() > scene.now);
        scene.now += 1_000;
    }
    let distances: Vec<u64> = asked.windows(2).map(|two| two[1] - two[0]).collect();
    assert_eq!(asked[0], 10);
    assert_eq!(distances[..6], [20, 40, 80, 160, 320, 640]);
    assert!(distances[6..].iter().all(|distance| *distance == 640));
    assert!(distances.len() > 8);
}

#[test]
fn what_was_asked_for_and_has_come_is_forgotten() {
    let mut scene = Scene::with(|policy| policy.on_gap = GapPolicy::Repair { after: AFTER });
    scene.hold(4);
    scene.now += 10_000;
    assert_eq!(end_gap(&mut scene), Some((1, 3)));
    let (seq, at, times) = (1, scene.now, 1);
    assert_eq!(scene.state.repair, Some(RepairAsked { seq, at, times }));
    scene.process(1);
    scene.change(|transition| transition.watch_gap(false));
    assert_eq!(scene.state.repair, None);
    let next = scene.now + 10_000;
    assert_eq!(listing(&scene).due, Some(next), "2 is a gap of its own");
    scene.now = next;
    assert_eq!(end_gap(&mut scene), Some((2, 3)));
}

/// A key that has asked for 1 to 3, and is told that these are lost.
fn told(scene: &mut Scene, range: std::ops::RangeInclusive<u64>, here: &[u64]) {
    scene.change(|transition| {
        transition.lose(range, "it was removed", here.iter().copied(), "worker-b");
    });
}

#[test]
fn a_key_halts_before_what_it_asked_for_and_is_lost() {
    let mut scene = Scene::with(|policy| policy.on_gap = GapPolicy::Repair { after: AFTER });
    scene.hold(4);
    told(&mut scene, 1..=3, &[]);
    assert_eq!(scene.state.phase, Phase::Open, "it has not asked");
    scene.now += 10_000;
    assert_eq!(end_gap(&mut scene), Some((1, 3)));
    told(&mut scene, 2..=3, &[]);
    told(&mut scene, 1..=3, &[1]);
    assert_eq!(
        scene.state.phase,
        Phase::Open,
        "1 may still come, or is here"
    );
    told(&mut scene, 1..=3, &[]);
    let since = scene.now;
    assert_eq!(scene.state.phase, Phase::Halted { since });
    let last_error = scene.state.last_error.clone().unwrap();
    assert_eq!(
        (&*last_error.error, &*last_error.worker),
        ("it was removed", "worker-b")
    );
    assert_eq!(
        (listing(&scene).due, listing(&scene).gap),
        (Some(NEVER_DUE), None)
    );
    scene.now += 50_000;
    assert_eq!(end_gap(&mut scene), None);
    // Who lets it go on has it asked for anew, and an old answer does not halt it again.
    scene.operate(&Verb::Retry).unwrap();
    told(&mut scene, 1..=3, &[]);
    assert_eq!(scene.state.phase, Phase::Open);
    scene.now += 10_000;
    assert_eq!(end_gap(&mut scene), Some((1, 3)));
}

#[test]
fn a_request_that_lies_ahead_is_cut_when_the_clock_stepped_back() {
    let mut scene = Scene::with(|policy| policy.on_gap = GapPolicy::Repair { after: AFTER });
    scene.hold(4);
    scene.now += 10_000;
    end_gap(&mut scene);
    scene.now -= 500_000;
    end_gap(&mut scene);
    assert_eq!(listing(&scene).due, Some(scene.now + 20_000));
}

#[test]
fn by_default_a_key_waits_for_ever_and_is_listed_for_operators() {
    let mut scene = Scene::new();
    scene.hold(3);
    let since = scene.now;
    scene.now += 1_000_000_000;
    end_gap(&mut scene);
    assert_eq!(scene.state.last_seq, 0);
    let listed = listing(&scene);
    assert_eq!((listed.due, listed.gap), (Some(NEVER_DUE), Some(since)));
}

#[test]
fn the_deadline_of_a_gap_is_cut_when_the_clock_stepped_back() {
    let mut scene = skipping();
    scene.hold(3);
    scene.now -= 500_000;
    end_gap(&mut scene);
    let deadline = scene.state.gap_deadline(&scene.policy);
    assert_eq!(deadline, Some(scene.now + 10_000));
}

#[test]
fn a_key_begins_with_the_smallest_seq_that_comes_within_its_time() {
    let settle = Duration::from_secs(10);
    let mut scene = Scene::with(|policy| policy.start = Start::FirstSeen { settle });
    let look = |scene: &mut Scene| {
        scene.change(|transition| {
            transition.watch_gap(false);
            transition.end_gap_if_over("w");
        });
    };
    scene.hold(58);
    look(&mut scene);
    let end = scene.now + 10_000;
    assert_eq!(scene.state.gap_deadline(&scene.policy), Some(end));
    scene.now = end - 1;
    scene.hold(57);
    scene.hold(60);
    look(&mut scene);
    assert_eq!(scene.state.head(), 1);
    scene.now = end;
    look(&mut scene);
    assert_eq!(scene.state.head(), 57);
    assert!(scene.state.is_ready() && scene.state.skipped.is_empty());
    // What is missing from there on is a gap as any other, and what lies below comes too late.
    scene.process(58);
    look(&mut scene);
    scene.now += 1_000_000;
    look(&mut scene);
    assert_eq!(scene.state.head(), 59);
    assert_eq!(scene.place(12, &id_of(12)), Placement::Stale);
}

#[test]
fn a_paused_key_skips_no_gap() {
    let mut scene = skipping();
    scene.hold(3);
    scene.operate(&Verb::Pause).unwrap();
    scene.now += 20_000;
    end_gap(&mut scene);
    assert_eq!(scene.state.last_seq, 0);
    scene.operate(&Verb::Resume).unwrap();
    end_gap(&mut scene);
    assert_eq!(scene.state.last_seq, 2);
}

#[test]
fn a_repeat_that_was_posted_does_not_restart_the_wait_for_a_gap() {
    let mut scene = skipping();
    scene.process(2);
    scene.hold(5);
    let since = scene.now;
    scene.now += 1_000;
    scene.post(1, &id_of(1));
    scene.change(|transition| transition.watch_gap(false));
    assert_eq!(scene.state.gap_since, Some(since));
    scene.now += 9_000;
    end_gap(&mut scene);
    assert_eq!(scene.state.last_seq, 4);
}

#[test]
fn an_operator_ends_no_gap_by_asking_for_what_is_missing() {
    let mut scene = Scene::with(|policy| policy.on_gap = GapPolicy::Repair { after: AFTER });
    scene.hold(3);
    scene.change(|transition| transition.watch_gap(false));
    scene.now += 10_000;
    scene.change(|transition| {
        transition.end_gap_as_operator();
        assert!(transition.repair.is_empty());
    });
    assert_eq!(scene.state.repair, None);
    scene.change(|transition| {
        transition.end_gap_if_over("w");
        assert_eq!(transition.repair.len(), 1);
    });
    assert_eq!(scene.state.repair.map(|asked| asked.times), Some(1));
}
