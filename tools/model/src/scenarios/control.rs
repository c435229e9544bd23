//! Worlds in which somebody says more than events: an operator, or a producer.

use super::deliveries::{ALONE, CALM, ONE, PLAIN, THREE, TWO};
use crate::bounds::{Bounds, Faults, OnGap, Operator, Order, Published, Said, event, event_of};

const FAILING: Faults = Faults {
    failures: true,
    ..CALM
};

const CRASHING: Faults = Faults {
    crashes: true,
    ..CALM
};

const LOSSY: Faults = Faults {
    lost_answers: true,
    ..CALM
};

/// Every verb that moves, stops or changes a key of two events.
const ANY: &[Order] = &[
    Order::Skip,
    Order::Discard(1),
    Order::Discard(2),
    Order::Pause,
    Order::SetLast(0),
    Order::SetLast(2),
];

const SOME: Option<Operator> = Some(Operator {
    orders: &[Order::Skip, Order::Pause],
    times: 1,
});

const ONCE: Option<Operator> = Some(Operator {
    orders: ANY,
    times: 1,
});

/// Only what frees a key.
const FREEING: Option<Operator> = Some(Operator {
    orders: &[],
    times: 0,
});

const REPLAYING: Option<Operator> = Some(Operator {
    orders: &[Order::Replay, Order::Discard(1)],
    times: 1,
});

/// One that never comes.
const HOLE: &[Published] = &[event(1, 'a'), event(3, 'c')];
const HOLE_FILLED: &[Said] = &[Said::Fill { from: 2, to: 2 }];
/// The producer is wrong: it comes all the same.
const FIRST_FILLED: &[Said] = &[Said::Fill { from: 1, to: 1 }];
const UPWARDS: &[Said] = &[Said::Reset { at: 3, epoch: None }];
/// A producer that began again with 1.
const TWO_NUMBERINGS: &[Published] = &[event(1, 'a'), event_of(1, 1, 'b')];
/// The one of the old numbering can only be held.
const HELD_OVER: &[Published] = &[event(2, 'b'), event_of(1, 1, 'c')];
const AGAIN: &[Said] = &[Said::Reset {
    at: 1,
    epoch: Some(1),
}];
/// It began again twice, and an event of the first time comes late.
const DATED: &[Published] = &[event_of(1, 1, 'a')];
const TWICE: &[Said] = &[
    Said::Reset {
        at: 1,
        epoch: Some(1),
    },
    Said::Reset {
        at: 1,
        epoch: Some(2),
    },
];

pub(super) const OPERATED: Bounds = Bounds {
    name: "an operator",
    operator: SOME,
    ..PLAIN
};

pub(super) const OPERATED_TWICE: Bounds = Bounds {
    name: "an operator, twice",
    events: ONE,
    operator: Some(Operator {
        orders: ANY,
        times: 2,
    }),
    ..PLAIN
};

/// The owner has more to do when it is asked for the key.
pub(super) const HANDED_OVER: Bounds = Bounds {
    name: "an operator, three events",
    workers: 1,
    events: THREE,
    operator: ONCE,
    ..PLAIN
};

pub(super) const OPERATED_FAILING: Bounds = Bounds {
    name: "an operator, failing handlers",
    events: ONE,
    operator: SOME,
    faults: FAILING,
    ..PLAIN
};

pub(super) const OPERATED_CRASH: Bounds = Bounds {
    name: "an operator, crashes",
    events: ONE,
    operator: SOME,
    faults: CRASHING,
    most_faults: Some(3),
    ..PLAIN
};

pub(super) const OPERATED_LOST: Bounds = Bounds {
    name: "an operator, lost answers",
    events: ONE,
    operator: SOME,
    faults: LOSSY,
    ..PLAIN
};

pub(super) const DEAD_LETTERS: Bounds = Bounds {
    name: "dead letters",
    attempts: 1,
    dead_letters: true,
    operator: REPLAYING,
    faults: FAILING,
    ..PLAIN
};

pub(super) const DEAD_LETTERS_LOST: Bounds = Bounds {
    name: "dead letters, lost answers",
    events: ONE,
    attempts: 1,
    dead_letters: true,
    operator: REPLAYING,
    faults: Faults {
        failures: true,
        lost_answers: true,
        ..CALM
    },
    ..PLAIN
};

