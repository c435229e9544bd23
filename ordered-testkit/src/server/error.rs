use std::fmt;
use std::io;

/// Why a server does not run.
///
/// `Debug` reads like `Display`, so that an `unwrap` in a test shows the server's own words.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// Its program is not installed.
    #[error("`{program}` is not installed; install it: {install}")]
    NotInstalled {
        /// What was looked for.
        program: String,
        /// The line that installs it.
        install: &'static str,
    },
    /// It ended, or did not answer in time.
    #[error("{what}; the end of its log:\n{log}")]
    NotReady {
        /// What happened instead.
        what: String,
        /// What the server said last.
        log: String,
    },
    /// One of its administrative commands failed.
    #[error("`{command}` failed: {output}")]
    Command {
        /// What was run.
        command: String,
        /// What it said.
        output: String,
    },
    /// The operating system refused.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What it said.
        source: io::Error,
    },
}

impl ServerError {
    pub(crate) fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { what, source }
    }
}

impl fmt::Debug for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
