//! Worlds in which nothing fails: events come in any order.

use ordered_core::protocol::Order as Sequencing;

use crate::bounds::{Bounds, Faults, OnGap, Published, event, event_at};

pub(super) const ONE: &[Published] = &[event(1, 'a')];
pub(super) const TWO: &[Published] = &[event(1, 'a'), event(2, 'b')];
pub(super) const THREE: &[Published] = &[event(1, 'a'), event(2, 'b'), event(3, 'c')];
/// Two producers gave the same seq to different events.
pub(super) const COLLISION: &[Published] = &[event(1, 'a'), event(1, 'b')];
const COLLISION_LATER: &[Published] = &[event(1, 'a'), event(2, 'b'), event(2, 'c')];
/// A producer gave an event a second seq.
pub(super) const REPEAT: &[Published] = &[event(1, 'a'), event(2, 'a')];
/// One of each of two keys.
pub(super) const TWO_KEYS: &[Published] = &[event(1, 'a'), event_at(1, 1, 'b')];

pub(super) const CALM: Faults = Faults {
    crashes: false,
    stops: false,
    lost_answers: false,
    late_calls: false,
    lost_connections: false,
    pauses: false,
    failures: false,
    state_loss: false,
    lost_operators: false,
    force: false,
};

pub(super) const ALONE: Bounds = Bounds {
    name: "one worker",
    workers: 1,
    sequencing: Sequencing::Sequence,
    in_order: false,
    events: TWO,
    copies: 1,
    repeats: false,
    marks_repeats: false,
    remembered: None,
    attempts: 2,
    lane_depth: 2,
    next_events: 2,
    quota: 8,
    batch: 1,
    window: 0,
    concurrency: 1,
    keeps_retries: false,
    overflow: false,
    said: &[],
    dead_letters: false,
    on_gap: OnGap::Wait,
    operator: None,
    poison: None,
    faults: CALM,
    most_faults: None,
};

pub(super) const PLAIN: Bounds = Bounds {
    name: "plain",
    workers: 2,
    ..ALONE
};

pub(super) const AGAIN: Bounds = Bounds {
    name: "delivered again",
    repeats: true,
    ..ALONE
};

pub(super) const GAPS: Bounds = Bounds {
    name: "three events",
    events: THREE,
    ..PLAIN
};

pub(super) const QUOTA: Bounds = Bounds {
    name: "a quota of one",
    events: THREE,
    quota: 1,
    ..PLAIN
};

pub(super) const OVERFLOW: Bounds = Bounds {
    name: "more than there is room for",
    events: THREE,
    lane_depth: 1,
    next_events: 1,
    overflow: true,
    ..ALONE
};

pub(super) const COLLIDING: Bounds = Bounds {
    name: "two ids under one seq",
    events: COLLISION_LATER,
    ..PLAIN
};

pub(super) const REPEATING: Bounds = Bounds {
    name: "an id under two seqs",
    events: REPEAT,
    ..PLAIN
};

pub(super) const KEYS: Bounds = Bounds {
    name: "two keys",
    events: TWO_KEYS,
    ..PLAIN
};
