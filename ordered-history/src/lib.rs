//! What happened, line by line, held against what is promised: order, once, nothing lost, no overlap.
//!
//! A history is NDJSON: one object a line, whose field `line` says what it is.
//!
//! ```
//! use ordered_history::{History, Promise};
//!
//! let history: History = r#"
//!     {"line": "published", "key": "k", "seq": 1, "id": "a"}
//!     {"line": "published", "key": "k", "seq": 2, "id": "b"}
//!     {"line": "handled",   "key": "k", "seq": 2, "id": "b", "worker": "w1"}
//!     {"line": "committed", "key": "k", "seq": 2, "id": "b", "worker": "w1"}
//! "#.parse().unwrap();
//!
//! let violations = history.violations();
//! assert_eq!(violations[0].promise, Promise::Order);
//! assert_eq!(violations[0].to_string(), "line 4: order: k 2 committed, and the one before it had not");
//! ```

mod check;
mod key;
mod line;

use std::fmt;
use std::io::{self, BufRead, Write};
use std::str::FromStr;

pub use check::{Commits, Promise, Rules, Violation};
pub use line::{Event, Line, Outcome, What};

/// Lines, in the order in which things happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// The lines.
    pub lines: Vec<Line>,
}

/// A line that is not part of a history.
#[derive(Debug)]
pub struct Unreadable {
    /// Which line, from 1.
    pub line: usize,
    /// Why.
    pub why: String,
}

impl History {
    /// Reads NDJSON; empty lines are passed over.
    ///
    /// # Errors
    /// At the first line that cannot be read.
    pub fn read(lines: impl BufRead) -> Result<Self, Unreadable> {
        let mut history = Self::default();
        for (number, line) in (1..).zip(lines.lines()) {
            let unreadable = |why: String| Unreadable { line: number, why };
            let line = line.map_err(|error| unreadable(error.to_string()))?;
            if !line.trim().is_empty() {
                let line =
                    serde_json::from_str(&line).map_err(|error| unreadable(error.to_string()))?;
                history.lines.push(line);
            }
        }
        Ok(history)
    }

    /// Writes NDJSON.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, mut to: impl Write) -> io::Result<()> {
        for line in &self.lines {
            writeln!(to, "{}", serde_json::to_string(line)?)?;
        }
        Ok(())
    }

    /// Every promise that was broken, by a history that is at its end: all that was published had the time to commit.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.violations_where(Commits::Exact)
    }

    /// The same, of a history whose commits come about as this says.
    #[must_use]
    pub fn violations_where(&self, commits: Commits) -> Vec<Violation> {
        self.violations_by(Rules {
            commits,
            ..Rules::default()
        })
    }

    /// The same, by these rules.
    #[must_use]
    pub fn violations_by(&self, rules: Rules) -> Vec<Violation> {
        check::violations(self, rules)
    }
}

impl FromStr for History {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        Self::read(text.as_bytes())
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "line {} is not one of a history: {}",
            self.line, self.why
        )
    }
}

impl std::error::Error for Unreadable {}
