//! Worlds of the orders besides 1, 2, 3, ….

use ordered_core::protocol::Order as Sequencing;

use super::deliveries::{ALONE, CALM, PLAIN, THREE, TWO};
use crate::bounds::{Bounds, Faults, OnGap, Published, Said, event, event_from, event_timed};

/// Versions with gaps.
const VERSIONS: &[Published] = &[event(1, 'a'), event(3, 'b'), event(4, 'c')];

const TWO_VERSIONS: &[Published] = &[event(1, 'a'), event(3, 'b')];

pub(super) const ARRIVAL_ALONE: Bounds = Bounds {
    name: "arrival, one worker that fails",
    sequencing: Sequencing::Arrival,
    in_order: true,
    events: THREE,
    keeps_retries: true,
    faults: Faults {
        failures: true,
        ..CALM
    },
    most_faults: Some(2),
    ..ALONE
};

pub(super) const ARRIVAL_ANYHOW: Bounds = Bounds {
    name: "arrival, any order, duplicates",
    sequencing: Sequencing::Arrival,
    workers: 2,
    events: TWO,
    copies: 2,
    ..ALONE
};

pub(super) const ARRIVAL_MOVES: Bounds = Bounds {
    name: "arrival, the consumer changes",
    sequencing: Sequencing::Arrival,
    in_order: true,
    workers: 2,
    events: TWO,
    marks_repeats: true,
    faults: Faults {
        lost_connections: true,
        ..CALM
    },
    most_faults: Some(2),
    ..ALONE
};

pub(super) const ARRIVAL_CRASH: Bounds = Bounds {
    name: "arrival, crashes",
    sequencing: Sequencing::Arrival,
    in_order: true,
    workers: 2,
    events: TWO,
    marks_repeats: true,
    faults: Faults {
        crashes: true,
        lost_connections: true,
        ..CALM
    },
    most_faults: Some(1),
    ..ALONE
};

pub(super) const ARRIVAL_OVERFLOW: Bounds = Bounds {
    name: "arrival, more than there is room for, crashes",
    sequencing: Sequencing::Arrival,
    in_order: true,
    events: THREE,
    lane_depth: 1,
    next_events: 1,
    overflow: true,
    faults: Faults {
        crashes: true,
        ..CALM
    },
    most_faults: Some(1),
    ..ALONE
};

pub(super) const ARRIVAL_AHEAD: Bounds = Bounds {
    name: "arrival, batches and a window, crashes",
    sequencing: Sequencing::Arrival,
    in_order: true,
    events: THREE,
    lane_depth: 3,
    next_events: 3,
    batch: 2,
    window: 1,
    faults: Faults {
        crashes: true,
        failures: true,
        ..CALM
    },
    most_faults: Some(1),
    ..ALONE
};

pub(super) const VERSIONED: Bounds = Bounds {
    name: "versions",
    sequencing: Sequencing::Monotonic { coalesce: false },
    workers: 2,
    events: VERSIONS,
    ..ALONE
};

pub(super) const VERSIONED_FAILING: Bounds = Bounds {
    name: "versions, failing handlers, lost answers",
    sequencing: Sequencing::Monotonic { coalesce: false },
    events: VERSIONS,
    keeps_retries: true,
    faults: Faults {
        failures: true,
        lost_answers: true,
        ..CALM
    },
    most_faults: Some(2),
    ..ALONE
};

pub(super) const VERSIONED_CRASH: Bounds = Bounds {
    name: "versions, crashes",
    sequencing: Sequencing::Monotonic { coalesce: false },
    workers: 2,
    events: TWO_VERSIONS,
    marks_repeats: true,
    faults: Faults {
        crashes: true,
        ..CALM
    },
    most_faults: Some(1),
    ..ALONE
};

pub(super) const COALESCED: Bounds = Bounds {
    name: "versions that coalesce",
    sequencing: Sequencing::Monotonic { coalesce: true },
    workers: 2,
    events: VERSIONS,
    ..ALONE
};

pub(super) const COALESCED_CRASH: Bounds = Bounds {
    name: "versions that coalesce, crashes",
    sequencing: Sequencing::Monotonic { coalesce: true },
    workers: 2,
    events: TWO_VERSIONS,
    faults: Faults {
        crashes: true,
        failures: true,
        ..CALM
    },
    most_faults: Some(1),
    ..ALONE
};

/// An effect of two causes of which neither knows the other.
const TWO_CAUSES: &[Published] = &[
    event_from(1, 'a', 0, &[1]),
    event_from(2, 'b', 1, &[0, 1]),
    event_from(3, 'c', 0, &[2, 1]),
];

