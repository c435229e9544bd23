//! The worlds that are explored.

mod orderly;

use orderly::ALONE;

use crate::bounds::Bounds;

/// For continuous integration: seconds in a build without optimisation.
pub const SHORT: &[Bounds] = &[ALONE];

/// Everything.
pub const FULL: &[Bounds] = &[ALONE];
