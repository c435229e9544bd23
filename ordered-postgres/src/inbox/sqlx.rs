use either::Either;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt, TryFutureExt};
use sqlx::postgres::{
    PgConnection, PgPool, PgQueryResult, PgRow, PgStatement, PgTypeInfo, Postgres,
};
use sqlx::{Error, Execute, Executor, PgExecutor, Row, SqlStr, Transaction};
use sqlx_core::describe::Describe;

use super::database::{Database, Driver, InboxPool, Limits, ServerState};
use super::guard::{Guard, GuardRow};
use super::position::{Position, PositionRow};
use super::session::Session;
use super::transaction::{GuardedTransaction, Statements};
use crate::error::PostgresError;

impl Database for Postgres {}

impl InboxPool for PgPool {
    type Database = Postgres;
}

impl Session<Postgres> {
    /// The connection, with the transaction, which begins now if it has not. `begin` on it sets a savepoint.
    ///
    /// # Errors
    /// When no connection can be had, or the transaction does not begin.
    ///
    /// # Cancel safety
    /// Where the future is dropped, the transaction has not begun.
    pub async fn connection(&mut self) -> Result<&mut PgConnection, PostgresError> {
        Ok(&mut **self.open().await?)
    }

    async fn begun(&mut self) -> Result<&mut PgConnection, Error> {
        let begun = self.connection().await;
        begun.map_err(|error| Error::Configuration(Box::new(error)))
    }
}

/// `query.execute(&mut *tx)`: the transaction begins with the first query.
impl<'c> Executor<'c> for &'c mut Session<Postgres> {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let stream = async move { Ok(self.begun().await?.fetch_many(query)) };
        stream.try_flatten_stream().boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        async move { self.begun().await?.fetch_optional(query).await }.boxed()
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, Error>>
    where
        'c: 'e,
    {
        async move { self.begun().await?.prepare_with(sql, parameters).await }.boxed()
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, Error>>
    where
        'c: 'e,
    {
        async move { self.begun().await?.describe(sql).await }.boxed()
    }
}

#[async_trait::async_trait]
impl Driver for Postgres {
    type Pool = PgPool;
    type Transaction = Transaction<'static, Postgres>;

    async fn begin(pool: &PgPool, limits: &Limits) -> Result<Self::Transaction, PostgresError> {
        let begin = sqlx::AssertSqlSafe(limits.begin.clone());
        within(limits, pool.begin_with(begin)).await
    }

    async fn commit(
        mut transaction: Self::Transaction,
        guard: &Guard,
    ) -> Result<bool, PostgresError> {
        let recorded = record(&mut *transaction, guard).await?;
        if recorded {
            transaction.commit().await?;
        } else {
            transaction.rollback().await?;
        }
        Ok(recorded)
    }

    async fn roll_back(transaction: Self::Transaction) {
        // Where it fails, the connection is broken, and the server rolls back.
        let _ = transaction.rollback().await;
    }

    async fn record(pool: &PgPool, limits: &Limits, guard: &Guard) -> Result<bool, PostgresError> {
        let mut connection = within(limits, pool.acquire()).await?;
        record(&mut *connection, guard).await
    }

    async fn row(
        pool: &PgPool,
        limits: &Limits,
        guard: &Guard,
    ) -> Result<Option<GuardRow>, PostgresError> {
        let mut connection = within(limits, pool.acquire()).await?;
        row(&mut *connection, guard).await
    }

    async fn positions(
        pool: &PgPool,
        limits: &Limits,
        group: &str,
        after: &str,
        most: i64,
    ) -> Result<Vec<Position>, PostgresError> {
        let mut connection = within(limits, pool.acquire()).await?;
        let rows = sqlx::query(include_str!("sql/positions.sql"))
            .bind(group)
            .bind(after)
            .bind(most)
            .fetch_all(&mut *connection)
            .await?;
        let position = |row: &PgRow| {
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

    async fn server_state(pool: &PgPool, limits: &Limits) -> Result<ServerState, PostgresError> {
        let mut connection = within(limits, pool.acquire()).await?;
        let row = sqlx::query(include_str!("sql/check.sql"))
            .fetch_one(&mut *connection)
            .await?;
        let version = sqlx::query("select max(version) from ordered_migrations")
            .fetch_one(&mut *connection)
            .await?;
        Ok(ServerState {
            server_version: row.try_get(0)?,
            is_replica: row.try_get(1)?,
            is_read_only: row.try_get(2)?,
            has_rights: row.try_get(3)?,
            tables_version: version.try_get(0)?,
        })
    }
}

async fn within<T>(
    limits: &Limits,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, PostgresError> {
    match ::tokio::time::timeout(limits.acquire_timeout, work).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(PostgresError::pool_exhausted()),
    }
}

async fn record(executor: impl PgExecutor<'_>, guard: &Guard) -> Result<bool, PostgresError> {
    let done = sqlx::query(Guard::SQL)
        .bind(guard.group())
        .bind(guard.key())
        .bind(guard.epoch())
        .bind(guard.first_seq())
        .bind(guard.last_seq())
        .bind(guard.event_id())
        .bind(guard.fence())
        .bind(guard.may_skip())
        .execute(executor)
        .await?;
    Ok(done.rows_affected() > 0)
}

async fn row(
    executor: impl PgExecutor<'_>,
    guard: &Guard,
) -> Result<Option<GuardRow>, PostgresError> {
    let row = sqlx::query(Guard::ROW_SQL)
        .bind(guard.group())
        .bind(guard.key())
        .bind(guard.first_seq())
        .bind(guard.last_seq())
        .fetch_optional(executor)
        .await?;
    let read = |row: PgRow| {
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

impl GuardedTransaction for PgConnection {
    type Database = Postgres;
}

#[async_trait::async_trait]
impl Statements for PgConnection {
    async fn record(&mut self, guard: &Guard) -> Result<bool, PostgresError> {
        record(self, guard).await
    }

    async fn row(&mut self, guard: &Guard) -> Result<Option<GuardRow>, PostgresError> {
        row(self, guard).await
    }
}

impl GuardedTransaction for Transaction<'_, Postgres> {
    type Database = Postgres;
}

#[async_trait::async_trait]
impl Statements for Transaction<'_, Postgres> {
    async fn record(&mut self, guard: &Guard) -> Result<bool, PostgresError> {
        record(&mut **self, guard).await
    }

    async fn row(&mut self, guard: &Guard) -> Result<Option<GuardRow>, PostgresError> {
        row(&mut **self, guard).await
    }
}
