use std::time::Duration;

use super::guard::{Guard, GuardRow};
use super::position::Position;
use crate::error::PostgresError;

/// A library for Postgres whose pool an [`Inbox`](super::Inbox) and a [`Tx`](super::Tx) can use:
/// [`TokioPostgres`](super::TokioPostgres), and `sqlx::Postgres` with the feature `sqlx`. No others can be made.
pub trait Database: Driver {}

/// A pool of connections that an inbox can use.
pub trait InboxPool: Clone + Send + Sync + 'static {
    /// The library it belongs to.
    type Database: Database<Pool = Self>;
}

/// What an inbox needs of a library. Public only as its types are named by public traits; nobody else can name it.
#[async_trait::async_trait]
pub trait Driver: Send + Sync + 'static {
    type Pool: Clone + Send + Sync + 'static;
    /// A transaction that is open, with the connection. Rolled back when it is dropped.
    type Transaction: Send + 'static;

    /// Takes a connection and begins a transaction on it.
    async fn begin(pool: &Self::Pool, limits: &Limits) -> Result<Self::Transaction, PostgresError>;

    /// Records the run and commits, or rolls back where the run is refused: `false`.
    async fn commit(transaction: Self::Transaction, guard: &Guard) -> Result<bool, PostgresError>;

    async fn roll_back(transaction: Self::Transaction);

    /// Records the run in a transaction of its own: `false` where it is refused.
    async fn record(
        pool: &Self::Pool,
        limits: &Limits,
        guard: &Guard,
    ) -> Result<bool, PostgresError>;

    /// The row of the key.
    async fn row(
        pool: &Self::Pool,
        limits: &Limits,
        guard: &Guard,
    ) -> Result<Option<GuardRow>, PostgresError>;

    /// The positions of a group behind a key.
    async fn positions(
        pool: &Self::Pool,
        limits: &Limits,
        group: &str,
        after: &str,
        most: i64,
    ) -> Result<Vec<Position>, PostgresError>;

    /// What is there to be checked.
    async fn server_state(pool: &Self::Pool, limits: &Limits)
    -> Result<ServerState, PostgresError>;
}

/// The limits of an inbox.
#[derive(Debug, Clone)]
pub struct Limits {
    pub(crate) acquire_timeout: Duration,
    /// Begins a transaction with its other limits.
    pub(crate) begin: String,
}

/// What a server is.
#[derive(Debug, Clone)]
pub struct ServerState {
    pub(crate) server_version: i32,
    pub(crate) is_replica: bool,
    pub(crate) is_read_only: bool,
    pub(crate) has_rights: bool,
    pub(crate) tables_version: Option<i32>,
}
