//! Worlds in which something fails.

use super::orderly::{CALM, COLLISION, ONE, PLAIN, REPEAT, THREE};
use crate::bounds::{Bounds, Faults};

pub(super) const LOST: Bounds = Bounds {
    name: "lost replies",
    piecewise: true,
    faults: Faults {
        lost_replies: true,
        ..CALM
    },
    ..PLAIN
};

pub(super) const COPIES: Bounds = Bounds {
    name: "duplicates",
    copies: 2,
    faults: Faults {
        lost_replies: true,
        ..CALM
    },
    ..PLAIN
};

pub(super) const REPEATED_CRASH: Bounds = Bounds {
    name: "an id under two seqs, crashes",
    events: REPEAT,
    faults: Faults {
        crashes: true,
        ..CALM
    },
    ..PLAIN
};

pub(super) const COLLIDED_CRASH: Bounds = Bounds {
    name: "two ids under one seq, crashes",
    events: COLLISION,
    faults: Faults {
        crashes: true,
        ..CALM
    },
    ..PLAIN
};

pub(super) const FAILING: Bounds = Bounds {
    name: "failing handlers",
    faults: Faults {
        failures: true,
        ..CALM
    },
    ..PLAIN
};

pub(super) const ALONE: Bounds = Bounds {
    name: "one worker",
    workers: 1,
    events: THREE,
    lane_depth: 3,
    next_events: 3,
    faults: Faults {
        failures: true,
        ..CALM
    },
    ..PLAIN
};

pub(super) const ALONE_CRASH: Bounds = Bounds {
    name: "one worker that crashes",
    faults: Faults {
        failures: true,
        crashes: true,
        ..CALM
    },
    ..ALONE
};

pub(super) const CRASHING: Bounds = Bounds {
    name: "crashes",
    faults: Faults {
        crashes: true,
        lost_replies: true,
        ..CALM
    },
    ..PLAIN
};

pub(super) const RESTARTING: Bounds = Bounds {
    name: "crashes and restarts",
    faults: Faults {
        crashes: true,
        stops: true,
        ..CALM
    },
    ..PLAIN
};

pub(super) const CUT: Bounds = Bounds {
    name: "lost connections",
    faults: Faults {
        lost_connections: true,
        ..CALM
    },
    ..PLAIN
};

pub(super) const FORGETFUL: Bounds = Bounds {
    name: "forgotten ids",
    remembered: Some(1),
    faults: Faults {
        crashes: true,
        ..CALM
    },
    ..PLAIN
};

pub(super) const STEPPED: Bounds = Bounds {
    name: "clock steps",
    events: ONE,
    faults: Faults {
        crashes: true,
        clock_steps: true,
        ..CALM
    },
    ..PLAIN
};

pub(super) const THREE_LOST: Bounds = Bounds {
    name: "three workers, lost replies",
    workers: 3,
    faults: Faults {
        lost_replies: true,
        ..CALM
    },
    ..PLAIN
};

pub(super) const THREE_CRASH: Bounds = Bounds {
    name: "three workers, crashes",
    workers: 3,
    faults: Faults {
        crashes: true,
        ..CALM
    },
    ..PLAIN
};

pub(super) const ONE_PAUSED: Bounds = Bounds {
    name: "one event, pauses",
    events: ONE,
    faults: Faults {
        pauses: true,
        ..CALM
    },
    ..PLAIN
};

pub(super) const ONE_PAUSED_LONG: Bounds = Bounds {
    name: "one event, leases of two ticks",
    events: ONE,
    lease: 2,
    faults: Faults {
        pauses: true,
        crashes: true,
        ..CALM
    },
    ..PLAIN
};

pub(super) const ONE_WORST: Bounds = Bounds {
    name: "one event, all but pauses",
    events: ONE,
    faults: Faults {
        crashes: true,
        stops: true,
        lost_replies: true,
        lost_connections: true,
        failures: true,
        ..CALM
    },
    ..PLAIN
};

pub(super) const ONE_FAILED: Bounds = Bounds {
    name: "one event, pauses and failures",
    events: ONE,
    faults: Faults {
        pauses: true,
        failures: true,
        lost_replies: true,
        ..CALM
    },
    ..PLAIN
};

pub(super) const PAUSED: Bounds = Bounds {
    name: "pauses",
    faults: Faults {
        pauses: true,
        ..CALM
    },
    ..PLAIN
};