/// A chain of three producers.
const CHAIN: &[Published] = &[
    event_from(1, 'a', 0, &[1]),
    event_from(2, 'b', 1, &[1, 1]),
    event_from(3, 'c', 2, &[1, 1, 1]),
];

const CAUSE_AND_EFFECT: &[Published] = &[
    event_from(1, 'a', 1, &[0, 1]),
    event_from(2, 'b', 0, &[1, 1]),
];

/// The same world with causes: their messages come in any order.
const fn causal(name: &'static str, events: &'static [Published], like: Bounds) -> Bounds {
    Bounds {
        name,
        sequencing: Sequencing::Causal,
        in_order: false,
        events,
        ..like
    }
}

pub(super) const CAUSAL: Bounds = causal("causes", CAUSE_AND_EFFECT, ARRIVAL_ANYHOW);

pub(super) const CAUSAL_ALONE: Bounds = causal(
    "causes, one worker that fails, lost answers",
    TWO_CAUSES,
    VERSIONED_FAILING,
);

pub(super) const CAUSAL_POSTED: Bounds =
    causal("causes, two workers, three producers", CHAIN, PLAIN);

pub(super) const CAUSAL_CRASH: Bounds = causal("causes, crashes", CAUSE_AND_EFFECT, ARRIVAL_CRASH);

pub(super) const CAUSAL_CRASH_ALONE: Bounds = Bounds {
    marks_repeats: true,
    ..causal("causes, little room, crashes", TWO_CAUSES, ARRIVAL_OVERFLOW)
};

pub(super) const CAUSAL_AHEAD: Bounds = causal(
    "causes, batches and a window, crashes",
    CHAIN,
    ARRIVAL_AHEAD,
);

/// Seconds pass: what has not come is passed over, and is late when it comes.
pub(super) const CAUSAL_SKIPPING: Bounds = Bounds {
    name: "causes that are passed over",
    sequencing: Sequencing::Causal,
    events: CAUSE_AND_EFFECT,
    on_gap: OnGap::Skip,
    ..ALONE
};

/// The first event of a producer was never sent: it says so.
const FIRST_IS_MISSING: &[Published] =
    &[event_from(1, 'b', 1, &[1, 1]), event_from(2, 'a', 0, &[2])];

const FILL_FIRST: &[Said] = &[Said::FillOf {
    producer: 0,
    from: 1,
    to: 1,
}];

pub(super) const CAUSAL_FILLED: Bounds = Bounds {
    said: FILL_FIRST,
    ..causal("causes that are filled", FIRST_IS_MISSING, ALONE)
};

pub(super) const CAUSAL_FILLED_CRASH: Bounds = Bounds {
    said: FILL_FIRST,
    ..causal(
        "causes that are filled, crashes",
        FIRST_IS_MISSING,
        ARRIVAL_CRASH,
    )
};

const TWO_TIMES: &[Published] = &[event_timed(1, 'a', 1, 1, 1), event_timed(2, 'b', 0, 1, 2)];

const THREE_TIMES: &[Published] = &[
    event_timed(1, 'a', 0, 1, 1),
    event_timed(2, 'b', 1, 1, 2),
    event_timed(3, 'c', 0, 2, 2),
];

/// Each leaves behind its last event.
const LEAVING: &[Said] = &[
    Said::Leave {
        producer: 0,
        after: 1,
        time: 2,
    },
    Said::Leave {
        producer: 1,
        after: 1,
        time: 1,
    },
];

const LEAVING_LATER: &[Said] = &[
    Said::Leave {
        producer: 0,
        after: 2,
        time: 2,
    },
    Said::Leave {
        producer: 1,
        after: 1,
        time: 2,
    },
];

/// Who comes first is released first, so that the other may be late.
pub(super) const TIMED: Bounds = Bounds {
    name: "times",
    sequencing: Sequencing::Lamport,
    events: TWO_TIMES,
    said: LEAVING,
    ..ALONE
};

pub(super) const TIMED_ALONE: Bounds = Bounds {
    name: "times, one worker that fails",
    sequencing: Sequencing::Lamport,
    events: THREE_TIMES,
    said: LEAVING_LATER,
    keeps_retries: true,
    faults: Faults {
        failures: true,
        ..CALM
    },
    most_faults: Some(1),
    ..ALONE
};

pub(super) const TIMED_CRASH: Bounds = Bounds {
    name: "times, one worker that crashes",
    sequencing: Sequencing::Lamport,
    events: TWO_TIMES,
    said: LEAVING,
    marks_repeats: true,
    faults: Faults {
        crashes: true,
        ..CALM
    },
    most_faults: Some(1),
    ..ALONE
};
