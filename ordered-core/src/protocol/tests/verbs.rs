//! What operators do to a key.

use std::time::Duration;

use super::scene::{Scene, held, id, id_of, seq};
use crate::event::Envelope;
use crate::protocol::{DeadCause, Effect, Refusal, Verb};
use crate::protocol::{HeldNote, Phase, Placement, stored_event};
use crate::store::{Listing, NEVER_DUE, Slot};

/// A key that is halted at 1, with 2, 3 and 5 behind it.
fn halted() -> Scene {
    let mut scene = Scene::new();
    scene.halt(1);
    [2, 3, 5].into_iter().for_each(|seq| scene.hold(seq));
    scene
}

/// What a verb brings about that leaves the key where it is.
fn effect(last_seq: u64, released: &[u64], removed: &[u64]) -> Result<Effect, Refusal> {
    moved(last_seq, last_seq, released, removed)
}

/// What a verb brings about that moves the key.
fn moved(
    last_seq_before: u64,
    last_seq: u64,
    released: &[u64],
    removed: &[u64],
) -> Result<Effect, Refusal> {
    Ok(Effect {
        last_seq_before,
        last_seq,
        released: released.to_vec(),
        removed: removed.to_vec(),
        marked: Vec::new(),
    })
}

/// The same of a replay.
fn marking(last_seq: u64, released: &[u64], marked: &[u64]) -> Result<Effect, Refusal> {
    effect(last_seq, released, &[]).map(|effect| Effect {
        marked: marked.to_vec(),
        ..effect
    })
}

#[test]
fn retry_lets_a_halted_key_go_on_with_all_attempts() {
    let mut scene = halted();
    assert_eq!(scene.operate(&Verb::Retry), effect(0, &[1, 2, 3], &[]));
    assert_eq!(scene.state.next_attempt(), 1);
    assert!(scene.state.last_error.is_some());
    assert_eq!(scene.operate(&Verb::Retry), Err(Refusal::NotStopped));
}

#[test]
fn retry_ends_a_backoff() {
    let mut scene = Scene::new();
    scene.postpone(1, 60_000);
    assert_eq!(scene.operate(&Verb::Retry), effect(0, &[1], &[]));
}

#[test]
fn skip_makes_a_dead_letter_of_the_event_that_failed() {
    let mut scene = halted();
    let skip = Verb::Skip { to: None };
    assert_eq!(scene.operate(&skip), moved(0, 1, &[2, 3], &[1]));
    let note = scene.dead_note(1);
    assert_eq!(note.cause, DeadCause::Skipped);
    assert_eq!(
        (note.error.as_str(), note.attempts),
        ("attempt 1 failed", 1)
    );
}

#[test]
fn skip_passes_a_gap_and_not_what_lies_behind_it() {
    let mut scene = Scene::new();
    scene.hold(4);
    let skip = Verb::Skip { to: None };
    assert_eq!(scene.operate(&skip), moved(0, 3, &[4], &[]));
    assert_eq!(scene.place(2, &id_of(2)), Placement::Late);
}

#[test]
fn skip_to_makes_dead_letters_of_all_on_the_way() {
    let mut scene = halted();
    let skip = Verb::Skip { to: Some(seq(4)) };
    assert_eq!(scene.operate(&skip), moved(0, 4, &[5], &[1, 2, 3]));
    assert_eq!(scene.operate(&skip), Err(Refusal::NotAhead));
    scene.process(5);
    let skip = Verb::Skip { to: None };
    assert_eq!(scene.operate(&skip), Err(Refusal::NothingToSkip));
}

#[test]
fn skip_leaves_alone_what_was_posted_and_lies_behind_the_key() {
    let mut scene = Scene::new();
    scene.dead_letter(1);
    scene.post(1, &id("imposter"));
    scene.hold(3);
    let skip = Verb::Skip { to: Some(seq(3)) };
    assert_eq!(scene.operate(&skip), moved(1, 3, &[], &[3]));
    assert!(scene.state.held.contains(1));
    assert_eq!(
        scene.dead_note(1).cause,
        DeadCause::Failed,
        "not overwritten"
    );
}

