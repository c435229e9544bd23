//! Handlers fail: attempts, waits, halts and dead letters.

use std::time::Duration;

use super::scene::{START, Scene, id_of, seq};
use crate::protocol::Phase;
use crate::protocol::{DeadCause, Verb};
use crate::store::{Listing, NEVER_DUE, Slot};

fn due(scene: &Scene) -> Option<u64> {
    let listing = scene
        .state
        .listing(&scene.policy, Listing::default(), scene.now);
    listing.due
}

#[test]
fn a_retry_counts_the_attempt_and_keeps_the_error() {
    let mut scene = Scene::new();
    assert_eq!(scene.state.next_attempt(), 1);
    scene.fail(1, |transition, run| transition.retry(run));
    scene.now += 70;
    scene.fail(1, |transition, run| transition.retry(run));
    assert_eq!(scene.state.next_attempt(), 3);
    let last = scene.state.last_error.clone().unwrap();
    assert_eq!(last.error, "attempt 2 failed");
    assert_eq!((last.first_at, last.last_at), (START, START + 70));
    assert_eq!(last.worker, "worker-a");
}

#[test]
fn a_commit_clears_the_attempts_and_the_error_before_it() {
    let mut scene = Scene::new();
    scene.fail(1, |transition, run| transition.retry(run));
    scene.commit(1);
    assert_eq!(
        (scene.state.next_attempt(), &scene.state.last_error),
        (1, &None)
    );
}

#[test]
fn the_last_attempt_is_the_one_that_the_policy_says() {
    let mut scene = Scene::with(|policy| policy.max_attempts = Some(3));
    for attempt in 1..=3 {
        let last = scene.fail(1, |transition, run| {
            let last = transition.is_last_attempt(run.event);
            transition.retry(run);
            last
        });
        assert_eq!(last, attempt == 3, "attempt {attempt}");
    }
}

#[test]
fn a_postponed_event_waits_for_its_time_in_the_mailbox() {
    let mut scene = Scene::new();
    scene.postpone(1, 500);
    assert!(scene.state.is_blocked() && !scene.state.is_ready());
    assert!(scene.mailbox.contains_key(&Slot::Held(1)));
    assert_eq!(due(&scene), Some(scene.now + 500));
    scene.now += 499;
    scene.change(|transition| transition.wake());
    assert!(scene.state.is_blocked());
    scene.now += 1;
    scene.change(|transition| transition.wake());
    assert!(scene.state.is_ready());
    assert_eq!(scene.state.next_attempt(), 2);
    scene.commit(1);
    assert!(scene.mailbox.is_empty());
}

#[test]
fn a_backoff_is_cut_to_its_length_when_the_clock_stepped_back() {
    let mut scene = Scene::new();
    scene.postpone(1, 500);
    scene.now -= 100_000;
    scene.change(|transition| transition.wake());
    let (until, wait) = (scene.now + 500, 500);
    assert_eq!(scene.state.phase, Phase::BackingOff { until, wait });
}

#[test]
fn a_halted_key_keeps_its_event_and_stays_halted() {
    let mut scene = Scene::new();
    scene.halt(1);
    let since = scene.now;
    scene.hold(2);
    assert!(scene.mailbox.contains_key(&Slot::Held(1)));
    scene.now += 1_000_000_000;
    scene.change(|transition| {
        transition.wake();
        transition.end_gap_if_over("worker-a");
    });
    assert_eq!(scene.state.phase, Phase::Halted { since });
    assert!(!scene.state.is_ready());
    assert_eq!(due(&scene), Some(NEVER_DUE));
}

#[test]
fn a_dead_letter_keeps_the_error_and_the_key_goes_on() {
    let mut scene = Scene::new();
    scene.hold(2);
    scene.fail(1, |transition, run| transition.retry(run));
    scene.dead_letter(1);
    let note = scene.dead_note(1);
    assert_eq!(note.cause, DeadCause::Failed);
    assert_eq!(
        (note.error.as_str(), note.attempts),
        ("attempt 2 failed", 2)
    );
    assert!(scene.remembered.contains_key(&id_of(1)));
    assert!(scene.state.is_ready());
    scene.dead_letter(2);
    assert_eq!(scene.dead(), [(0, 1), (0, 2)]);
    assert!(
        scene.state.held.is_empty(),
        "what was held is a dead letter only"
    );
    assert_eq!(scene.mailbox.len(), 2);
}

#[test]
fn a_dead_letter_passes_what_will_never_come() {
    let mut scene = Scene::new();
    scene.change(|transition| transition.fill(2, 4, []));
    scene.dead_letter(1);
    assert_eq!(scene.state.last_seq, 4);
}

#[test]
fn a_replay_that_succeeds_is_a_dead_letter_no_more() {
    let mut scene = Scene::new();
    scene.dead_letter(1);
    scene.operate(&Verb::Replay { seq: None }).unwrap();
    assert!(scene.state.is_ready());
    scene.commit(1);
    assert!(scene.state.is_idle() && scene.mailbox.is_empty());
    assert_eq!(scene.state.last_seq, 1);
}

#[test]
fn a_replay_that_fails_counts_its_own_attempts_and_is_a_dead_letter_again() {
    let mut scene = Scene::with(|policy| policy.max_attempts = Some(2));
    scene.dead_letter(1);
    scene.operate(&Verb::Replay { seq: Some(seq(1)) }).unwrap();
    scene.postpone(1, 100);
    assert_eq!(scene.state.attempts, 0, "the head has failed at nothing");
    assert!(scene.state.is_blocked());
    scene.now += 100;
    scene.change(|transition| transition.wake());
    let is_last = scene.fail(1, |transition, run| {
        let last = transition.is_last_attempt(run.event);
        transition.halt(run);
        last
    });
    assert!(is_last);
    assert!(scene.state.replays.is_empty() && !scene.state.is_blocked());
    let note = scene.dead_note(1);
    assert_eq!(
        (note.error.as_str(), note.attempts),
        ("attempt 2 failed", 2)
    );
    assert_eq!(note.at, scene.now);
}

#[test]
fn a_failure_that_was_saved_before_can_be_postponed_without_counting_twice() {
    let mut scene = Scene::new();
    scene.fail(1, |transition, run| transition.retry(run));
    let wait = Duration::from_secs(1);
    scene.fail(1, |transition, run| transition.postpone_again(run, wait));
    assert_eq!(scene.state.next_attempt(), 2);
    assert!(scene.mailbox.contains_key(&Slot::Held(1)));
}
