use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::faults::Faults;
use crate::history::{Event, History, Line, What};

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
    /// What was published: by key and seq, the ids.
    published: BTreeMap<String, BTreeMap<u64, Vec<String>>>,
    /// Something was published that is no event: control messages, perhaps.
    has_control_messages: bool,
    /// Faults happen.
    faults_happen: bool,
    store_down: bool,
}

impl Recorder {
    pub(super) fn new(faults: Faults, seed: u64) -> Self {
        Self {
            shared: Arc::new(Mutex::new(Shared {
                history: History::default(),
                random: fastrand::Rng::with_seed(seed),
                leases: BTreeMap::new(),
                published: BTreeMap::new(),
                has_control_messages: false,
                faults_happen: !faults.duration.is_zero(),
                store_down: false,
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

    /// An event is published.
    pub(super) fn publish(&self, event: Event) {
        let mut shared = self.lock();
        let seqs = shared.published.entry(event.key.clone()).or_default();
        seqs.entry(event.seq).or_default().push(event.id.clone());
        drop(shared);
        self.write(What::Published { event });
    }

    /// What is no event of the handler is published.
    pub(super) fn publish_control_message(&self) {
        self.lock().has_control_messages = true;
    }

    pub(super) fn has_control_messages(&self) -> bool {
        self.lock().has_control_messages
    }

    /// The ids of what was published under a seq.
    pub(super) fn published_at(&self, key: &str, seq: u64) -> Vec<String> {
        let shared = self.lock();
        let ids = shared.published.get(key).and_then(|seqs| seqs.get(&seq));
        ids.cloned().unwrap_or_default()
    }

    /// The seqs and ids of what was published above a seq, in order.
    pub(super) fn published_above(&self, key: &str, seq: u64) -> Vec<(u64, String)> {
        let shared = self.lock();
        let seqs = shared.published.get(key).into_iter();
        let above = seqs.flat_map(|seqs| seqs.range(seq + 1..));
        above
            .flat_map(|(seq, ids)| ids.iter().map(|id| (*seq, id.clone())))
            .collect()
    }

    /// A heartbeat has reached the store.
    pub(super) fn leased(&self, worker: &str, lease: Duration) {
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

    pub(super) fn end_faults(&self) {
        let mut shared = self.lock();
        shared.faults_happen = false;
        shared.store_down = false;
    }

    pub(super) fn set_store_down(&self, down: bool) {
        let mut shared = self.lock();
        shared.store_down = down && shared.faults_happen;
    }

    pub(super) fn is_store_down(&self) -> bool {
        self.lock().store_down
    }

    /// Whether a fault of so many percent happens now.
    pub(super) fn chance(&self, percent: u8) -> bool {
        let mut shared = self.lock();
        shared.faults_happen && percent > 0 && shared.random.u8(0..100) < percent
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
    pub(super) async fn delay_up_to(&self, most: Duration) {
        if !most.is_zero() {
            tokio::time::sleep(self.up_to(most)).await;
        }
    }
}
