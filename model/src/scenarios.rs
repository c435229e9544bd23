//! The worlds that are explored.

use crate::bounds::{Bounds, Faults, Published, event};

const ONE: &[Published] = &[event(1, 'a')];
const TWO: &[Published] = &[event(1, 'a'), event(2, 'b')];
const THREE: &[Published] = &[event(1, 'a'), event(2, 'b'), event(3, 'c')];
/// Two producers gave the same seq to different events.
const COLLISION: &[Published] = &[event(1, 'a'), event(2, 'b'), event(2, 'c')];
/// A producer gave an event a second seq.
const REPEAT: &[Published] = &[event(1, 'a'), event(2, 'a')];

const CALM: Faults = Faults {
    crashes: false,
    stops: false,
    lost_replies: false,
    lost_connections: false,
    pauses: false,
    failures: false,
    clock_steps: false,
};

const PLAIN: Bounds = Bounds {
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
    faults: CALM,
};

/// For continuous integration: seconds in a build without optimisation.
pub const SHORT: &[Bounds] = &[PLAIN, LOST, COLLIDING, REPEATING];

/// In which mistakes are hunted, small worlds first.
pub const HUNTING: &[Bounds] = &[
    PLAIN, LOST, REPEATING, ONE_PAUSED, COLLIDING, GAPS, COPIES, ALONE, FAILING, CRASHING, PAUSED,
];

/// Everything.
pub const FULL: &[Bounds] = &[PLAIN, LOST];

const LOST: Bounds = Bounds {
    name: "lost replies",
    piecewise: true,
    faults: Faults { lost_replies: true, ..CALM },
    ..PLAIN
};

const REPEATING: Bounds = Bounds {
    name: "an id under two seqs",
    events: REPEAT,
    copies: 2,
    ..PLAIN
};

const COLLIDING: Bounds = Bounds {
    name: "two ids under one seq",
    events: COLLISION,
    ..PLAIN
};

const GAPS: Bounds = Bounds {
    name: "three events",
    events: THREE,
    ..PLAIN
};

const COPIES: Bounds = Bounds {
    name: "duplicates",
    copies: 2,
    ..PLAIN
};

const FAILING: Bounds = Bounds {
    name: "failing handlers",
    faults: Faults { failures: true, ..CALM },
    ..PLAIN
};

const CRASHING: Bounds = Bounds {
    name: "crashes",
    faults: Faults { crashes: true, ..CALM },
    ..PLAIN
};

const ONE_PAUSED: Bounds = Bounds {
    name: "one event, pauses",
    events: ONE,
    faults: Faults { pauses: true, ..CALM },
    ..PLAIN
};

const PAUSED: Bounds = Bounds {
    name: "pauses",
    faults: Faults { pauses: true, ..CALM },
    ..PLAIN
};

const ALONE: Bounds = Bounds {
    name: "one worker, failing handlers",
    workers: 1,
    events: THREE,
    lane_depth: 3,
    next_events: 3,
    faults: Faults { failures: true, ..CALM },
    ..PLAIN
};