pub(super) const DEAD_LETTERS_CRASH: Bounds = Bounds {
    name: "dead letters, crashes",
    events: ONE,
    attempts: 1,
    dead_letters: true,
    operator: REPLAYING,
    faults: Faults {
        failures: true,
        crashes: true,
        ..CALM
    },
    most_faults: Some(3),
    ..PLAIN
};

pub(super) const SKIPPING: Bounds = Bounds {
    name: "gaps that are skipped",
    on_gap: OnGap::Skip,
    ..PLAIN
};

pub(super) const SKIPPING_MORE: Bounds = Bounds {
    name: "gaps that are skipped, three events",
    events: THREE,
    on_gap: OnGap::Skip,
    ..PLAIN
};

pub(super) const SKIPPING_CRASH: Bounds = Bounds {
    name: "gaps that are skipped, crashes",
    on_gap: OnGap::Skip,
    faults: CRASHING,
    ..ALONE
};

pub(super) const HALTING: Bounds = Bounds {
    name: "gaps that halt",
    on_gap: OnGap::Halt,
    operator: FREEING,
    ..PLAIN
};

pub(super) const FILLED: Bounds = Bounds {
    name: "a gap-fill",
    events: HOLE,
    said: HOLE_FILLED,
    ..PLAIN
};

pub(super) const FILLED_WRONGLY: Bounds = Bounds {
    name: "a gap-fill of what comes",
    events: TWO,
    said: FIRST_FILLED,
    ..PLAIN
};

pub(super) const FILLED_CRASH: Bounds = Bounds {
    name: "a gap-fill of what comes, crashes",
    events: ONE,
    said: FIRST_FILLED,
    faults: CRASHING,
    most_faults: Some(3),
    ..PLAIN
};

pub(super) const RESET_UPWARDS: Bounds = Bounds {
    name: "a reset upwards",
    events: HOLE,
    said: UPWARDS,
    ..PLAIN
};

pub(super) const RENUMBERED: Bounds = Bounds {
    name: "a new numbering",
    events: TWO_NUMBERINGS,
    said: AGAIN,
    ..PLAIN
};

pub(super) const RENUMBERED_CRASH: Bounds = Bounds {
    name: "a new numbering, crashes",
    events: DATED,
    said: AGAIN,
    faults: CRASHING,
    most_faults: Some(3),
    ..PLAIN
};

pub(super) const RENUMBERED_HELD: Bounds = Bounds {
    name: "a new numbering, one held",
    events: HELD_OVER,
    said: AGAIN,
    ..PLAIN
};

pub(super) const RENUMBERED_TWICE: Bounds = Bounds {
    name: "a new numbering, twice",
    workers: 1,
    events: DATED,
    said: TWICE,
    faults: FAILING,
    ..PLAIN
};

pub(super) const GROUP_PAUSED: Bounds = Bounds {
    name: "a group that is paused",
    operator: Some(Operator {
        orders: &[Order::PauseGroup],
        times: 1,
    }),
    ..PLAIN
};

pub(super) const FORCED: Bounds = Bounds {
    name: "an operator with force",
    events: ONE,
    operator: ONCE,
    faults: Faults {
        force: true,
        ..CALM
    },
    ..PLAIN
};

pub(super) const VANISHING: Bounds = Bounds {
    name: "an operator that vanishes",
    events: ONE,
    operator: SOME,
    faults: Faults {
        lost_operators: true,
        ..CALM
    },
    ..PLAIN
};

pub(super) const OPERATED_ALONE: Bounds = Bounds {
    name: "an operator, one worker that fails",
    workers: 1,
    attempts: 1,
    operator: ONCE,
    faults: FAILING,
    ..PLAIN
};

pub(super) const FILLED_ALONE: Bounds = Bounds {
    name: "a gap-fill, one worker",
    workers: 1,
    ..FILLED
};

pub(super) const RENUMBERED_ALONE: Bounds = Bounds {
    name: "a new numbering, one worker",
    workers: 1,
    ..RENUMBERED_HELD
};

pub(super) const DEAD_LETTERS_ALONE: Bounds = Bounds {
    name: "dead letters, one worker",
    workers: 1,
    ..DEAD_LETTERS
};