#[test]
fn discard_takes_one_held_event_out_and_the_key_passes_it() {
    let mut scene = halted();
    let discard = |seq_| Verb::Discard { seq: seq(seq_) };
    assert_eq!(scene.operate(&discard(3)), effect(0, &[], &[3]));
    assert_eq!(scene.operate(&discard(1)), moved(0, 1, &[2], &[1]));
    scene.commit(2);
    assert_eq!(scene.state.last_seq, 3);
    assert_eq!(scene.dead_note(1).cause, DeadCause::Discarded);
    assert_eq!(scene.operate(&discard(9)), Err(Refusal::NoSuchEvent));
}

#[test]
fn discard_deletes_a_dead_letter() {
    let mut scene = Scene::new();
    scene.dead_letter(1);
    scene.operate(&Verb::Replay { seq: None }).unwrap();
    scene.postpone(1, 60_000);
    let discard = Verb::Discard { seq: seq(1) };
    assert_eq!(scene.operate(&discard), effect(1, &[], &[1]));
    assert!(scene.state.is_idle() && scene.mailbox.is_empty());
    assert!(scene.state.replays.is_empty());
}

#[test]
fn what_was_discarded_ahead_and_is_posted_again_is_compared_and_not_run() {
    let mut scene = Scene::new();
    scene.hold(3);
    scene.operate(&Verb::Discard { seq: seq(3) }).unwrap();
    scene.post(3, &id_of(3));
    scene.process(2);
    assert_eq!(scene.state.last_seq, 3, "its seq is passed");
    let slot = Slot::Dead { epoch: 0, seq: 3 };
    assert_eq!(scene.place(3, &id_of(3)), Placement::Compare(slot));
    assert!(
        scene.state.is_ready(),
        "somebody has to look at what was posted"
    );
}

#[test]
fn edit_gives_a_held_event_another_body_and_keeps_the_rest() {
    let mut scene = halted();
    let mut event = Envelope::new("old");
    event.headers.insert("name".into(), "value".into());
    let letter = HeldNote {
        since: 7,
        checked: None,
    }
    .letter(&id_of(2), &event);
    scene.mailbox.insert(Slot::Held(2), letter.clone());
    let edit = Verb::Edit {
        seq: seq(2),
        body: "new".into(),
    };
    assert_eq!(scene.operate(&edit), effect(0, &[], &[]));
    let edited = &scene.mailbox[&Slot::Held(2)];
    assert_eq!((&edited.id, &edited.note), (&letter.id, &letter.note));
    event.body = "new".into();
    assert_eq!(stored_event(edited).unwrap(), event);
}

#[test]
fn edit_finds_a_dead_letter_and_refuses_what_is_not_there() {
    let mut scene = Scene::new();
    scene.dead_letter(1);
    let edit = |number| Verb::Edit {
        seq: seq(number),
        body: "new".into(),
    };
    scene.operate(&edit(1)).unwrap();
    let event = stored_event(&scene.mailbox[&scene.state.dead_slot(1)]);
    assert_eq!(event.unwrap().body, "new");
    assert_eq!(scene.operate(&edit(2)), Err(Refusal::NoSuchEvent));
    scene.operate(&Verb::SetLast { to: 0 }).unwrap();
    assert_eq!(scene.operate(&edit(1)), Err(Refusal::Superseded));
}

#[test]
fn set_last_upwards_is_a_skip_and_downwards_a_new_epoch() {
    let mut scene = halted();
    let set_last = |to| Verb::SetLast { to };
    assert_eq!(scene.operate(&set_last(0)), Err(Refusal::Already));
    assert_eq!(scene.operate(&set_last(3)), moved(0, 3, &[], &[1, 2, 3]));
    assert_eq!(scene.state.epoch, 0);
    assert_eq!(scene.operate(&set_last(1)), moved(3, 1, &[], &[]));
    assert_eq!(scene.state.epoch, 1);
    assert!(scene.state.held.contains(5));
}

