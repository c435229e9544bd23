use std::io::{self, IsTerminal, Write};

/// Goes to the beginning of the line and clears it.
const CLEAR: &str = "\r\x1b[K";

/// A line on the standard error that says how far a command is, where that is a terminal.
#[derive(Debug)]
pub(crate) struct Progress {
    is_shown: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self {
            is_shown: io::stderr().is_terminal(),
        }
    }

    pub(crate) fn show(&self, line: &str) {
        if self.is_shown {
            let mut error = io::stderr();
            let _ = write!(error, "{CLEAR}{line}");
            let _ = error.flush();
        }
    }
}

/// The line is gone with it.
impl Drop for Progress {
    fn drop(&mut self) {
        self.show("");
    }
}
