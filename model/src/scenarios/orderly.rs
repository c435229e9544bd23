//! Worlds in which nothing fails: events come in any order.

use crate::bounds::{Bounds, Faults, OnGap, Published, event};

pub(super) const ONE: &[Published] = &[event(1, 'a')];
pub(super) const TWO: &[Published] = &[event(1, 'a'), event(2, 'b')];
pub(super) const THREE: &[Published] = &[event(1, 'a'), event(2, 'b'), event(3, 'c')];
/// Two producers gave the same seq to different events.
pub(super) const COLLISION: &[Published] = &[event(1, 'a'), event(2, 'b'), event(2, 'c')];
/// A producer gave an event a second seq.
pub(super) const REPEAT: &[Published] = &[event(1, 'a'), event(2, 'a')];

pub(super) const CALM: Faults = Faults {
    crashes: false,
    stops: false,
    lost_replies: false,
    lost_connections: false,
    pauses: false,
    failures: false,
    clock_steps: false,
};

pub(super) const PLAIN: Bounds = Bounds {
    name: "plain",
    workers: 2,
    events: TWO,
    copies: 1,
    lease: 1,
    remembered: None,
    attempts: 2,
    lane_depth: 2,
    next_events: 2,
    quota: 8,
    piecewise: false,
    said: &[],
    dead_letters: false,
    on_gap: OnGap::Wait,
    operator: None,
    faults: CALM,
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

pub(super) const REPEATED: Bounds = Bounds {
    name: "an id under two seqs, once",
    events: REPEAT,
    ..PLAIN
};

pub(super) const REPEATING: Bounds = Bounds {
    name: "an id under two seqs",
    events: REPEAT,
    copies: 2,
    ..PLAIN
};

pub(super) const COLLIDING: Bounds = Bounds {
    name: "two ids under one seq",
    events: COLLISION,
    ..PLAIN
};
