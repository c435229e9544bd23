//! What to make of the errors of Postgres.

use std::error::Error;
use std::fmt;

use deadpool_postgres::{PoolError, TimeoutType};
use ordered_core::publish::InvalidEvent;
use tokio_postgres::error::SqlState;

use crate::migrate::NOT_MIGRATED;

/// A failure of the database, or something that it will not do. The message says what to do about it.
pub struct PostgresError {
    kind: PostgresErrorKind,
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

ordered_core::debug_as_text!(PostgresError);

/// What to make of a [`PostgresError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PostgresErrorKind {
    /// The server cannot be reached, or takes no connections at the moment. It passes.
    Unavailable,
    /// No connection of the pool became free in time.
    PoolExhausted,
    /// A statement took longer than the server or the client lets it.
    Timeout,
    /// Another transaction was in the way: a serialization failure or a deadlock. Run the whole transaction again.
    Conflict,
    /// The tables are missing.
    NotMigrated,
    /// The tables are those of another version.
    OtherVersion,
    /// The user may not do this, or may not connect.
    Denied,
    /// The server is a replica, or the transaction is read-only.
    ReadOnly,
    /// What was given cannot be stored: a key, a payload, a header.
    Invalid,
    /// Anything else that the server refuses.
    Refused,
}

impl PostgresErrorKind {
    /// Whether the same may succeed when the whole transaction is run again later.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        match self {
            Self::Unavailable | Self::PoolExhausted | Self::Timeout | Self::Conflict => true,
            Self::NotMigrated
            | Self::OtherVersion
            | Self::Denied
            | Self::ReadOnly
            | Self::Invalid
            | Self::Refused => false,
        }
    }
}

impl PostgresError {
    /// An error with what to do about it.
    pub(crate) fn new(kind: PostgresErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    pub(crate) fn pool_exhausted() -> Self {
        Self::new(PostgresErrorKind::PoolExhausted, EXHAUSTED)
    }

    pub(crate) fn connection_lost() -> Self {
        Self::new(
            PostgresErrorKind::Unavailable,
            "the connection of the transaction is lost, and Postgres rolls it back: the server or the network failed, \
             or the handler used it no more for as long as the `idle_timeout` of the inbox",
        )
    }

    /// Says where the server is, where it could not be reached.
    pub(crate) fn at(mut self, address: &str) -> Self {
        if let Some(cause) = self.message.strip_prefix(UNREACHABLE) {
            self.message = format!(
                "Postgres at {address} cannot be reached: is it running, and is this its address?{cause}"
            );
        } else if let Some(cause) = self.message.strip_prefix(NO_TLS) {
            self.message = format!("no TLS with Postgres at {address}{cause}");
        }
        self
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What to make of it.
    #[must_use]
    pub fn kind(&self) -> PostgresErrorKind {
        self.kind
    }
}

impl fmt::Display for PostgresError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for PostgresError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<InvalidEvent> for PostgresError {
    fn from(error: InvalidEvent) -> Self {
        Self::new(PostgresErrorKind::Invalid, error.to_string())
    }
}

impl From<tokio_postgres::Error> for PostgresError {
    fn from(error: tokio_postgres::Error) -> Self {
        let (kind, message) = match error.as_db_error() {
            Some(db_error) => {
                of_server(db_error.code().code(), db_error.message(), db_error.hint())
            }
            None if error.is_closed() => (
                PostgresErrorKind::Unavailable,
                "the connection to Postgres is lost".to_owned(),
            ),
            None => unreachable(&error),
        };
        Self::new(kind, message).with_source(error)
    }
}

#[cfg(feature = "sqlx")]
impl From<sqlx::Error> for PostgresError {
    fn from(error: sqlx::Error) -> Self {
        let (kind, message) = match &error {
            sqlx::Error::Database(db_error) => {
                let db_error: Option<&sqlx::postgres::PgDatabaseError> =
                    db_error.try_downcast_ref();
                match db_error {
                    Some(db_error) => {
                        of_server(db_error.code(), db_error.message(), db_error.hint())
                    }
                    None => (PostgresErrorKind::Refused, error.to_string()),
                }
            }
            sqlx::Error::PoolTimedOut => (PostgresErrorKind::PoolExhausted, EXHAUSTED.to_owned()),
            _ => unreachable(&error),
        };
        Self::new(kind, message).with_source(error)
    }
}

impl From<PoolError> for PostgresError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => error.into(),
            PoolError::Timeout(TimeoutType::Wait) => Self::pool_exhausted(),
            error => Self::new(
                PostgresErrorKind::Unavailable,
                format!("no connection to Postgres: {error}"),
            )
            .with_source(error),
        }
    }
}

const UNREACHABLE: &str =
    "Postgres cannot be reached: is it running, and is the address that of Postgres?";
const NO_TLS: &str = "no TLS with Postgres";

