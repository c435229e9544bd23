//! Worlds in which something goes wrong.

use super::deliveries::{ALONE, CALM, COLLISION, ONE, PLAIN, REPEAT, THREE, TWO_KEYS};
use crate::bounds::{Bounds, Faults};

pub(super) const FAILING_ALONE: Bounds = Bounds {
    name: "one worker that fails",
    keeps_retries: true,
    faults: Faults {
        failures: true,
        ..CALM
    },
    ..ALONE
};

pub(super) const FAILING: Bounds = Bounds {
    name: "failing handlers",
    faults: Faults {
        failures: true,
        ..CALM
    },
    ..PLAIN
};

pub(super) const BATCHED: Bounds = Bounds {
    name: "batches that fail",
    events: THREE,
    lane_depth: 3,
    next_events: 3,
    batch: 2,
    faults: Faults {
        failures: true,
        ..CALM
    },
    ..ALONE
};

pub(super) const WINDOW: Bounds = Bounds {
    name: "a commit window",
    events: THREE,
    lane_depth: 3,
    next_events: 3,
    window: 1,
    faults: Faults {
        failures: true,
        ..CALM
    },
    ..ALONE
};

pub(super) const WINDOW_CRASH: Bounds = Bounds {
    name: "a commit window, crashes",
    window: 1,
    faults: Faults {
        crashes: true,
        ..CALM
    },
    ..ALONE
};

pub(super) const BATCH_PAUSED: Bounds = Bounds {
    name: "batches and a window, pauses",
    batch: 2,
    window: 1,
    faults: Faults {
        pauses: true,
        lost_answers: true,
        ..CALM
    },
    ..ALONE
};

pub(super) const LOST_ALONE: Bounds = Bounds {
    name: "one worker, lost answers",
    faults: Faults {
        lost_answers: true,
        failures: true,
        ..CALM
    },
    ..ALONE
};

pub(super) const LOST: Bounds = Bounds {
    name: "lost answers",
    faults: Faults {
        lost_answers: true,
        ..CALM
    },
    ..PLAIN
};

pub(super) const LATE_ALONE: Bounds = Bounds {
    name: "one worker, late calls",
    faults: Faults {
        late_calls: true,
        lost_answers: true,
        failures: true,
        ..CALM
    },
    ..ALONE
};

pub(super) const LATE: Bounds = Bounds {
    name: "late calls",
    faults: Faults {
        late_calls: true,
        ..CALM
    },
    most_faults: Some(3),
    ..PLAIN
};

pub(super) const LATE_PAUSED: Bounds = Bounds {
    name: "late calls, pauses",
    events: ONE,
    faults: Faults {
        late_calls: true,
        pauses: true,
        ..CALM
    },
    most_faults: Some(3),
    ..PLAIN
};

pub(super) const COPIES: Bounds = Bounds {
    name: "duplicates",
    copies: 2,
    ..PLAIN
};

pub(super) const COPIES_LOST: Bounds = Bounds {
    name: "duplicates, lost answers",
    events: ONE,
    copies: 2,
    marks_repeats: true,
    faults: Faults {
        lost_answers: true,
        failures: true,
        ..CALM
    },
    most_faults: Some(3),
    ..PLAIN
};

pub(super) const CRASH_ALONE: Bounds = Bounds {
    name: "one worker that crashes",
    marks_repeats: true,
    faults: Faults {
        crashes: true,
        failures: true,
        ..CALM
    },
    most_faults: Some(3),
    ..ALONE
};

pub(super) const CRASHING: Bounds = Bounds {
    name: "crashes",
    faults: Faults {
        crashes: true,
        ..CALM
    },
    most_faults: Some(3),
    ..PLAIN
};

pub(super) const CRASH_LOST: Bounds = Bounds {
    name: "one event, crashes and lost answers",
    events: ONE,
    faults: Faults {
        crashes: true,
        lost_answers: true,
        ..CALM
    },
    most_faults: Some(3),
    ..PLAIN
};

pub(super) const POISON: Bounds = Bounds {
    name: "an event that kills",
    events: TWO_KEYS,
    poison: Some(0),
    concurrency: 2,
    ..ALONE
};

pub(super) const TWO_CRASH: Bounds = Bounds {
    name: "two keys, crashes",
    events: TWO_KEYS,
    concurrency: 2,
    faults: Faults {
        crashes: true,
        ..CALM
    },
    most_faults: Some(2),
    ..ALONE
};

pub(super) const RESTARTING: Bounds = Bounds {
    name: "restarts",
    faults: Faults {
        stops: true,
        ..CALM
    },
    most_faults: Some(3),
    ..PLAIN
};

pub(super) const RESTART_FAILING: Bounds = Bounds {
    name: "one worker, restarts and crashes",
    keeps_retries: true,
    faults: Faults {
        stops: true,
        crashes: true,
        ..CALM
    },
    most_faults: Some(3),
    ..ALONE
};

pub(super) const CUT: Bounds = Bounds {
    name: "lost connections",
    marks_repeats: true,
    faults: Faults {
        lost_connections: true,
        ..CALM
    },
    most_faults: Some(2),
    ..PLAIN
};

pub(super) const FORGETFUL: Bounds = Bounds {
    name: "forgotten ids",
    remembered: Some(1),
    repeats: true,
    faults: Faults {
        crashes: true,
        ..CALM
    },
    ..ALONE
};

pub(super) const REPEATED: Bounds = Bounds {
    name: "an id under two seqs, crashes",
    events: REPEAT,
    repeats: true,
    faults: Faults {
        crashes: true,
        ..CALM
    },
    ..ALONE
};

pub(super) const COLLIDED: Bounds = Bounds {
    name: "two ids under one seq, crashes",
    events: COLLISION,
    faults: Faults {
        crashes: true,
        ..CALM
    },
    ..ALONE
};

pub(super) const PAUSED: Bounds = Bounds {
    name: "pauses",
    faults: Faults {
        pauses: true,
        ..CALM
    },
    most_faults: Some(2),
    ..PLAIN
};

pub(super) const PAUSED_WORST: Bounds = Bounds {
    name: "one event, pauses, crashes, lost answers",
    events: ONE,
    faults: Faults {
        pauses: true,
        crashes: true,
        lost_answers: true,
        ..CALM
    },
    most_faults: Some(3),
    ..PLAIN
};

pub(super) const FORGOTTEN: Bounds = Bounds {
    name: "lost state",
    repeats: true,
    faults: Faults {
        state_loss: true,
        failures: true,
        ..CALM
    },
    ..ALONE
};

pub(super) const THREE_WORKERS: Bounds = Bounds {
    name: "three workers, crashes",
    workers: 3,
    events: ONE,
    faults: Faults {
        crashes: true,
        ..CALM
    },
    most_faults: Some(3),
    ..PLAIN
};

pub(super) const COLLIDED_ALONE: Bounds = Bounds {
    name: "two ids under the first seq",
    events: COLLISION,
    ..PLAIN
};

pub(super) const ONE_PAUSED: Bounds = Bounds {
    name: "one event, pauses",
    events: ONE,
    copies: 2,
    most_faults: Some(2),
    ..PAUSED
};

pub(super) const CRASH_ONE: Bounds = Bounds {
    name: "one event, crashes",
    events: ONE,
    copies: 2,
    most_faults: None,
    ..CRASHING
};

pub(super) const RESTARTING_ONE: Bounds = Bounds {
    name: "one event, restarts",
    events: ONE,
    most_faults: None,
    ..RESTARTING
};
