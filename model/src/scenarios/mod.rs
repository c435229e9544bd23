//! The worlds that are explored.

mod faulty;
mod orderly;

use faulty::{
    ALONE, ALONE_CRASH, COLLIDED_CRASH, COPIES, CRASHING, CUT, FAILING, FORGETFUL, LOST,
    ONE_FAILED, ONE_PAUSED, ONE_PAUSED_LONG, ONE_WORST, PAUSED, REPEATED_CRASH, RESTARTING,
    STEPPED, THREE_CRASH, THREE_LOST,
};
use orderly::{COLLIDING, GAPS, PLAIN, QUOTA, REPEATED, REPEATING};

use crate::bounds::Bounds;

/// For continuous integration: seconds in a build without optimisation.
pub const SHORT: &[Bounds] = &[PLAIN, LOST, REPEATED, ONE_PAUSED, COLLIDING];

/// In which mistakes are hunted, small worlds first.
pub const HUNTING: &[Bounds] = &[
    PLAIN, LOST, REPEATED, ONE_PAUSED, COLLIDING, GAPS, COPIES, ALONE, FAILING, CRASHING, PAUSED,
];

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
];