#[test]
fn replay_of_a_halted_key_says_what_it_marked() {
    let mut scene = Scene::new();
    scene.dead_letter(1);
    scene.halt(2);
    let replay = Verb::Replay { seq: None };
    assert_eq!(scene.operate(&replay), marking(1, &[], &[1]));
}

#[test]
fn import_moves_a_key_upwards_and_what_lies_below_is_stale() {
    let mut scene = halted();
    let import = |last| Verb::Import { epoch: None, last };
    assert_eq!(scene.operate(&import(2)), moved(0, 2, &[3], &[1, 2]));
    assert_eq!(scene.state.phase, Phase::Open);
    assert_eq!(scene.operate(&import(2)), Err(Refusal::Already));
    assert_eq!(scene.operate(&import(1)), Err(Refusal::NotAhead));
    let mut scene = Scene::new();
    assert_eq!(scene.operate(&import(56)), moved(0, 56, &[], &[]));
    assert_eq!(scene.place(56, &id_of(56)), Placement::Stale);
    assert_eq!(scene.place(57, &id_of(57)), Placement::Ahead);
}

#[test]
fn import_into_a_later_epoch_begins_the_numbering_again() {
    let mut scene = Scene::new();
    [1, 2, 7].into_iter().for_each(|seq| scene.hold(seq));
    let import = |epoch, last| {
        let epoch = Some(epoch);
        Verb::Import { epoch, last }
    };
    assert_eq!(scene.operate(&import(0, 0)), Err(Refusal::Already));
    assert_eq!(scene.operate(&import(3, 5)), moved(0, 5, &[], &[1, 2, 7]));
    assert_eq!(scene.state.epoch, 3);
    assert_eq!(scene.operate(&import(3, 5)), Err(Refusal::Already));
    assert_eq!(scene.operate(&import(2, 9)), Err(Refusal::NotAhead));
    assert_eq!(scene.operate(&import(3, 6)), moved(5, 6, &[], &[]));
}

#[test]
fn a_paused_key_releases_nothing_until_it_is_resumed() {
    let mut scene = Scene::new();
    scene.hold(1);
    assert_eq!(scene.operate(&Verb::Pause), effect(0, &[], &[]));
    assert!(!scene.state.is_ready() && !scene.state.is_idle());
    assert_eq!(scene.operate(&Verb::Pause), Err(Refusal::Already));
    assert_eq!(scene.operate(&Verb::Resume), effect(0, &[1], &[]));
    assert_eq!(scene.operate(&Verb::Resume), Err(Refusal::Already));
}

#[test]
fn a_pause_for_a_time_ends_by_itself() {
    let mut scene = Scene::new();
    scene.hold(1);
    let length = Duration::from_secs(600);
    let pause = Verb::PauseFor { length };
    assert_eq!(pause.to_string(), "pause --for 10m");
    assert_eq!(scene.operate(&pause), effect(0, &[], &[]));
    let end = scene.now + 600_000;
    let due = |scene: &Scene| {
        let listing = scene
            .state
            .listing(&scene.policy, Listing::default(), scene.now);
        listing.due
    };
    assert_eq!((scene.state.is_ready(), due(&scene)), (false, Some(end)));
    scene.now = end - 1;
    scene.change(|transition| transition.wake());
    assert!(scene.state.is_blocked());
    // Asked for again, it begins anew; without a time it ends with `resume` alone.
    scene.operate(&pause).unwrap();
    scene.now = end;
    scene.change(|transition| transition.wake());
    assert!(scene.state.is_blocked());
    assert_eq!(scene.operate(&Verb::Pause), effect(0, &[], &[]));
    scene.now += 600_000;
    scene.change(|transition| transition.wake());
    assert!(scene.state.is_blocked());
    scene.operate(&pause).unwrap();
    scene.now += 600_000;
    scene.change(|transition| transition.wake());
    assert!(scene.state.is_ready());
    assert_eq!(scene.operate(&Verb::Resume), Err(Refusal::Already));
}

