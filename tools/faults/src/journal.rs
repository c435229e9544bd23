//! The history as it is written: one file, to which all processes append.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ordered_testkit::history::{Line, What};
use rustix::time::{ClockId, clock_gettime};

/// Appends lines, each in one write, so that the order of the lines is the order in which they were written, whichever
/// process wrote them.
#[derive(Debug, Clone)]
pub(crate) struct Journal(Arc<File>);

impl Journal {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self(Arc::new(file)))
    }

    /// A process that cannot write its history down has none: it ends.
    pub(crate) fn write(&self, what: What) {
        let line = Line { at: now(), what };
        // A process that is killed while it writes leaves half a line, which must not spoil the next one.
        let mut text = String::from("\n");
        text += &serde_json::to_string(&line).expect("a line is made of text and numbers");
        text.push('\n');
        (&*self.0)
            .write_all(text.as_bytes())
            .expect("the history can be written");
    }
}

/// Milliseconds on the clock that all processes of the machine share, and that no wall clock moves.
pub(crate) fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    let time = Duration::try_from(time).unwrap_or_default();
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
