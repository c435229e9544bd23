use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::faults::Faults;
use crate::history::{History, Line, What};

/// Writes the history of a run down, and holds what all parts of it share: the faults and the dice.
#[derive(Clone)]
pub(super) struct Recorder {
    shared: Arc<Mutex<Shared>>,
    faults: Faults,
    begun: Instant,
}

struct Shared {
    history: History,
    random: fastrand::Rng,
    /// Until when each worker's lease is good, as the store has it.
    leases: BTreeMap<String, Instant>,
    /// Faults happen.
    stormy: bool,
    store_away: bool,
}

impl Recorder {
    pub(super) fn new(faults: Faults, seed: u64) -> Self {
        Self {
            shared: Arc::new(Mutex::new(Shared {
                history: History::default(),
                random: fastrand::Rng::with_seed(seed),
                leases: BTreeMap::new(),
                stormy: !faults.weather.is_zero(),
                store_away: false,
            })),
            faults,
            begun: Instant::now(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Writes a line, after those that say whose leases have ended meanwhile.
    pub(super) fn write(&self, what: What) {
        let now = Instant::now();
        let at = u64::try_from((now - self.begun).as_millis()).unwrap_or(u64::MAX);
        let mut shared = self.lock();
        let Shared {
            leases, history, ..
        } = &mut *shared;
        leases.retain(|worker, end| {
            let good = now < *end;
            if !good {
                let worker = worker.clone();
                let what = What::Lapsed { worker };
                history.lines.push(Line { at, what });
            }
            good
        });
        history.lines.push(Line { at, what });
    }

    /// A heartbeat has reached the store.
    pub(super) fn beaten(&self, worker: &str, lease: Duration) {
        let now = Instant::now();
        let before = self.lock().leases.get(worker).copied();
        if before.is_some_and(|end| end <= now) {
            self.write(What::Lapsed {
                worker: worker.to_owned(),
            });
        }
        self.lock().leases.insert(worker.to_owned(), now + lease);
    }

    /// The worker has left, or is dead.
    pub(super) fn gone(&self, worker: &str) {
        self.lock().leases.remove(worker);
        self.write(What::Gone {
            worker: worker.to_owned(),
        });
    }

    pub(super) fn take(&self) -> History {
        std::mem::take(&mut self.lock().history)
    }

    pub(super) fn clear_up(&self) {
        let mut shared = self.lock();
        shared.stormy = false;
        shared.store_away = false;
    }

    pub(super) fn set_store_away(&self, away: bool) {
        let mut shared = self.lock();
        shared.store_away = away && shared.stormy;
    }

    pub(super) fn is_store_away(&self) -> bool {
        self.lock().store_away
    }

    /// Whether a fault of so many percent happens now.
    pub(super) fn chance(&self, percent: u8) -> bool {
        let mut shared = self.lock();
        shared.stormy && percent > 0 && shared.random.u8(0..100) < percent
    }

    /// A time up to this.
    pub(super) fn up_to(&self, most: Duration) -> Duration {
        most.mul_f64(self.lock().random.f64())
    }

    pub(super) fn pick(&self, below: usize) -> usize {
        self.lock().random.usize(0..below)
    }

    pub(super) fn number(&self) -> u64 {
        self.lock().random.u64(..)
    }

    /// What a call that is slow waits for; nothing where nothing is slow.
    pub(super) async fn dawdle(&self, most: Duration) {
        if !most.is_zero() {
            tokio::time::sleep(self.up_to(most)).await;
        }
    }
}
