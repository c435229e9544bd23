//! The worlds that are explored.

mod faulty;
mod ordered;
mod orderly;

use faulty::{
    ALONE, ALONE_CRASH, COLLIDED_CRASH, COPIES, CRASHING, CUT, FAILING, FORGETFUL, LOST,
    ONE_FAILED, ONE_PAUSED, ONE_PAUSED_LONG, ONE_WORST, PAUSED, REPEATED_CRASH, RESTARTING,
    STEPPED, THREE_CRASH, THREE_LOST,
};
use ordered::{
    ASIDE, ASIDE_ALONE, ASIDE_CRASH, ASIDE_LOST, FILLED, FILLED_ALONE, FILLED_CRASH,
    FILLED_WRONGLY, HALTING, OPERATED, OPERATED_ALONE, OPERATED_CRASH, OPERATED_FAILING,
    OPERATED_LOST, OPERATED_TWICE, RENUMBERED, RENUMBERED_ALONE, RENUMBERED_CRASH, RENUMBERED_HELD,
    RENUMBERED_TWICE, RESET_UPWARDS, SKIPPING, SKIPPING_CRASH, SKIPPING_MORE,
};
use orderly::{COLLIDING, GAPS, PLAIN, QUOTA, REPEATED, REPEATING};

use crate::bounds::Bounds;
use crate::mutation::Mutation;

/// For continuous integration: seconds in a build without optimisation.
pub const SHORT: &[Bounds] = &[
    PLAIN,
    LOST,
    REPEATED,
    ONE_PAUSED,
    COLLIDING,
    OPERATED_TWICE,
    FILLED_ALONE,
    RENUMBERED_ALONE,
    ASIDE_ALONE,
];

/// In which mistakes with events are hunted, small worlds first.
const EVENTS: &[Bounds] = &[
    PLAIN, LOST, REPEATED, ONE_PAUSED, COLLIDING, GAPS, COPIES, ALONE, FAILING, CRASHING, PAUSED,
];

/// In which mistakes with what operators and producers say are hunted.
const ORDERS: &[Bounds] = &[
    ASIDE_ALONE,
    FILLED_ALONE,
    RENUMBERED_ALONE,
    OPERATED_TWICE,
    SKIPPING,
    RENUMBERED_TWICE,
    OPERATED_ALONE,
    ASIDE,
    OPERATED,
    FILLED_WRONGLY,
];

impl Mutation {
    /// The worlds in which it is hunted.
    #[must_use]
    pub fn worlds(self) -> &'static [Bounds] {
        if self.is_about_orders() {
            ORDERS
        } else {
            EVENTS
        }
    }
}

/// Everything.
pub const FULL: &[Bounds] = &[
    PLAIN,
    GAPS,
    QUOTA,
    LOST,
    COPIES,
    REPEATING,
    REPEATED_CRASH,
    COLLIDING,
    COLLIDED_CRASH,
    FAILING,
    ALONE,
    ALONE_CRASH,
    CRASHING,
    RESTARTING,
    CUT,
    FORGETFUL,
    STEPPED,
    THREE_LOST,
    THREE_CRASH,
    ONE_PAUSED,
    ONE_PAUSED_LONG,
    ONE_WORST,
    ONE_FAILED,
    PAUSED,
    OPERATED,
    OPERATED_TWICE,
    OPERATED_ALONE,
    OPERATED_FAILING,
    OPERATED_CRASH,
    OPERATED_LOST,
    ASIDE_ALONE,
    ASIDE,
    ASIDE_LOST,
    ASIDE_CRASH,
    SKIPPING,
    SKIPPING_MORE,
    SKIPPING_CRASH,
    HALTING,
    FILLED_ALONE,
    FILLED,
    FILLED_WRONGLY,
    FILLED_CRASH,
    RESET_UPWARDS,
    RENUMBERED_ALONE,
    RENUMBERED,
    RENUMBERED_HELD,
    RENUMBERED_CRASH,
    RENUMBERED_TWICE,
];