#[test]
fn a_pause_is_no_longer_than_it_was_meant_to_be_where_the_clock_steps_back() {
    let mut scene = Scene::new();
    let length = Duration::from_secs(60);
    scene.operate(&Verb::PauseFor { length }).unwrap();
    scene.now -= 500_000;
    scene.change(|transition| transition.wake());
    assert_eq!(scene.state.paused.end(), Some(scene.now + 60_000));
    scene.now += 60_000;
    scene.change(|transition| transition.wake());
    assert!(!scene.state.is_blocked());
}

#[test]
fn a_halted_key_is_halted_when_its_pause_is_over() {
    let mut scene = Scene::new();
    scene.hold(1);
    scene.state.phase = Phase::Halted { since: scene.now };
    let length = Duration::from_secs(60);
    scene.operate(&Verb::PauseFor { length }).unwrap();
    scene.now += 60_000;
    scene.change(|transition| transition.wake());
    let listing = scene
        .state
        .listing(&scene.policy, Listing::default(), scene.now);
    assert_eq!(listing.due, Some(NEVER_DUE));
    assert!(scene.state.is_blocked() && !scene.state.paused.is_on());
}

#[test]
fn replay_marks_one_dead_letter_or_all() {
    let mut scene = Scene::new();
    (1..=3).for_each(|seq| scene.dead_letter(seq));
    let replay = |only: Option<u64>| Verb::Replay { seq: only.map(seq) };
    assert_eq!(scene.operate(&replay(Some(2))), marking(3, &[2], &[2]));
    let all = [1, 2, 3];
    assert_eq!(scene.operate(&replay(None)), marking(3, &all, &all));
    assert_eq!(scene.operate(&replay(Some(4))), Err(Refusal::NoSuchEvent));
}

#[test]
fn what_was_discarded_ahead_of_its_turn_is_replayed_in_its_turn() {
    let mut scene = Scene::new();
    scene.hold(3);
    scene.operate(&Verb::Discard { seq: seq(3) }).unwrap();
    let replay = Verb::Replay { seq: Some(seq(3)) };
    assert_eq!(scene.operate(&replay), marking(0, &[], &[3]));
    assert!(scene.dead().is_empty() && !scene.state.is_ready());
    let note = HeldNote {
        since: scene.now,
        checked: None,
    };
    assert_eq!(scene.mailbox[&Slot::Held(3)].note, note.encode());
    scene.process(3);
    assert!(scene.state.is_idle() && scene.mailbox.is_empty());
}

#[test]
fn a_refusal_changes_nothing() {
    let mut scene = halted();
    scene.operate(&Verb::SetLast { to: 3 }).unwrap();
    let before = scene.clone();
    for verb in [
        Verb::Retry,
        Verb::Skip { to: Some(seq(2)) },
        Verb::Discard { seq: seq(9) },
        Verb::Edit {
            seq: seq(9),
            body: "new".into(),
        },
        Verb::SetLast { to: 3 },
        Verb::Resume,
        Verb::Replay { seq: Some(seq(9)) },
    ] {
        assert!(scene.operate(&verb).is_err(), "{verb}");
        assert_eq!(scene.state, before.state, "{verb}");
        assert_eq!(scene.mailbox, before.mailbox, "{verb}");
    }
    assert_eq!(scene.state.phase, Phase::Open);
}

#[test]
fn a_held_letter_says_since_when() {
    let letter = held(&id_of(1), 42);
    assert_eq!(HeldNote::decode(&letter.note).since, 42);
}