/// Of a server that did not say what is wrong.
fn unreachable(error: &dyn Error) -> (PostgresErrorKind, String) {
    let reason = chain(error);
    // The client has no kinds of errors.
    if reason.contains("TLS handshake") {
        let text = format!(
            "{NO_TLS}: {reason}: the server must have `ssl = on` and a certificate for the host of the address that a \
             trusted authority has signed (`sslrootcert=FILE` in the address, or SSL_CERT_FILE)"
        );
        return (PostgresErrorKind::Denied, text);
    }
    (
        PostgresErrorKind::Unavailable,
        format!("{UNREACHABLE} {reason}"),
    )
}

const EXHAUSTED: &str = "no connection of the pool became free in time: make the pool larger, or look for transactions \
                         that are kept open";

/// What a code of Postgres means (<https://www.postgresql.org/docs/current/errcodes-appendix.html>), and what to do.
fn of_server(code: &str, message: &str, hint: Option<&str>) -> (PostgresErrorKind, String) {
    use PostgresErrorKind as Kind;
    let is = |states: &[SqlState]| states.iter().any(|state| state.code() == code);
    let hint = hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
    if is(&[SqlState::UNDEFINED_TABLE, SqlState::UNDEFINED_FUNCTION])
        && message.contains("ordered_")
    {
        return (
            Kind::NotMigrated,
            format!("{NOT_MIGRATED}; Postgres said: {message}"),
        );
    }
    if is(&[SqlState::UNDEFINED_COLUMN]) && message.contains("ordered_") {
        let text = format!(
            "the tables of `ordered` are those of another version: run `ordered outbox migrate`, or use the version of \
             `ordered` that fits; Postgres said: {message}"
        );
        return (Kind::OtherVersion, text);
    }
    if is(&[SqlState::READ_ONLY_SQL_TRANSACTION]) {
        let text = format!(
            "Postgres takes no writes here: the address is that of a replica (add `target_session_attrs=read-write`), \
             or the transaction is read-only; it said: {message}"
        );
        return (Kind::ReadOnly, text);
    }
    if is(&[SqlState::INSUFFICIENT_PRIVILEGE]) {
        let text = format!(
            "the user lacks rights: grant it `select, insert, update, delete` on the tables `ordered_…` and `create` \
             on the schema for the migration; Postgres said: {message}"
        );
        return (Kind::Denied, text);
    }
    if code.starts_with("28") {
        let text =
            format!("Postgres refuses the user or the password of the address; it said: {message}");
        return (Kind::Denied, text);
    }
    if is(&[SqlState::INVALID_CATALOG_NAME]) {
        let text = format!(
            "there is no such database: create it, or correct the address; Postgres said: {message}"
        );
        return (Kind::Refused, text);
    }
    if is(&[SqlState::IN_FAILED_SQL_TRANSACTION]) {
        let text = format!(
            "a statement of this transaction failed before, and its error was passed over: return the error, or set a \
             savepoint before what may fail; Postgres said: {message}"
        );
        return (Kind::Refused, text);
    }
    if is(&[SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT]) {
        let text = format!(
            "the handler used its transaction no more for as long as the `idle_timeout` of the inbox, so Postgres \
             ended it: raise the limit, or do slow things before the first statement; it said: {message}"
        );
        return (Kind::Timeout, text);
    }
    if is(&[SqlState::UNDEFINED_OBJECT]) && message.contains("int8multirange") {
        let text = format!("the tables need Postgres 14 or later; it said: {message}");
        return (Kind::OtherVersion, text);
    }
    if code.starts_with("40") {
        let text = format!(
            "another transaction was in the way, run the whole transaction again; Postgres said: {message}"
        );
        return (Kind::Conflict, text);
    }
    if is(&[SqlState::QUERY_CANCELED, SqlState::LOCK_NOT_AVAILABLE]) {
        let text = format!(
            "a statement took too long (`statement_timeout`, `lock_timeout`): look for a transaction that keeps the \
             key locked, or raise the limit; Postgres said: {message}"
        );
        return (Kind::Timeout, text);
    }
    if is(&[SqlState::TOO_MANY_CONNECTIONS]) {
        let text = format!(
            "Postgres has no connection left (`max_connections`): use smaller pools; it said: {message}"
        );
        return (Kind::Unavailable, text);
    }
    if code.starts_with("57P") || code.starts_with("08") || code.starts_with("53") {
        return (
            Kind::Unavailable,
            format!("Postgres is unavailable: {message}"),
        );
    }
    if is(&[SqlState::INVALID_TEXT_REPRESENTATION]) && message.contains("json") {
        let text = format!(
            "the payload is not JSON: correct it, or stage it as bytes; Postgres said: {message}"
        );
        return (Kind::Invalid, text);
    }
    if code.starts_with("22") || code.starts_with("23") {
        return (
            Kind::Invalid,
            format!("Postgres does not take what was given: {message}{hint}"),
        );
    }
    (
        Kind::Refused,
        format!("Postgres refuses: {message}{hint} (code {code})"),
    )
}

/// An error with its causes, since those of the client say little by themselves.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let of_cause = error.to_string();
        if !text.contains(&of_cause) {
            text = format!("{text}: {of_cause}");
        }
        cause = error.source();
    }
    text
}
