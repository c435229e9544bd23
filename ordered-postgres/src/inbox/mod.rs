//! The inbox: the effects of an event and the record that it is done, in one transaction.
//!
//! A handler takes a [`Tx`] and does its work in it. After the handler the worker records the event in the table
//! `ordered_progress` in the same transaction, and commits it. An event that runs again, because its worker died before
//! the store heard of it, changes nothing a second time. What exactly holds, and what does not, is in
//! `docs/exactly-once-effects.md`.

mod builder;
mod check;
mod database;
mod guard;
mod metrics;
mod position;
mod restoring;
mod session;
#[cfg(feature = "sqlx")]
mod sqlx;
mod tokio;
mod transaction;
mod tx;

use std::fmt;
use std::sync::Arc;

use futures_util::Stream;
use futures_util::stream;
use ordered_core::handler::Context;

pub use builder::InboxBuilder;
pub use database::{Database, InboxPool};
pub use guard::{Gaps, Guard, GuardRow, Outcome};
pub use position::Position;
pub use restoring::RestoringStore;
pub use session::Session;
pub use tokio::TokioPostgres;
pub use transaction::GuardedTransaction;
pub use tx::Tx;

use self::database::Limits;
use crate::error::PostgresError;
use crate::migrate::check_tables;
use crate::pool;

/// How many positions one query reads.
const PAGE: i64 = 1_000;

/// The record of what the handlers of this database have applied, over a pool of connections: that of
/// `deadpool-postgres`, or of `sqlx` with the feature `sqlx`. Given to the worker with `.state(inbox)`, for handlers
/// that take a [`Tx`]. Cheap to clone.
///
/// A handler keeps a connection from its first statement until the commit, so a pool needs as many as the worker's
/// `concurrency`.
pub struct Inbox<D: Database> {
    inner: Arc<Inner<D>>,
}

struct Inner<D: Database> {
    pool: D::Pool,
    limits: Limits,
    gaps: Gaps,
    record_untouched: bool,
}

impl<D: Database> Inbox<D> {
    /// Checks the database and opens the inbox, with the defaults of [`InboxBuilder`].
    ///
    /// # Errors
    /// When the server cannot be reached, is a replica or older than Postgres 14, the tables are missing or those of
    /// another version, or rights are missing: with what to do.
    pub async fn open<P: InboxPool<Database = D>>(pool: P) -> Result<Self, PostgresError>
    where
        D: Database<Pool = P>,
    {
        Self::builder(pool).open().await
    }

    /// An inbox with other settings.
    pub fn builder<P: InboxPool<Database = D>>(pool: P) -> InboxBuilder<D>
    where
        D: Database<Pool = P>,
    {
        InboxBuilder::new(pool)
    }

    /// Records the run of `context` in the application's own transaction: the last statement before the commit. The
    /// [outcome](Outcome) says whether to commit.
    ///
    /// ```no_run
    /// # use ordered_core::handler::{Context, HandlerError};
    /// # use ordered_postgres::inbox::{Inbox, Outcome};
    /// # async fn handle(client: &mut tokio_postgres::Client, context: Context) -> Result<(), HandlerError> {
    /// let mut transaction = client.transaction().await?;
    /// transaction.execute("insert into orders …", &[]).await?;
    /// match Inbox::guard(&mut transaction, &context).await? {
    ///     Outcome::Recorded => transaction.commit().await?,
    ///     other => {
    ///         transaction.rollback().await?;
    ///         other.into_result()?;
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the statement fails. Roll back then.
    ///
    /// # Cancel safety
    /// Where the future is dropped, the statement may have been carried out: roll back.
    pub async fn guard<T: GuardedTransaction<Database = D>>(
        transaction: &mut T,
        context: &Context,
    ) -> Result<Outcome, PostgresError> {
        Guard::of(context)?.record(transaction).await
    }

    /// How far each key of a group is in this database, by key. Read page by page, so a position is that of the moment
    /// when its page was read.
    ///
    /// # Errors
    /// The stream ends with the first query that fails.
    pub fn positions(
        &self,
        group: &str,
    ) -> impl Stream<Item = Result<Position, PostgresError>> + Send + 'static {
        let Inner { pool, limits, .. } = &*self.inner;
        Page::<D>::stream(pool.clone(), limits.clone(), group)
    }
}

/// As [`Inbox::positions`], from the database of this URL. It may be a replica: then its positions may be behind.
///
/// # Errors
/// When the server cannot be reached, or the tables are missing or those of another version.
pub async fn positions(
    url: &str,
    group: &str,
) -> Result<impl Stream<Item = Result<Position, PostgresError>> + Send + 'static, PostgresError> {
    let pool = pool::address(url, "ordered")?.pool(1)?;
    check_tables(&**pool.get().await?).await?;
    let limits = Limits::default();
    Ok(Page::<TokioPostgres>::stream(
        pool.into_pool(),
        limits,
        group,
    ))
}

/// Where a stream of positions is.
struct Page<D: Database> {
    pool: D::Pool,
    limits: Limits,
    group: String,
    after: String,
    rest: std::vec::IntoIter<Position>,
    is_last: bool,
}

impl<D: Database> Page<D> {
    fn stream(
        pool: D::Pool,
        limits: Limits,
        group: &str,
    ) -> impl Stream<Item = Result<Position, PostgresError>> + Send + 'static {
        let page = Self {
            pool,
            limits,
            group: group.to_owned(),
            after: String::new(),
            rest: Vec::new().into_iter(),
            is_last: false,
        };
        stream::try_unfold(page, |mut page| async move {
            let next = page.next().await?;
            Ok(next.map(|position| (position, page)))
        })
    }

    async fn next(&mut self) -> Result<Option<Position>, PostgresError> {
        if self.rest.len() == 0 && !self.is_last {
            let (group, after) = (&self.group, &self.after);
            let page = D::positions(&self.pool, &self.limits, group, after, PAGE).await?;
            self.is_last = i64::try_from(page.len()).is_ok_and(|length| length < PAGE);
            self.rest = page.into_iter();
        }
        let next = self.rest.next();
        if let Some(position) = &next {
            position.key().as_str().clone_into(&mut self.after);
        }
        Ok(next)
    }
}

impl<D: Database> Clone for Inbox<D> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<D: Database> fmt::Debug for Inbox<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox")
            .field("limits", &self.inner.limits)
            .field("gaps", &self.inner.gaps)
            .finish_non_exhaustive()
    }
}
