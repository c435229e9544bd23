use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Schedule;
use crate::clock;

const REPORT_INTERVAL: Duration = Duration::from_millis(10);
/// How many times it tells for each look at its memory.
const MEMORY_TICKS: u64 = 50;

/// Counts what a subject does, and when it began and was done.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    received: AtomicU64,
    done: AtomicU64,
    /// When the first delivery came, and what processor time had been used by then.
    first: AtomicU64,
    processor: AtomicU64,
    last: AtomicU64,
    handled: AtomicU64,
    handler_nanos: AtomicU64,
    pub(super) round_trips: AtomicU64,
    allocations: AtomicU64,
    schedule: Option<Schedule>,
    // A std mutex: held to push a number, in the one load that asks for latencies.
    latencies: Mutex<Vec<u64>>,
    // A std mutex: held to push a number twice a second.
    resident_bytes: Mutex<Vec<u64>>,
}

/// What a subject tells the runner, a line of JSON each.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Progress {
    Sofar { received: u64, done: u64 },
    Finished(Report),
}

/// What a subject has seen of itself. Times in nanoseconds of the machine's monotonic clock.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) received: u64,
    pub(crate) done: u64,
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// Processor time from the first delivery on.
    pub(crate) processor: u64,
    pub(crate) round_trips: u64,
    /// How long a run of the handler took, on average; 0 where it does nothing.
    pub(crate) handler: u64,
    pub(crate) allocations: Option<u64>,
    /// In each quarter of the run.
    pub(crate) resident_bytes: [u64; 4],
    pub(crate) latency: Option<Quantiles>,
}

/// Nanoseconds.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Quantiles {
    pub(crate) median: u64,
    pub(crate) p99: u64,
    pub(crate) p999: u64,
    pub(crate) max: u64,
}

impl Meter {
    pub(super) fn new(schedule: Option<Schedule>) -> Self {
        Self {
            schedule,
            ..Self::default()
        }
    }

    /// So many deliveries came.
    pub(super) fn received(&self, count: u64) {
        if self.received.fetch_add(count, Ordering::Relaxed) == 0 {
            self.processor.store(clock::processor(), Ordering::Relaxed);
            self.allocations.store(allocations(), Ordering::Relaxed);
            self.first.store(clock::monotonic(), Ordering::Relaxed);
        }
    }

    /// So many events are done permanently.
    pub(super) fn done(&self, count: u64) {
        self.last.store(clock::monotonic(), Ordering::Relaxed);
        self.done.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn handled(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.handler_nanos.fetch_add(nanos, Ordering::Relaxed);
        self.handled.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn round_trip(&self) {
        self.round_trips.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn has_schedule(&self) -> bool {
        self.schedule.is_some()
    }

    /// The event at this place among all is done; counts where the load has a schedule.
    pub(super) fn arrived(&self, index: u64) {
        if let Some(Schedule { start, interval }) = self.schedule {
            let late = clock::monotonic().saturating_sub(start + index * interval);
            lock(&self.latencies).push(late);
        }
    }

    fn note_memory(&self) {
        lock(&self.resident_bytes).push(resident_bytes());
    }

    /// The median of the resident memory in each quarter of the samples.
    fn quarters(&self) -> [u64; 4] {
        self.note_memory();
        let samples = lock(&self.resident_bytes);
        std::array::from_fn(|quarter| {
            let (from, to) = (
                samples.len() * quarter / 4,
                samples.len() * (quarter + 1) / 4,
            );
            let mut some = samples[from..to.max(from + 1).min(samples.len())].to_vec();
            some.sort_unstable();
            some.get(some.len() / 2).copied().unwrap_or(0)
        })
    }

    pub(super) fn report(&self) -> Report {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut latencies = lock(&self.latencies);
        Report {
            received: read(&self.received),
            done: read(&self.done),
            first: read(&self.first),
            last: read(&self.last),
            processor: clock::processor() - read(&self.processor),
            round_trips: read(&self.round_trips),
            handler: read(&self.handler_nanos)
                .checked_div(read(&self.handled))
                .unwrap_or(0),
            allocations: cfg!(feature = "allocations")
                .then(|| allocations() - read(&self.allocations)),
            resident_bytes: self.quarters(),
            latency: Quantiles::of(&mut latencies),
        }
    }
}

impl Quantiles {
    fn of(nanos: &mut [u64]) -> Option<Self> {
        nanos.sort_unstable();
        let last = nanos.len().checked_sub(1)?;
        let at = |thousandths: usize| nanos[last * thousandths / 1_000];
        Some(Self {
            median: at(500),
            p99: at(990),
            p999: at(999),
            max: nanos[last],
        })
    }
}

/// Tells the runner every now and then how far it is.
pub(super) async fn report_progress(meter: Arc<Meter>) {
    let mut reported = (0, 0);
    for tick in 0_u64.. {
        tokio::time::sleep(REPORT_INTERVAL).await;
        if tick % MEMORY_TICKS == 0 {
            meter.note_memory();
        }
        let sofar = (
            meter.received.load(Ordering::Relaxed),
            meter.done.load(Ordering::Relaxed),
        );
        if sofar != reported {
            let (received, done) = sofar;
            print(&Progress::Sofar { received, done });
            reported = sofar;
        }
    }
}

pub(super) fn print(progress: &Progress) {
    let line = serde_json::to_string(progress).unwrap_or_default();
    // A runner that is gone needs to be told nothing.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(feature = "allocations")]
fn allocations() -> u64 {
    let stats = crate::ALLOCATOR.stats();
    (stats.allocations + stats.reallocations) as u64
}

#[cfg(not(feature = "allocations"))]
fn allocations() -> u64 {
    0
}

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * rustix::param::page_size() as u64
}
