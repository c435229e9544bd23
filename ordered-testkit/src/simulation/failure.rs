use std::fmt;

use super::builder::SEED;
use crate::history::{History, Line, Violation};

/// What went wrong in a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// A promise of the framework was broken.
    Broken(Violation),
    /// Long after the last fault, not everything had come to its end.
    Stalled(String),
    /// What the application expects did not hold.
    Application(String),
}

/// A run that went wrong.
pub struct Failure {
    /// The seed that repeats it.
    pub seed: u64,
    /// How many runs before it went well.
    pub after: u64,
    /// What went wrong.
    pub problems: Vec<Problem>,
    /// What happened.
    pub history: History,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(violation) => violation.fmt(f),
            Self::Stalled(text) => write!(f, "stalled: {text}"),
            Self::Application(text) => write!(f, "the application: {text}"),
        }
    }
}

/// How many lines of the history before the first violation are shown.
const SHOWN: usize = 40;

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, after, .. } = self;
        writeln!(
            f,
            "seed {seed} went wrong, after {after} runs that went well"
        )?;
        for problem in self.problems.iter().take(10) {
            writeln!(f, "  {problem}")?;
        }
        writeln!(f, "to repeat it: {SEED}={seed} cargo test <the test>")?;
        let last = self.problems.iter().find_map(|problem| match problem {
            Problem::Broken(violation) => Some(violation.line),
            _ => None,
        });
        let last = last.unwrap_or(usize::MAX).min(self.history.lines.len());
        let lines = &self.history.lines[last.saturating_sub(SHOWN)..last];
        for Line { at, what } in lines {
            writeln!(f, "  {at:>6} ms {what:?}")?;
        }
        Ok(())
    }
}

/// The same, so that `unwrap` says it well.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Failure {}
