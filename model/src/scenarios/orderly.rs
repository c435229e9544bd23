//! Worlds in which nothing fails: events come in any order.

use crate::bounds::{Bounds, Faults, OnGap, Published, event, event_at};

pub(super) const ONE: &[Published] = &[event(1, 'a')];
pub(super) const TWO: &[Published] = &[event(1, 'a'), event(2, 'b')];
pub(super) const THREE: &[Published] = &[event(1, 'a'), event(2, 'b'), event(3, 'c')];
/// Two producers gave the same seq to different events.
pub(super) const COLLISION: &[Published] = &[event(1, 'a'), event(1, 'b')];
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
};
