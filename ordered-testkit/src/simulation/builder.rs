use std::time::Duration;

use ordered_core::event::Envelope;

use super::app::App;
use super::failure::Failure;
use super::faults::Faults;
use super::run::{Outcome, Run};
use crate::history::{History, What};

/// The environment variable that makes a simulation repeat the one run with this seed.
pub const SEED: &str = "ORDERED_SEED";

/// The environment variable that says how many runs a simulation makes, whatever its test says.
pub const RUNS: &str = "ORDERED_RUNS";

/// Puts a simulation together: the application, its events, the faults, and how many runs.
#[must_use]
pub struct Simulation {
    app: Box<dyn Fn(u64) -> App>,
    events: Vec<Envelope>,
    faults: Faults,
    workers: usize,
    runs: u64,
    seed: u64,
}

/// How the runs went, when all went well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many runs.
    pub runs: u64,
    /// How many events committed, over all.
    pub committed: u64,
    /// How many times a handler was started.
    pub started: u64,
    /// How many events were dead-lettered by the store, because their attempts were used up.
    pub dead_lettered: u64,
    /// How many times a key was moved past events that had not come.
    pub skipped: u64,
    /// How many deliveries came after that.
    pub late: u64,
    /// How much time they took, as the workers saw it.
    pub simulated: Duration,
}

impl Simulation {
    /// A simulation of what `app` makes; it is called once for each run, so that no run knows of another.
    pub fn new(app: impl Fn() -> App + 'static) -> Self {
        Self::with_seed(move |_| app())
    }

    /// The same, of an application that the seed of the run decides about: its settings, say.
    pub fn with_seed(app: impl Fn(u64) -> App + 'static) -> Self {
        Self {
            app: Box::new(app),
            events: Vec::new(),
            faults: Faults::all(),
            workers: 3,
            runs: 100,
            seed: 1,
        }
    }

    /// The events, in the order in which a producer would publish them. Those of one key begin with 1 and have no gap.
    pub fn events(mut self, events: impl IntoIterator<Item = Envelope>) -> Self {
        self.events = events.into_iter().collect();
        self
    }

    /// Which faults. Default: [all](Faults::all).
    pub fn faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// How many workers at a time. Default 3.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers.max(1);
        self
    }

    /// How many runs, each with the seed after that of the one before. Default 100. The environment variable
    /// [`ORDERED_RUNS`](RUNS) goes before it.
    pub fn runs(mut self, runs: u64) -> Self {
        self.runs = runs;
        self
    }

    /// The seed of the first run. Default 1. The environment variable [`ORDERED_SEED`](SEED) goes before it, and makes
    /// it the only one.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Runs until the first run that goes wrong.
    ///
    /// # Errors
    /// That run, with the seed that repeats it.
    ///
    /// # Panics
    /// When it is called from within an async runtime, or the application's workers cannot be built.
    pub fn run(&self) -> Result<Summary, Failure> {
        let mut summary = Summary::default();
        let (first, runs) = match chosen(SEED) {
            Some(seed) => (seed, 1),
            None => (self.seed, chosen(RUNS).unwrap_or(self.runs)),
        };
        for seed in first..first.saturating_add(runs) {
            let Outcome {
                history,
                problems,
                took,
            } = self.one(seed);
            if !problems.is_empty() {
                return Err(Failure {
                    seed,
                    after: seed - first,
                    problems,
                    history,
                });
            }
            summary.runs += 1;
            summary.simulated += took;
            for line in &history.lines {
                match line.what {
                    What::Committed { .. } => summary.committed += 1,
                    What::Started { .. } => summary.started += 1,
                    What::DeadLetteredInStore { .. } => summary.dead_lettered += 1,
                    What::Skipped { .. } => summary.skipped += 1,
                    What::Late { .. } => summary.late += 1,
                    _ => {}
                }
            }
        }
        Ok(summary)
    }

    /// The same, and panics with the seed and the history of the run that went wrong.
    ///
    /// # Panics
    /// When a run goes wrong.
    #[expect(clippy::panic, reason = "it is an assertion")]
    pub fn assert(&self) -> Summary {
        self.run().unwrap_or_else(|failure| panic!("{failure}"))
    }

    /// The history of the run with this seed, however it went.
    #[must_use]
    pub fn history(&self, seed: u64) -> History {
        self.one(seed).history
    }

    fn one(&self, seed: u64) -> Outcome {
        Run {
            app: (self.app)(seed),
            events: &self.events,
            faults: self.faults,
            workers: self.workers,
            seed,
        }
        .go()
    }
}

fn chosen(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.trim().parse().ok()
}
