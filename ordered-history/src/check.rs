use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ordered_core::protocol::Order;

use super::key::{KeyHistory, Start};
use super::{Event, History, Outcome, What};

/// What is promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Promise {
    /// What the [order](Rules::order) of the events says. In `sequence` they commit as 1, 2, 3, …, and a handler starts
    /// only after the event before has committed, or was dead-lettered in the store or skipped. By [`Rules`] it may
    /// start a few events earlier: after the same worker got those before it done, or in one run with them.
    Order,
    /// An event commits once, after its handler got done.
    Once,
    /// What was published is committed, dead-lettered or late in the end.
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

/// How the lines of commits come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Commits {
    /// Each is written in the moment of the commit, by one writer that sees all.
    #[default]
    Exact,
    /// Each worker writes its own after the store has answered: late, so that a line of another worker may come before
    /// it, or never, if the worker was killed in between. That a handler of the next event starts then says that the
    /// event has committed, and where the store [stands](What::Standing) in the end.
    Reported,
}

/// What a history is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// In which order the events of a key run.
    ///
    /// - `Sequence`: 1, 2, 3, ….
    /// - `Arrival`: the same, the seqs of the lines being the places in which the events arrived.
    /// - `Monotonic`: none that is older than one that has committed starts. One below the newest need not commit.
    /// - `Causal`: each starts only after those that it [follows](What::Follows) have committed, or were dead-lettered.
    pub order: Order,
    /// How the lines of commits come about.
    pub commits: Commits,
    /// How many events that are done and not committed the start of a handler may have before it.
    pub commit_window: u64,
    /// How many events of a key a handler may take together.
    pub batch: u64,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            order: Order::Sequence,
            commits: Commits::Exact,
            commit_window: 0,
            batch: 1,
        }
    }
}

pub(super) fn violations(history: &History, rules: Rules) -> Vec<Violation> {
    let mut check = Check::default();
    for (line, entry) in (1..).zip(&history.lines) {
        check.lapse(entry.at);
        check.read(line, &entry.what, rules);
    }
    check.end(history.lines.len() + 1, rules);
    check.found
}

#[derive(Default)]
struct Check<'a> {
    keys: BTreeMap<&'a str, KeyHistory<'a>>,
    /// Until when the leases are good that end by themselves.
    leases: BTreeMap<&'a str, u64>,
    /// Whose lease has ended at least once, or who is dead.
    lapsed: BTreeSet<&'a str>,
    found: Vec<Violation>,
}

impl<'a> Check<'a> {
    /// Ends the leases that are over at this time.
    fn lapse(&mut self, now: u64) {
        let mut over = Vec::new();
        self.leases.retain(|worker, until| {
            let is_over = *until <= now;
            if is_over {
                over.push(*worker);
            }
            !is_over
        });
        for worker in over {
            self.lapsed.insert(worker);
            self.keys.values_mut().for_each(|key| key.excuse(worker));
        }
    }

    fn read(&mut self, line: usize, what: &'a What, rules: Rules) {
        let found = &mut self.found;
        let mut broken = |promise: Promise, text: String| {
            found.push(Violation {
                promise,
                line,
                text,
            });
        };
        let keys = &mut self.keys;
        match what {
            What::Published { event } => keys.entry(&event.key).or_default().published(event),
            What::Follows { event, seqs } => {
                keys.entry(&event.key).or_default().follows(event, seqs);
            }
            What::Started {
                event,
                worker,
                fence,
                run,
            } => {
                let start = Start {
                    event,
                    worker,
                    fence: *fence,
                    run: *run,
                };
                let key = keys.entry(&event.key).or_default();
                key.started(start, &self.lapsed, rules, &mut broken);
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
                key.committed(event, rules, &mut broken);
            }
            What::DeadLettered { event, .. } => {
                let key = keys.entry(&event.key).or_default();
                key.dead_lettered(event, rules, &mut broken);
            }
            What::DeadLetteredInStore { event, .. } => {
                let key = keys.entry(&event.key).or_default();
                key.dead_lettered_in_store(event, rules, &mut broken);
            }
            What::Skipped { key, from, to, .. } => {
                let history = keys.entry(key).or_default();
                history.skipped((key, *from, *to), rules, &mut broken);
            }
            What::Late { event } => keys.entry(&event.key).or_default().late(event, &mut broken),
            What::Renumbered { key, last_seq } => {
                keys.entry(key).or_default().renumbered(*last_seq);
            }
            What::Leased { worker, until } => {
                self.leases.insert(worker, *until);
            }
            What::Lapsed { worker } => {
                self.lapsed.insert(worker);
                keys.values_mut().for_each(|key| key.excuse(worker));
            }
            What::Gone { worker } => {
                self.leases.remove(worker.as_str());
                self.lapsed.insert(worker);
                keys.values_mut().for_each(|key| key.gone(worker));
            }
            What::Standing { key, last_seq } => keys.entry(key).or_default().stands(*last_seq),
        }
    }

    /// What shows only once everything was read.
    fn end(&mut self, line: usize, rules: Rules) {
        let mut lost = |text| {
            self.found.push(Violation {
                promise: Promise::NothingLost,
                line,
                text,
            });
        };
        for (name, key) in &self.keys {
            for Event { key, seq, id } in key.lost(rules) {
                lost(format!(
                    "{key} {seq} ({id}) was published, and neither committed nor dead-lettered"
                ));
            }
            if let Some((last, standing)) = key.forgotten() {
                lost(format!(
                    "{name} {last} has committed, and the store stands at {standing}"
                ));
            }
        }
    }
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
