//! What came of a run.

mod count;
mod document;
mod table;

use std::time::Duration;

use ordered_testkit::history::{Promise, Rules};
use serde::Serialize;

pub use document::write_document;
pub use table::{heading, row};

use crate::environment::Tail;
use crate::fault::{Fault, StallCause};
use crate::run::Plan;
use crate::schedule::Injected;
use crate::worker::HandlerFaults;
use count::Counts;

/// Beyond what explains a stall: machines are busy with other things, too.
const SLACK: Duration = Duration::from_secs(3);
/// So many violations are said word by word.
const WORDS: usize = 20;

/// What the run saw beside its history.
#[derive(Debug, Default)]
pub(crate) struct Observations {
    pub(crate) seed: u64,
    pub(crate) events: usize,
    pub(crate) injected: Injected,
    pub(crate) died: Vec<String>,
    pub(crate) delivered: usize,
    pub(crate) refused: u64,
    pub(crate) hours_apart: Option<u64>,
    pub(crate) took: Duration,
    /// Runs that came again and that the history does not show.
    pub(crate) run_again: usize,
    pub(crate) problems: Vec<String>,
}

impl Observations {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            seed: plan.seed,
            events: plan.events,
            ..Self::default()
        }
    }
}

/// What came of one run of one fault.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The fault.
    pub fault: String,
    /// In words.
    pub what: String,
    /// What decided it.
    pub seed: u64,
    /// How often it was injected; failed, panicked and stopped runs of the handler count where they are the fault.
    pub injected: usize,
    /// How many events there were.
    pub events: usize,
    /// How many messages the producer published for them, not counting what it had to publish again.
    pub published: usize,
    /// How many batches the producer had to publish again, because the broker did not confirm them.
    pub refused: u64,
    /// Events that had neither committed nor been dead-lettered in the end.
    pub lost: usize,
    /// Events that were handled or committed out of order.
    pub reordered: usize,
    /// Events that committed twice, or ran again without a reason.
    pub doubled: usize,
    /// Handlers of one key that ran at once while both leases held.
    pub overlapped: usize,
    /// Runs of handlers that came again after a crash or a lost lease: at least once.
    pub run_again: usize,
    /// Runs that failed, panicked or were stopped.
    pub failed: usize,
    /// Events that claimed the place of another, and were dead-lettered.
    pub dead_lettered: usize,
    /// Workers that ended by themselves.
    pub died: usize,
    /// The longest time without any commit, in milliseconds.
    pub longest_stall_ms: u64,
    /// The longest time in which one key did not move on, in milliseconds.
    pub longest_stall_of_a_key_ms: u64,
    /// What explains a stall.
    pub explained_by: String,
    /// The longest stall that this explains, in milliseconds.
    pub explained_ms: u64,
    /// By how many hours the workers' clocks were apart.
    pub hours_apart: Option<u64>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// What was wrong, in words.
    pub problems: Vec<String>,
}

impl Report {
    pub(crate) fn new(
        fault: &Fault,
        observations: Observations,
        tail: &Tail,
        rules: Rules,
    ) -> Self {
        let (history, torn) = tail.take();
        let violations = history.violations_by(rules);
        let broken = |promise| violations.iter().filter(|it| it.promise == promise).count();
        let counts = Counts::of(&history);
        let (explained_by, explained) = explain(fault.stall, observations.injected.longest);
        // What the handler did wrong counts, where it is meant to.
        let by_handler = if fault.handler_faults == HandlerFaults::default() {
            0
        } else {
            counts.failed + observations.died.len()
        };
        let injected = observations.injected.count + by_handler;
        let mut problems = observations.problems;
        let words = violations.iter().take(WORDS).map(ToString::to_string);
        problems.extend(words);
        problems.extend(counts.wrong_dead_letters.iter().take(WORDS).cloned());
        if !fault.handler_faults.may_abort() {
            problems.extend(observations.died.iter().cloned());
        }
        if torn > observations.injected.count + observations.died.len() {
            problems.push(format!("{torn} lines of the history cannot be read"));
        }
        if observations.hours_apart == Some(0) {
            problems.push("the workers' clocks were not moved".into());
        }
        if counts.longest_stall > explained + SLACK {
            let (stall, explained) = (counts.longest_stall, explained + SLACK);
            problems.push(format!(
                "a stall of {stall:?}, and no more than {explained:?} is explained"
            ));
        }
        Self {
            fault: fault.name.into(),
            what: fault.what.into(),
            seed: observations.seed,
            injected,
            events: observations.events,
            published: observations.delivered,
            refused: observations.refused,
            lost: broken(Promise::NothingLost),
            reordered: broken(Promise::Order),
            doubled: broken(Promise::Once),
            overlapped: broken(Promise::NoOverlap),
            run_again: counts.run_again + observations.run_again,
            failed: counts.failed,
            dead_lettered: counts.dead_lettered,
            died: observations.died.len(),
            longest_stall_ms: milliseconds(counts.longest_stall),
            longest_stall_of_a_key_ms: milliseconds(counts.longest_stall_of_a_key),
            explained_by,
            explained_ms: milliseconds(explained),
            hours_apart: observations.hours_apart,
            took_ms: milliseconds(observations.took),
            problems,
        }
    }

    /// Whether every promise was kept, and nothing was strange.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.problems.is_empty()
    }
}

/// In words, and the sum.
fn explain(causes: &[StallCause], longest_injection: Duration) -> (String, Duration) {
    let named = |cause: &StallCause| {
        let most = cause.at_most(longest_injection);
        (format!("{} {:.1}", cause.words(), most.as_secs_f64()), most)
    };
    let named: Vec<_> = causes.iter().map(named).collect();
    let sum = named.iter().map(|(_, most)| *most).sum();
    let words: Vec<_> = named.into_iter().map(|(words, _)| words).collect();
    if words.is_empty() {
        return ("nothing to wait for".into(), sum);
    }
    (words.join(" + "), sum)
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
