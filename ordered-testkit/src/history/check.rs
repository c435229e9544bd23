use std::collections::BTreeMap;
use std::fmt;

use super::key::KeyHistory;
use super::{History, Outcome, What};

/// What is promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Promise {
    /// The events of a key commit as 1, 2, 3, …, and a handler starts only after the event before has committed.
    Order,
    /// An event commits once, after its handler got done.
    Once,
    /// What was published is committed or put aside in the end.
    NothingLost,
    /// Two handlers of one key never run at once while leases hold.
    NoOverlap,
}

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub promise: Promise,
    /// At which line, from 1; the one after the last where something is missing at the end.
    pub line: usize,
    /// How.
    pub text: String,
}

pub(super) fn violations(history: &History) -> Vec<Violation> {
    let mut keys = BTreeMap::<&str, KeyHistory<'_>>::new();
    let mut found = Vec::new();
    for (line, entry) in (1..).zip(&history.lines) {
        let mut broken = |promise: Promise, text: String| {
            found.push(Violation {
                promise,
                line,
                text,
            });
        };
        match &entry.what {
            What::Published { event } => keys.entry(&event.key).or_default().published(event),
            What::Started { event, worker } => {
                let key = keys.entry(&event.key).or_default();
                key.started(event, worker, &mut broken);
            }
            What::Handled {
                event,
                worker,
                outcome,
            } => {
                let key = keys.entry(&event.key).or_default();
                key.handled(event, worker, *outcome == Outcome::Done);
            }
            What::Committed { event, .. } => {
                let key = keys.entry(&event.key).or_default();
                key.committed(event, &mut broken);
            }
            What::DeadLettered { event, .. } => {
                keys.entry(&event.key).or_default().dead_lettered(event);
            }
            What::Lapsed { worker } => keys.values_mut().for_each(|key| key.excuse(worker)),
            What::Gone { worker } => keys.values_mut().for_each(|key| key.gone(worker)),
        }
    }
    let line = history.lines.len() + 1;
    let lost = keys.values().flat_map(KeyHistory::lost);
    found.extend(lost.map(|event| Violation {
        promise: Promise::NothingLost,
        line,
        text: format!(
            "{} {} ({}) was published, and neither committed nor put aside",
            event.key, event.seq, event.id
        ),
    }));
    found
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Order => "order",
            Self::Once => "once",
            Self::NothingLost => "nothing lost",
            Self::NoOverlap => "no overlap",
        })
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}: {}", self.line, self.promise, self.text)
    }
}
