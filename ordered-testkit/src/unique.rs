use std::process;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// A name that nothing else uses: for the queues, groups and prefixes of one test on a server shared with others.
#[must_use]
pub fn unique(name: &str) -> String {
    static RUN: LazyLock<u32> = LazyLock::new(|| fastrand::u32(..));
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{name}-{}-{:08x}-{next}", process::id(), *RUN)
}
