//! A producer, or an operator, starts the numbering of a key over.

use super::scene::{Scene, id, id_of, seq};
use crate::protocol::Placement;
use crate::protocol::{DeadCause, Refusal, Verb};
use crate::store::Slot;

fn reset(scene: &mut Scene, at: u64, epoch: Option<u64>) {
    scene.change(|transition| assert!(transition.reset(at, epoch, [])));
}

#[test]
fn a_reset_upwards_says_that_nothing_below_will_come() {
    let mut scene = Scene::new();
    scene.process(2);
    scene.hold(4);
    reset(&mut scene, 7, None);
    assert_eq!((scene.state.last_seq, scene.state.epoch), (3, 0));
    scene.commit(4);
    assert_eq!(scene.state.last_seq, 6);
}

#[test]
fn a_reset_downwards_without_a_new_epoch_changes_nothing() {
    let mut scene = Scene::new();
    scene.process(5);
    let before = scene.state.clone();
    reset(&mut scene, 1, None);
    reset(&mut scene, 3, None);
    reset(&mut scene, 1, Some(0));
    assert_eq!(scene.state, before);
}

#[test]
fn a_new_epoch_begins_wherever_the_key_stands_and_its_held_events_become_dead_letters() {
    let mut scene = Scene::new();
    scene.process(5);
    scene.hold(7);
    scene.halt(6);
    reset(&mut scene, 1, Some(1));
    assert_eq!((scene.state.last_seq, scene.state.epoch), (0, 1));
    assert_eq!(scene.dead(), [(0, 6), (0, 7)]);
    let letter = &scene.mailbox[&Slot::Dead { epoch: 0, seq: 6 }];
    let note = crate::protocol::DeadNote::decode(&letter.note).unwrap();
    assert_eq!(note.cause, DeadCause::Superseded);
    assert_eq!(note.error, "attempt 1 failed");
    assert!(!scene.state.is_blocked());
}

#[test]
fn an_epoch_says_what_an_event_is() {
    let mut scene = Scene::new();
    scene.process(2);
    assert_eq!(scene.place_in(1, &id("new"), Some(1)), Placement::NotYet);
    reset(&mut scene, 1, Some(1));
    assert_eq!(scene.place_in(1, &id("new"), Some(1)), Placement::Ahead);
    assert_eq!(scene.place_in(2, &id_of(2), Some(0)), Placement::Duplicate);
    assert_eq!(scene.place_in(3, &id_of(3), Some(0)), Placement::Late);
}

#[test]
fn the_same_reset_twice_is_one() {
    let mut scene = Scene::new();
    scene.process(2);
    reset(&mut scene, 1, Some(1));
    scene.process(1);
    let before = scene.state.clone();
    reset(&mut scene, 1, Some(1));
    assert_eq!(scene.state, before);
}

#[test]
fn set_last_downwards_begins_a_new_epoch_that_has_its_own_dead_letters() {
    let mut scene = Scene::new();
    scene.process(1);
    scene.dead_letter(2);
    scene.process(5);
    let effect = scene.operate(&Verb::SetLast { to: 1 }).unwrap();
    assert_eq!((effect.last_seq, scene.state.epoch), (1, 1));
    assert_eq!(scene.place(2, &id("new")), Placement::Ahead);
    let replay = Verb::Replay { seq: Some(seq(2)) };
    assert_eq!(scene.operate(&replay), Err(Refusal::Superseded));
    scene.dead_letter(2);
    assert_eq!(scene.dead(), [(0, 2), (1, 2)]);
    scene.operate(&Verb::Discard { seq: seq(2) }).unwrap();
    assert_eq!(scene.dead(), [(0, 2)], "that of the present epoch first");
    scene.operate(&Verb::Discard { seq: seq(2) }).unwrap();
    assert!(scene.dead().is_empty() && scene.mailbox.is_empty());
}

#[test]
fn a_missing_dead_letter_of_an_old_epoch_leaves_the_replay_of_the_present_one() {
    let mut scene = Scene::new();
    scene.dead_letter(1);
    scene.operate(&Verb::SetLast { to: 0 }).unwrap();
    scene.dead_letter(1);
    scene.operate(&Verb::Replay { seq: None }).unwrap();
    let slot = Slot::Dead { epoch: 0, seq: 1 };
    scene.change(|transition| transition.forget_missing(slot));
    assert_eq!(scene.dead(), [(1, 1)]);
    assert!(scene.state.replays.contains_key(&1));
}
