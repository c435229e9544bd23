use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ordered_testkit::history::{History, What};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::Error;

/// The history as far as it was read.
#[derive(Clone)]
pub(crate) struct Tail {
    read: Arc<Mutex<Reading>>,
    /// The sum of how far all keys have come.
    progress: watch::Sender<u64>,
}

struct Reading {
    file: File,
    /// The beginning of a line whose end is not there yet.
    rest: Vec<u8>,
    history: History,
    /// Lines that a killed process left half written.
    torn: usize,
    /// By key, the last seq that has surely committed.
    reached: HashMap<String, u64>,
    total: u64,
    /// The ids of events that committed, as far as a worker had the time to write it down.
    committed: HashSet<String>,
    last_progress: Instant,
    /// Workers that got as far as a lease.
    leased: BTreeSet<String>,
}

impl Tail {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let read = Reading {
            file: File::open(path)?,
            rest: Vec::new(),
            history: History::default(),
            torn: 0,
            reached: HashMap::new(),
            total: 0,
            committed: HashSet::new(),
            last_progress: Instant::now(),
            leased: BTreeSet::new(),
        };
        Ok(Self {
            read: Arc::new(Mutex::new(read)),
            progress: watch::Sender::new(0),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Reading> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows the file for as long as it is polled.
    pub(crate) async fn follow(&self) -> Result<(), Error> {
        loop {
            self.catch_up()?;
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Reads what is there.
    pub(crate) fn catch_up(&self) -> Result<(), Error> {
        let mut reading = self.lock();
        reading.more()?;
        let total = reading.total;
        drop(reading);
        self.progress.send_if_modified(|known| {
            let more = *known < total;
            *known = total;
            more
        });
        Ok(())
    }

    pub(crate) fn progress(&self) -> u64 {
        *self.progress.borrow()
    }

    /// Waits until all keys together have come so far.
    pub(crate) async fn at_least(&self, progress: u64) {
        // It cannot fail: the sender is in `self`.
        let _ = self
            .progress
            .subscribe()
            .wait_for(|now| *now >= progress)
            .await;
    }

    pub(crate) fn since_progress(&self) -> Duration {
        self.lock().last_progress.elapsed()
    }

    pub(crate) fn has_committed(&self, id: &str) -> bool {
        self.lock().committed.contains(id)
    }

    pub(crate) fn was_leased(&self, worker: &str) -> bool {
        self.lock().leased.contains(worker)
    }

    /// The history, and how many lines of it were torn.
    pub(crate) fn take(&self) -> (History, usize) {
        let mut reading = self.lock();
        (std::mem::take(&mut reading.history), reading.torn)
    }
}

impl Reading {
    fn more(&mut self) -> Result<(), Error> {
        let mut bytes = std::mem::take(&mut self.rest);
        self.file.read_to_end(&mut bytes)?;
        let mut lines = bytes.split(|byte| *byte == b'\n');
        // What comes after the last newline is not whole yet.
        let rest = lines.next_back().unwrap_or_default().to_vec();
        for line in lines.filter(|line| !line.is_empty()) {
            self.line(line);
        }
        self.rest = rest;
        Ok(())
    }

    fn line(&mut self, line: &[u8]) {
        let Ok(line) = serde_json::from_slice::<ordered_testkit::history::Line>(line) else {
            self.torn += 1;
            return;
        };
        match &line.what {
            What::Committed { event, .. } => {
                self.reach(&event.key, event.seq);
                self.committed.insert(event.id.clone());
            }
            // That the next one starts says that the one before has committed.
            What::Started { event, .. } => self.reach(&event.key, event.seq - 1),
            What::Leased { worker, .. } => {
                self.leased.insert(worker.clone());
            }
            _ => {}
        }
        self.history.lines.push(line);
    }

    fn reach(&mut self, key: &str, seq: u64) {
        if let Some(last) = self.reached.get_mut(key) {
            if *last < seq {
                self.total += seq - *last;
                *last = seq;
                self.last_progress = Instant::now();
            }
        } else {
            self.total += seq;
            self.reached.insert(key.to_owned(), seq);
            self.last_progress = Instant::now();
        }
    }
}
