//! The numbers of calls, by which Redis knows one that comes too late; see `lua/calls.lua`.

use std::sync::atomic::{AtomicU64, Ordering};

/// What stands for a number where a call comes from nobody's lane.
pub(super) const NOT_NUMBERED: (&str, u64) = ("", 0);

/// Numbers the calls of one store. Another store, even of a worker of the same name, numbers its own.
#[derive(Debug)]
pub(super) struct Calls {
    run: String,
    last: AtomicU64,
}

impl Calls {
    pub(super) fn new() -> Self {
        Self {
            run: format!("{:016x}", fastrand::u64(..)),
            last: AtomicU64::new(0),
        }
    }

    /// Which run it is, and the next number: from 1, each larger than the one before.
    pub(super) fn number(&self) -> (&str, u64) {
        // Only the number counts: nothing else is published with it.
        (&self.run, self.last.fetch_add(1, Ordering::Relaxed) + 1)
    }
}
