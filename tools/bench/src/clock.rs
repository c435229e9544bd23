//! Clocks that all processes of the machine share, and that cost little to read.

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds of the machine's monotonic clock.
pub(crate) fn monotonic() -> u64 {
    read(ClockId::Monotonic)
}

/// Nanoseconds of processor time that this process has used.
pub(crate) fn processor() -> u64 {
    read(ClockId::ProcessCPUTime)
}

fn read(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    u64::try_from(time.tv_sec * 1_000_000_000 + time.tv_nsec).unwrap_or(0)
}
