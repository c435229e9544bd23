use std::sync::Arc;
use std::time::Duration;

use super::database::{Database, Limits};
use super::guard::Gaps;
use super::{Inbox, Inner, check, metrics};
use crate::error::{PostgresError, PostgresErrorKind};

const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Settings of an [`Inbox`].
#[must_use]
pub struct InboxBuilder<D: Database> {
    pool: D::Pool,
    acquire_timeout: Duration,
    idle_timeout: Duration,
    gaps: Gaps,
    record_untouched: bool,
}

impl<D: Database> InboxBuilder<D> {
    pub(super) fn new(pool: D::Pool) -> Self {
        Self {
            pool,
            acquire_timeout: ACQUIRE_TIMEOUT,
            idle_timeout: IDLE_TIMEOUT,
            gaps: Gaps::default(),
            record_untouched: true,
        }
    }

    /// How long a handler waits for a connection of the pool. Default 10 seconds. A shorter limit of the pool itself
    /// counts too.
    pub fn acquire_timeout(mut self, timeout: Duration) -> Self {
        self.acquire_timeout = timeout;
        self
    }

    /// For how long a transaction may be open without a statement, before Postgres ends it with its connection
    /// (`idle_in_transaction_session_timeout`). A worker that is stopped in the middle of a handler keeps its locks no
    /// longer than that. From 1 ms to 24 days; default one minute.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// Whether the first event of a run may lie beyond the next seq of its row. Default: [`Gaps::Allow`].
    pub fn gaps(mut self, gaps: Gaps) -> Self {
        self.gaps = gaps;
        self
    }

    /// Whether events are recorded whose handler has not used its `Tx`: in a statement of its own after the handler.
    /// Default: they are, so that the table says how far each key is. Where they are not, no connection is taken for
    /// them, but a key of which the last events were such is behind in the table, and so are
    /// [positions](Inbox::positions) that are imported from it.
    pub fn record_untouched(mut self, record: bool) -> Self {
        self.record_untouched = record;
        self
    }

    /// Checks the database and opens the inbox.
    ///
    /// # Errors
    /// As [`Inbox::open`]; and when a setting is out of its range.
    pub async fn open(self) -> Result<Inbox<D>, PostgresError> {
        let idle = self.idle_timeout.as_millis();
        // The setting of Postgres is an integer of 32 bits, and 0 turns the limit off.
        if idle == 0 || i32::try_from(idle).is_err() {
            return Err(PostgresError::new(
                PostgresErrorKind::Invalid,
                format!(
                    "`idle_timeout` is {:?}, and must be from 1 ms to 24 days",
                    self.idle_timeout
                ),
            ));
        }
        let limits = limits(self.acquire_timeout, idle);
        check::database::<D>(&self.pool, &limits).await?;
        metrics::describe();
        Ok(Inbox {
            inner: Arc::new(Inner {
                pool: self.pool,
                limits,
                gaps: self.gaps,
                record_untouched: self.record_untouched,
            }),
        })
    }
}

impl Default for Limits {
    fn default() -> Self {
        limits(ACQUIRE_TIMEOUT, IDLE_TIMEOUT.as_millis())
    }
}

fn limits(acquire_timeout: Duration, idle: u128) -> Limits {
    Limits {
        acquire_timeout,
        begin: format!("begin; set local idle_in_transaction_session_timeout = {idle}"),
    }
}

impl<D: Database> std::fmt::Debug for InboxBuilder<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InboxBuilder")
            .field("acquire_timeout", &self.acquire_timeout)
            .field("idle_timeout", &self.idle_timeout)
            .field("gaps", &self.gaps)
            .field("record_untouched", &self.record_untouched)
            .finish_non_exhaustive()
    }
}
