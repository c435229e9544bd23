//! Workers die with a key.

use super::scene::{Scene, id_of};
use crate::protocol::Phase;
use crate::protocol::{Verb, WorkerId};

fn die(scene: &mut Scene) {
    scene.change(|transition| transition.owner_died("worker-a"));
}

fn die_on_trial(scene: &mut Scene) {
    scene.change(|transition| transition.begin_trial());
    die(scene);
}

#[test]
fn one_death_may_be_chance_and_two_make_a_suspect() {
    let mut scene = Scene::new();
    die(&mut scene);
    assert!(!scene.state.is_suspect());
    assert_eq!(scene.state.last_error, None);
    die(&mut scene);
    assert!(scene.state.is_suspect());
    assert_eq!(scene.state.next_attempt(), 3);
    let last = scene.state.last_error.clone().unwrap();
    assert!(last.error.contains("worker-a died"), "{}", last.error);
}

#[test]
fn outside_kills_halt_no_key_however_many_there_are() {
    let mut scene = Scene::with(|policy| policy.max_crashes = 2);
    (0..100).for_each(|_| die(&mut scene));
    assert_eq!(scene.state.phase, Phase::Open);
    assert_eq!(scene.state.crashes, 0);
}

#[test]
fn only_deaths_on_trial_count_and_max_crashes_of_them_halt_the_key() {
    let mut scene = Scene::with(|policy| policy.max_crashes = 3);
    scene.hold(1);
    die(&mut scene);
    die(&mut scene);
    die_on_trial(&mut scene);
    die_on_trial(&mut scene);
    assert!(scene.state.is_suspect());
    die_on_trial(&mut scene);
    assert_eq!(scene.state.phase, Phase::Halted { since: scene.now });
    let last = scene.state.last_error.clone().unwrap();
    assert!(last.error.contains("ran this event alone"));
}

#[test]
fn a_trial_that_was_not_begun_after_all_counts_nothing() {
    let mut scene = Scene::with(|policy| policy.max_crashes = 1);
    scene.change(|transition| {
        transition.begin_trial();
        transition.cancel_trial();
    });
    die(&mut scene);
    assert_eq!((scene.state.crashes, scene.state.unfinished), (0, 1));
    assert_eq!(scene.state.phase, Phase::Open);
}

fn with_a_replay(policy: impl FnOnce(&mut crate::protocol::Policy)) -> Scene {
    let mut scene = Scene::with(policy);
    scene.dead_letter(1);
    scene.hold(2);
    scene.operate(&Verb::Replay { seq: None }).unwrap();
    die(&mut scene);
    die(&mut scene);
    assert!(scene.state.is_suspect());
    scene
}

#[test]
fn a_replay_that_kills_its_workers_is_a_dead_letter_again_and_the_head_is_not_blamed() {
    let mut scene = with_a_replay(|policy| policy.max_attempts = Some(3));
    for deaths in 1..=2 {
        die_on_trial(&mut scene);
        assert_eq!(scene.state.replays.get(&1), Some(&deaths));
        assert!(scene.state.is_suspect());
    }
    die_on_trial(&mut scene);
    assert!(scene.state.replays.is_empty() && scene.state.is_dead(1));
    assert!(!scene.state.is_suspect());
    assert_eq!((scene.state.crashes, scene.state.phase), (0, Phase::Open));
}

#[test]
fn a_replay_that_comes_to_an_end_is_no_suspect_any_more() {
    let mut scene = with_a_replay(|_| {});
    scene.change(|transition| transition.begin_trial());
    let id = id_of(1);
    scene.change(|transition| {
        transition.commit(crate::protocol::Subject {
            seq: 1,
            id: &id,
            stored: true,
            replay: true,
        });
    });
    assert!(!scene.state.is_suspect() && !scene.state.on_trial);
    assert_eq!(scene.state.last_seq, 1);
}

#[test]
fn a_suspect_that_comes_to_an_end_is_none_any_more() {
    let mut scene = Scene::new();
    die(&mut scene);
    die(&mut scene);
    scene.change(|transition| transition.begin_trial());
    scene.fail(1, |transition, run| transition.retry(run));
    assert!(!scene.state.is_suspect() && !scene.state.on_trial);
    die(&mut scene);
    die(&mut scene);
    assert!(scene.state.is_suspect());
    scene.commit(1);
    assert!(!scene.state.is_suspect());
    assert_eq!(scene.state.next_attempt(), 1);
}

#[test]
fn suspects_are_listed_by_when_they_were_tried_last() {
    let mut scene = Scene::new();
    scene.hold(1);
    die(&mut scene);
    die(&mut scene);
    let due = |scene: &Scene| {
        let listing = scene
            .state
            .listing(&scene.policy, Default::default(), scene.now);
        listing.due
    };
    assert_eq!(due(&scene), Some(0), "never tried: first");
    die_on_trial(&mut scene);
    assert_eq!(due(&scene), Some(scene.now));
    scene.now -= 5_000;
    assert_eq!(due(&scene), Some(scene.now), "the clock stepped back");
}

#[test]
fn an_operator_acquits_a_suspect_by_retrying_it() {
    let mut scene = Scene::new();
    scene.hold(1);
    die(&mut scene);
    die(&mut scene);
    let effect = scene.operate(&Verb::Retry).unwrap();
    assert_eq!(effect.released, [1]);
    assert!(!scene.state.is_suspect());
    assert!(
        scene.state.last_error.is_some(),
        "what went wrong stays to be seen"
    );
}

#[test]
fn what_failed_and_waits_for_its_next_attempt_is_no_suspect() {
    let mut scene = Scene::new();
    for _ in 0..4 {
        scene.postpone(1, 100);
        scene.now += 100;
        scene.change(|transition| transition.wake());
        assert!(scene.state.is_ready() && !scene.state.is_suspect());
    }
    assert_eq!(scene.state.next_attempt(), 5);
    assert!(!scene.remembered.contains_key(&id_of(1)));
}

#[test]
fn operators_are_told_from_workers_by_their_names() {
    let operator = WorkerId::operator("ada", 7);
    assert!(operator.is_operator());
    assert_eq!(operator.as_str(), "operator:ada:0000000000000007");
    assert!(!WorkerId::new("worker-a").is_operator());
}
