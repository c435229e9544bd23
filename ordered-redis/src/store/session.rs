//! What a store keeps in this process of each group that it has opened.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::ids::{Generation, Generations};
use super::sweep::Scan;

/// A group, in one life of its state.
#[derive(Debug)]
pub(super) struct GroupState {
    pub(super) incarnation: u64,
    /// The key of the digests of ids.
    pub(super) secret: [u8; 16],
    pub(super) buckets: Vec<BucketState>,
}

/// What is known of one bucket.
#[derive(Debug)]
pub(super) struct BucketState {
    /// What the names of its structures begin with: `{<prefix>:<group>:<bucket>}:`.
    pub(super) tag: String,
    // Std mutexes: held for a few accesses, and never over an await.
    ids: Mutex<Remembered>,
    scan: Mutex<Scan>,
}

/// What this process knows of the remembered ids of a bucket.
#[derive(Debug)]
pub(super) struct Remembered {
    pub(super) generations: Arc<Generations>,
    /// A bit for each part of the newest generation that has its expiry, as far as this process knows.
    expiring: Vec<u64>,
    /// How many ids this process added since it looked how full the parts are.
    added: u64,
}

impl GroupState {
    pub(super) fn incarnation_text(&self) -> String {
        incarnation_text(self.incarnation)
    }
}

pub(super) fn incarnation_text(incarnation: u64) -> String {
    format!("{incarnation:016x}")
}

impl BucketState {
    pub(super) fn new(tag: &str, generations: Generations) -> Self {
        Self {
            tag: format!("{tag}:"),
            ids: Mutex::new(Remembered::new(Arc::new(generations))),
            scan: Mutex::default(),
        }
    }

    pub(super) fn ids(&self) -> MutexGuard<'_, Remembered> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn scan(&self) -> MutexGuard<'_, Scan> {
        self.scan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn name(&self, structure: &str) -> String {
        format!("{}{structure}", self.tag)
    }
}

impl Remembered {
    /// After how many ids for each part a process looks how full one part is.
    const LOOK_AFTER: u64 = 4;

    fn new(generations: Arc<Generations>) -> Self {
        Self {
            generations,
            expiring: Vec::new(),
            added: 0,
        }
    }

    pub(super) fn learn(&mut self, generations: Generations) {
        if *self.generations != generations {
            *self = Self::new(Arc::new(generations));
        }
    }

    /// Whether this process knows that the part of the newest generation has an expiry.
    pub(super) fn expires(&self, part: u64) -> bool {
        let (word, bit) = place(part);
        self.expiring
            .get(word)
            .is_some_and(|bits| bits >> bit & 1 == 1)
    }

    /// The ids were added to these parts of the generation, and the parts have an expiry.
    pub(super) fn note_added(&mut self, generation: &Generation, parts: impl Iterator<Item = u64>) {
        if self.generations.newest() != generation {
            return;
        }
        for part in parts {
            let (word, bit) = place(part);
            if word >= self.expiring.len() {
                self.expiring.resize(word + 1, 0);
            }
            self.expiring[word] |= 1 << bit;
            self.added += 1;
        }
    }

    /// A part of the newest generation to look at, if it is time for that.
    pub(super) fn part_to_look_at(&mut self) -> Option<u64> {
        let parts = self.generations.newest().parts;
        if self.added < parts.saturating_mul(Self::LOOK_AFTER) {
            return None;
        }
        self.added = 0;
        Some(fastrand::u64(..parts))
    }
}

fn place(part: u64) -> (usize, u64) {
    (usize::try_from(part / 64).unwrap_or(0), part % 64)
}

/// The groups that the clones of a store have opened.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<String, Arc<GroupState>>>);

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<GroupState>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, group: &str, incarnation: u64) -> Option<Arc<GroupState>> {
        let sessions = self.lock();
        let state = sessions.get(group)?;
        (state.incarnation == incarnation).then(|| Arc::clone(state))
    }

    pub(super) fn keep(&self, group: &str, state: &Arc<GroupState>) {
        self.lock().insert(group.to_owned(), Arc::clone(state));
    }
}
