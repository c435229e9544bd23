use std::sync::LazyLock;
use std::time::Duration;

use deadpool_postgres::{Object, Pool};
use futures_util::future;
use tokio_postgres::error::SqlState;
use tokio_postgres::{GenericClient, Row, Statement, ToStatement};

use super::database::{Database, Driver, InboxPool, Limits, ServerState};
use super::guard::{Guard, GuardRow};
use super::position::{Position, PositionRow};
use super::session::Session;
use super::transaction::{GuardedTransaction, Statements};
use crate::error::{PostgresError, PostgresErrorKind};

/// Stands for `tokio-postgres` with the pool of `deadpool-postgres`.
#[derive(Debug, Clone, Copy)]
pub struct TokioPostgres;

/// How long a transaction that was dropped may take to be rolled back before its connection is closed.
const ROLL_BACK_WITHIN: Duration = Duration::from_secs(5);

/// Fails with a division by zero where it refuses, so that the commit that is sent behind it without waiting rolls
/// back.
static RECORD_OR_FAIL: LazyLock<String> = LazyLock::new(|| {
    let (insert, condition) = Guard::SQL
        .split_once("\nwhere ")
        .expect("the statement ends with its condition");
    format!("{insert}\nwhere 1 / ({condition})::int = 1")
});

impl Database for TokioPostgres {}

impl InboxPool for Pool {
    type Database = TokioPostgres;
}

impl Session<TokioPostgres> {
    /// The client, with the transaction, which begins now if it has not.
    ///
    /// # Errors
    /// When no connection can be had, or the transaction does not begin.
    ///
    /// # Cancel safety
    /// Where the future is dropped, the transaction has not begun.
    pub async fn client(&mut self) -> Result<&tokio_postgres::Client, PostgresError> {
        Ok(self.open().await?.client())
    }

    /// A prepared statement of the connection's cache, so that it is prepared once for each connection of the pool.
    ///
    /// # Errors
    /// As [`client`](Self::client); and when Postgres refuses the statement.
    ///
    /// # Cancel safety
    /// As [`client`](Self::client).
    pub async fn prepare_cached(&mut self, sql: &str) -> Result<Statement, PostgresError> {
        let connection = self.open().await?.connection();
        Ok(connection.prepare_cached(sql).await?)
    }
}

/// A connection with an open transaction.
pub struct OpenTransaction {
    connection: Option<Object>,
}

impl OpenTransaction {
    fn client(&self) -> &tokio_postgres::Client {
        self.connection()
    }

    fn connection(&self) -> &Object {
        let connection = self.connection.as_ref();
        connection.expect("it is taken out only when the transaction has ended")
    }

    /// The transaction has ended: the connection goes back to the pool.
    fn ended(mut self) {
        self.connection = None;
    }
}

/// Rolls back in a task, as `drop` cannot wait.
impl Drop for OpenTransaction {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        let Ok(runtime) = ::tokio::runtime::Handle::try_current() else {
            drop(Object::take(connection));
            return;
        };
        runtime.spawn(async move {
            let rolled_back = connection.batch_execute("rollback");
            let rolled_back = ::tokio::time::timeout(ROLL_BACK_WITHIN, rolled_back).await;
            if !matches!(rolled_back, Ok(Ok(()))) {
                // The server rolls back when it notices that nobody is there.
                drop(Object::take(connection));
            }
        });
    }
}

#[async_trait::async_trait]
impl Driver for TokioPostgres {
    type Pool = Pool;
    type Transaction = OpenTransaction;

    async fn begin(pool: &Pool, limits: &Limits) -> Result<OpenTransaction, PostgresError> {
        let connection = Some(connection(pool, limits).await?);
        // From here on, so that a future that is dropped leaves no open transaction in the pool.
        let transaction = OpenTransaction { connection };
        transaction.client().batch_execute(&limits.begin).await?;
        Ok(transaction)
    }

