use std::error::Error;
use std::fmt;
use std::time::Duration;

use super::OnExhausted;

/// Why a handler did not get its event done: to be tried again (what `?` makes of any error), or not
/// ([`Permanent::permanent`]).
///
/// It is tried again after the [`Backoff`](super::Backoff) of the handler, or after the time that it says itself
/// ([`RetryAfter::retry_after`]).
///
/// Like `anyhow::Error` it is not itself a [`std::error::Error`], so that `?` can turn every error into it.
pub struct HandlerError {
    source: Box<dyn Error + Send + Sync>,
    permanent: bool,
    retry_after: Option<Duration>,
    on_exhausted: Option<OnExhausted>,
}

impl HandlerError {
    /// A failure that is worth another try.
    pub fn transient(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            source: error.into(),
            permanent: false,
            retry_after: None,
            on_exhausted: None,
        }
    }

    /// A failure that no further try can fix: the key is halted at this event at once.
    pub fn permanent(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            source: error.into(),
            permanent: true,
            retry_after: None,
            on_exhausted: None,
        }
    }

    /// Has the event tried again after this time, in place of the handler's backoff: what a server said in
    /// `Retry-After`, say.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        Self {
            retry_after: Some(wait),
            ..self
        }
    }

    /// After which time it is to be tried again, if it says so.
    #[must_use]
    pub fn retries_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// What happens to the event once it has failed permanently, whatever the group's `on_exhausted` says.
    #[must_use]
    pub(crate) fn then(self, on_exhausted: OnExhausted) -> Self {
        Self {
            on_exhausted: Some(on_exhausted),
            ..self
        }
    }

    pub(crate) fn on_exhausted(&self) -> Option<OnExhausted> {
        self.on_exhausted
    }

    /// Whether no further try can fix it.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.permanent
    }
}

/// The error with all its causes, joined by `: `; what others append themselves is not repeated.
impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.source.to_string();
        f.write_str(&text)?;
        let mut cause = self.source.source();
        while let Some(error) = cause {
            let of_cause = error.to_string();
            if !text.contains(&of_cause) {
                write!(f, ": {of_cause}")?;
            }
            text = of_cause;
            cause = error.source();
        }
        Ok(())
    }
}

impl fmt::Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.permanent {
            "permanent"
        } else {
            "transient"
        };
        write!(f, "{kind}: {self}")
    }
}

impl<E> From<E> for HandlerError
where
    E: Into<Box<dyn Error + Send + Sync>>,
{
    fn from(error: E) -> Self {
        Self::transient(error)
    }
}

/// Says that an error is not worth another try: `parse(&text).permanent()?`.
pub trait Permanent<T> {
    /// Marks the error as permanent.
    ///
    /// # Errors
    /// The same as before, marked.
    fn permanent(self) -> Result<T, HandlerError>;
}

impl<T, E: Into<HandlerError>> Permanent<T> for Result<T, E> {
    fn permanent(self) -> Result<T, HandlerError> {
        self.map_err(|error| HandlerError {
            permanent: true,
            ..error.into()
        })
    }
}

/// Says when an error is worth another try: `client.send(order).await.retry_after(Duration::from_secs(30))?`.
pub trait RetryAfter<T> {
    /// Has the event tried again after this time.
    ///
    /// # Errors
    /// The same as before, with the time.
    fn retry_after(self, wait: Duration) -> Result<T, HandlerError>;
}

impl<T, E: Into<HandlerError>> RetryAfter<T> for Result<T, E> {
    fn retry_after(self, wait: Duration) -> Result<T, HandlerError> {
        self.map_err(|error| error.into().retry_after(wait))
    }
}

/// What a handler function may return: nothing, or a `Result` with any error.
#[diagnostic::on_unimplemented(
    message = "an ordered handler cannot return `{Self}`",
    note = "return `Result<(), HandlerError>`, `Result<(), E>` with any error type, or nothing"
)]
pub trait IntoOutcome {
    /// As the worker takes it.
    ///
    /// # Errors
    /// The handler's own.
    fn into_outcome(self) -> Result<(), HandlerError>;
}

impl IntoOutcome for () {
    fn into_outcome(self) -> Result<(), HandlerError> {
        Ok(())
    }
}

impl<E: Into<HandlerError>> IntoOutcome for Result<(), E> {
    fn into_outcome(self) -> Result<(), HandlerError> {
        self.map_err(Into::into)
    }
}
