use std::error::Error;
use std::io;
use std::process::ExitCode;

use ordered_core::admin::OperateError;
use ordered_core::store::{StoreError, StoreErrorKind};
use ordered_core::transport::{TransportError, TransportErrorKind};

/// Why a command did not do what it was to do. The numbers of the exit codes are part of the interface.
#[derive(Debug)]
pub(crate) enum Failure {
    /// There is no such thing, or it cannot be done to it.
    Refused(String),
    /// The command line cannot be used like this.
    Usage(String),
    /// The store itself.
    Store(StoreError),
    /// The broker.
    Transport(TransportError),
    /// Reading a file, or writing the output.
    Output(io::Error),
    /// A file.
    File(String),
    /// Another worker, or operator, has the key.
    Busy(String),
    /// Whether a verb was carried out is not known.
    Unknown(String),
    /// A verb was carried out, and something failed after it.
    NotLogged(Box<OperateError>),
    /// Of many things some were not done.
    Partly {
        /// The exit code.
        code: u8,
        /// What was not done.
        text: String,
    },
}

impl Failure {
    pub(crate) fn refused(text: impl Into<String>) -> Self {
        Self::Refused(text.into())
    }

    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Store(error) => error.kind() == StoreErrorKind::Unavailable,
            Self::Transport(error) => error.kind() == TransportErrorKind::Unavailable,
            _ => false,
        }
    }

    /// Whoever reads the output has had enough of it: `ordered keys | head`.
    fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            _ if self.is_closed_pipe() => 0,
            Self::Refused(_) => 1,
            Self::Usage(_) => 2,
            Self::Store(error) if error.kind() == StoreErrorKind::Unavailable => 3,
            Self::Store(_) => 4,
            Self::Transport(error) if error.kind() == TransportErrorKind::Unavailable => 3,
            Self::Transport(_) => 4,
            Self::NotLogged(error) => match &**error {
                OperateError::NotLogged { source, .. }
                    if source.kind() != StoreErrorKind::Unavailable =>
                {
                    4
                }
                _ => 3,
            },
            Self::Unknown(_) => 3,
            Self::Output(_) | Self::File(_) => 5,
            Self::Busy(_) => 6,
            Self::Partly { code, .. } => *code,
        })
    }

    /// What to tell, if anything.
    pub(crate) fn text(&self) -> Option<String> {
        match self {
            _ if self.is_closed_pipe() => None,
            Self::Refused(text)
            | Self::Usage(text)
            | Self::File(text)
            | Self::Busy(text)
            | Self::Unknown(text)
            | Self::Partly { text, .. } => Some(text.clone()),
            Self::Store(error) => Some(chain(error)),
            Self::Transport(error) => Some(chain(error)),
            Self::NotLogged(error) => Some(chain(&**error)),
            Self::Output(error) => Some(format!("the output cannot be written: {error}")),
        }
    }
}

/// An error with its causes.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let of_cause = error.to_string();
        if !text.contains(&of_cause) {
            text += &format!(" ({of_cause})");
        }
        cause = error.source();
    }
    text
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The database is a store, too.
#[cfg(feature = "postgres")]
impl From<ordered_postgres::PostgresError> for Failure {
    fn from(error: ordered_postgres::PostgresError) -> Self {
        use ordered_postgres::PostgresErrorKind::Invalid;

        let text = error.to_string();
        match error.kind() {
            Invalid => Self::Usage(text),
            kind if kind.is_transient() => Self::Store(StoreError::unavailable(text)),
            _ => Self::Store(StoreError::refused(text)),
        }
    }
}

impl From<TransportError> for Failure {
    fn from(error: TransportError) -> Self {
        Self::Transport(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}