    async fn commit(transaction: OpenTransaction, guard: &Guard) -> Result<bool, PostgresError> {
        let connection = transaction.connection();
        if connection.is_closed() {
            return Err(PostgresError::connection_lost());
        }
        let statement = connection.prepare_cached(&RECORD_OR_FAIL).await?;
        let parameters = guard.parameters();
        let recorded = connection.execute(&statement, &parameters);
        // In one round trip: `join` sends the first before the second.
        let committed = connection.batch_execute("commit");
        let (recorded, committed) = future::join(recorded, committed).await;
        match recorded {
            Ok(_) => {
                committed?;
                transaction.ended();
                Ok(true)
            }
            Err(error) if error.code() == Some(&SqlState::DIVISION_BY_ZERO) => {
                committed?;
                transaction.ended();
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn roll_back(transaction: OpenTransaction) {
        let rolled_back = transaction.client().batch_execute("rollback").await;
        if rolled_back.is_ok() {
            transaction.ended();
        }
    }

    async fn record(pool: &Pool, limits: &Limits, guard: &Guard) -> Result<bool, PostgresError> {
        let connection = connection(pool, limits).await?;
        let statement = connection.prepare_cached(Guard::SQL).await?;
        record(&**connection, &statement, guard).await
    }

    async fn row(
        pool: &Pool,
        limits: &Limits,
        guard: &Guard,
    ) -> Result<Option<GuardRow>, PostgresError> {
        row(&**connection(pool, limits).await?, guard).await
    }

    async fn positions(
        pool: &Pool,
        limits: &Limits,
        group: &str,
        after: &str,
        most: i64,
    ) -> Result<Vec<Position>, PostgresError> {
        let connection = connection(pool, limits).await?;
        let sql = include_str!("sql/positions.sql");
        let rows = connection.query(sql, &[&group, &after, &most]).await?;
        let position = |row: &Row| {
            Position::try_from(PositionRow {
                key: row.try_get(0)?,
                epoch: row.try_get(1)?,
                last_seq: row.try_get(2)?,
                fence: row.try_get(3)?,
                skipped: row.try_get(4)?,
                updated_at: row.try_get(5)?,
            })
        };
        rows.iter().map(position).collect()
    }

    async fn server_state(pool: &Pool, limits: &Limits) -> Result<ServerState, PostgresError> {
        let connection = connection(pool, limits).await?;
        let row = connection
            .query_one(include_str!("sql/check.sql"), &[])
            .await?;
        let versions = "select max(version) from ordered_migrations";
        let version = connection.query_one(versions, &[]).await?;
        Ok(ServerState {
            server_version: row.try_get(0)?,
            is_replica: row.try_get(1)?,
            is_read_only: row.try_get(2)?,
            has_rights: row.try_get(3)?,
            tables_version: version.try_get(0)?,
        })
    }
}

async fn connection(pool: &Pool, limits: &Limits) -> Result<Object, PostgresError> {
    let limit = limits.acquire_timeout;
    match ::tokio::time::timeout(limit, pool.get()).await {
        Ok(connection) => Ok(connection?),
        Err(_) if pool.status().size >= pool.status().max_size => {
            Err(PostgresError::pool_exhausted())
        }
        Err(_) => Err(PostgresError::new(
            PostgresErrorKind::Unavailable,
            format!(
                "no connection to Postgres within {limit:?}: look at the server and the network"
            ),
        )),
    }
}

/// The two statements, in an open transaction or not.
async fn record<C: GenericClient>(
    client: &C,
    statement: &(impl ToStatement + ?Sized + Sync + Send),
    guard: &Guard,
) -> Result<bool, PostgresError> {
    Ok(client.execute(statement, &guard.parameters()).await? > 0)
}

async fn row<C: GenericClient>(
    client: &C,
    guard: &Guard,
) -> Result<Option<GuardRow>, PostgresError> {
    let [group, key, _, first, last, ..] = guard.parameters();
    let row = client
        .query_opt(Guard::ROW_SQL, &[group, key, first, last])
        .await?;
    let read = |row: Row| {
        Ok(GuardRow {
            epoch: row.try_get(0)?,
            last_seq: row.try_get(1)?,
            event_id: row.try_get(2)?,
            fence: row.try_get(3)?,
            any_skipped: row.try_get(4)?,
        })
    };
    row.map(read).transpose()
}

impl GuardedTransaction for tokio_postgres::Transaction<'_> {
    type Database = TokioPostgres;
}

#[async_trait::async_trait]
impl Statements for tokio_postgres::Transaction<'_> {
    async fn record(&mut self, guard: &Guard) -> Result<bool, PostgresError> {
        record(self, Guard::SQL, guard).await
    }

    async fn row(&mut self, guard: &Guard) -> Result<Option<GuardRow>, PostgresError> {
        row(self, guard).await
    }
}

impl GuardedTransaction for deadpool_postgres::Transaction<'_> {
    type Database = TokioPostgres;
}

#[async_trait::async_trait]
impl Statements for deadpool_postgres::Transaction<'_> {
    async fn record(&mut self, guard: &Guard) -> Result<bool, PostgresError> {
        let statement = self.prepare_cached(Guard::SQL).await?;
        record(&**self, &statement, guard).await
    }

    async fn row(&mut self, guard: &Guard) -> Result<Option<GuardRow>, PostgresError> {
        row(&**self, guard).await
    }
}
