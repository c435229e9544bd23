//! The log in which the workers write what they handled, read as it grows.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::support::load::Load;

pub(crate) struct HandledLog {
    path: PathBuf,
    // What was read is kept: tests look again every few milliseconds, at logs of many thousand lines.
    pages: Mutex<Pages>,
}

#[derive(Default)]
struct Pages {
    /// How far the file has been read.
    offset: u64,
    /// A line of which the end is not written yet.
    begun: String,
    by_key: BTreeMap<String, Vec<Handled>>,
    total: usize,
}

/// One line of the log.
#[derive(Debug, Clone)]
pub(crate) struct Handled {
    pub(crate) seq: u64,
    pub(crate) worker: String,
}

impl HandledLog {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            pages: Mutex::default(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// How many lines there are so far.
    pub(crate) fn total(&self) -> usize {
        self.read().total
    }

    /// Whether every key has come to its last event.
    pub(crate) fn is_finished(&self, load: &Load) -> bool {
        let by_key = &self.read().by_key;
        let is_at_end = |handled: &Vec<Handled>| handled.iter().any(|one| one.seq == load.events);
        by_key.len() == load.keys && by_key.values().all(is_at_end)
    }

    /// The keys that are not at their end, with their last lines.
    pub(crate) fn in_the_middle(&self, load: &Load) -> BTreeMap<String, Handled> {
        let by_key = &self.read().by_key;
        let last = by_key.iter().filter_map(|(key, handled)| {
            let last = handled.last().filter(|last| last.seq < load.events)?;
            Some((key.clone(), last.clone()))
        });
        last.collect()
    }

    /// Whether another worker than this one has handled an event of the key beyond `seq`.
    pub(crate) fn goes_on(&self, key: &str, seq: u64, without: &str) -> bool {
        self.read().by_key[key]
            .iter()
            .any(|handled| handled.seq > seq && handled.worker != without)
    }

    /// For every key exactly 1..=events, in order, once.
    pub(crate) fn assert_in_order_once(&self, load: &Load) {
        let by_key = &self.read().by_key;
        assert_eq!(by_key.len(), load.keys);
        for (key, handled) in by_key {
            let seqs: Vec<u64> = handled.iter().map(|one| one.seq).collect();
            let all: Vec<u64> = (1..=load.events).collect();
            assert_eq!(seqs, all, "{key}: {handled:?}");
        }
    }

    /// Whether every key but this one has.
    pub(crate) fn is_finished_but_for(&self, key: &str, load: &Load) -> bool {
        let by_key = &self.read().by_key;
        let mut others = by_key.iter().filter(|(other, _)| *other != key);
        others.clone().count() == load.keys - 1
            && others.all(|(_, handled)| handled.iter().any(|one| one.seq == load.events))
    }

    /// For every key 1..=events in order, nothing missing; an event that was handled twice was in flight in a killed
    /// worker.
    pub(crate) fn assert_repeated_only_by(&self, killed: impl Fn(&str) -> bool, load: &Load) {
        let by_key = &self.read().by_key;
        assert_eq!(by_key.len(), load.keys);
        let mut repeated = 0;
        for (key, handled) in by_key {
            let mut next = 1;
            for (place, one) in handled.iter().enumerate() {
                if one.seq == next {
                    next += 1;
                } else {
                    assert_eq!(one.seq, next - 1, "{key} is out of order: {handled:?}");
                    assert!(
                        killed(&handled[place - 1].worker),
                        "{key}: only what was in flight is repeated: {handled:?}"
                    );
                    repeated += 1;
                }
            }
            assert_eq!(next, load.events + 1, "{key}: nothing is lost");
        }
        println!("{repeated} events were in flight in killed workers");
    }

    /// For every key 1..=events in order, nothing missing, and each key again from an earlier event once at the most:
    /// from one of those that were in flight in the killed worker, which may have been this many.
    pub(crate) fn assert_repeated_only_from(&self, killed: &str, ahead: u64, load: &Load) {
        let by_key = &self.read().by_key;
        assert_eq!(by_key.len(), load.keys);
        for (key, handled) in by_key {
            let (mut next, mut again) = (1, Vec::new());
            for (place, one) in handled.iter().enumerate() {
                if one.seq != next {
                    let before = &handled[place - 1].worker;
                    assert_eq!(before, killed, "{key} has begun again at {}", one.seq);
                    let from = next.saturating_sub(ahead)..next;
                    assert!(from.contains(&one.seq), "{key}: {} after {next}", one.seq);
                    again.push(next - one.seq);
                }
                next = one.seq + 1;
            }
            assert!(again.len() <= 1, "{key} has begun again: {again:?}");
            assert_eq!(next, load.events + 1, "{key}: nothing is lost");
            println!("{key}: {again:?} events were handled again");
        }
    }

    /// For every key up to its last event: one that is not newer was in flight in a worker that was killed.
    pub(crate) fn assert_newer_and_newer(&self, load: &Load) {
        let by_key = &self.read().by_key;
        assert_eq!(by_key.len(), load.keys);
        for (key, handled) in by_key {
            for pair in handled.windows(2) {
                let is_again = pair[0].seq == pair[1].seq && pair[0].worker != pair[1].worker;
                assert!(
                    pair[0].seq < pair[1].seq || is_again,
                    "{key} went back: {handled:?}"
                );
            }
            assert_eq!(
                handled.last().map(|last| last.seq),
                Some(load.events),
                "{key}"
            );
        }
        let written: usize = by_key.values().map(Vec::len).sum();
        println!("{written} of {} were written", load.total());
    }

    fn read(&self) -> MutexGuard<'_, Pages> {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        // Before the first event is handled there may be no file.
        if let Ok(mut file) = File::open(&self.path) {
            pages.read(&mut file);
        }
        pages
    }
}

impl Pages {
    fn read(&mut self, file: &mut File) {
        file.seek(SeekFrom::Start(self.offset)).unwrap();
        let read = file.read_to_string(&mut self.begun).unwrap();
        self.offset += read as u64;
        let Some(end) = self.begun.rfind('\n') else {
            return;
        };
        let rest = self.begun.split_off(end + 1);
        let lines = std::mem::replace(&mut self.begun, rest);
        for line in lines.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let [key, seq, _id, worker] = words[..] else {
                panic!("not a line of a worker: {line:?}");
            };
            let handled = Handled {
                seq: seq.parse().unwrap(),
                worker: worker.to_owned(),
            };
            self.by_key.entry(key.to_owned()).or_default().push(handled);
            self.total += 1;
        }
    }
}
