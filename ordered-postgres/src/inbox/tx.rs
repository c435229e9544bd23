use std::any::type_name;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use ordered_core::handler::{
    Context, FromContext, HandlerError, MissingState, RolledBack, RunResource, States,
};
use tracing::{debug, info, warn};

use super::database::Database;
use super::guard::{Guard, Outcome};
use super::metrics::{self, Ended};
use super::session::{Progress, Session};
use super::{Inbox, TokioPostgres};
use crate::error::{PostgresError, PostgresErrorKind};

/// A transaction as an argument of a handler. What the handler does in it is committed after the handler, together with
/// the record that its events are done; or not at all, where the handler fails, panics or outlives its timeout, where
/// the record says that they are done already, and where the worker has lost its lease or the key.
///
/// It begins with its first statement. `Tx` is for `tokio-postgres`: `tx.client().await?` begins the transaction and
/// gives the client. `Tx<sqlx::Postgres>` is for `sqlx`: `&mut *tx` runs queries. The worker needs the [`Inbox`] as
/// state.
///
/// A handler must not end the transaction itself, and not keep its `Tx` beyond its end. It may set savepoints.
pub struct Tx<D: Database = TokioPostgres> {
    session: Option<Session<D>>,
    slot: Arc<Slot<D>>,
}

impl<D: Database> Tx<D> {
    /// One that nobody commits, for unit tests that call a handler: what the handler did is rolled back when it is
    /// dropped.
    #[must_use]
    pub fn rolled_back(inbox: &Inbox<D>) -> Self {
        Self::new(inbox, Progress::Untouched, Slot::new(State::Ended))
    }

    fn new(inbox: &Inbox<D>, progress: Progress<D>, slot: Arc<Slot<D>>) -> Self {
        let inbox = inbox.clone();
        Self {
            session: Some(Session { inbox, progress }),
            slot,
        }
    }
}

impl<D: Database> Deref for Tx<D> {
    type Target = Session<D>;

    fn deref(&self) -> &Session<D> {
        self.session.as_ref().expect(THERE)
    }
}

impl<D: Database> DerefMut for Tx<D> {
    fn deref_mut(&mut self) -> &mut Session<D> {
        self.session.as_mut().expect(THERE)
    }
}

const THERE: &str = "it is taken out only when it is dropped";

impl<D: Database> Drop for Tx<D> {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            self.slot.give_back(session.progress);
        }
    }
}

impl<D: Database> FromContext for Tx<D> {
    fn from_context(context: &Context) -> Result<Self, MissingState> {
        let inbox: &Inbox<D> = inbox(context.states())?;
        let slot = Slot::new(State::Lent);
        let is_first = context.attach(TxEnd {
            inbox: inbox.clone(),
            guard: Guard::of(context).map(|guard| guard.gaps(inbox.inner.gaps)),
            slot: Arc::clone(&slot),
        });
        let progress = if is_first {
            Progress::Untouched
        } else {
            Progress::Second
        };
        Ok(Self::new(inbox, progress, slot))
    }

    fn check(states: &States) -> Result<(), MissingState> {
        inbox::<D>(states).map(|_| ())
    }
}

fn inbox<D: Database>(states: &States) -> Result<&Inbox<D>, MissingState> {
    states
        .get::<Inbox<D>>()
        .ok_or(MissingState(type_name::<Inbox<D>>()))
}

impl<D: Database> fmt::Debug for Tx<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tx").field(&self.session).finish()
    }
}

/// Where a handler leaves the transaction for the worker.
struct Slot<D: Database>(Mutex<State<D>>);

enum State<D: Database> {
    /// The handler has it.
    Lent,
    Back(Progress<D>),
    /// The run is over: what comes back is rolled back.
    Ended,
}

impl<D: Database> Slot<D> {
    fn new(state: State<D>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(state)))
    }

    fn give_back(&self, progress: Progress<D>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, State::Lent) {
            *state = State::Back(progress);
        }
    }

    fn end(&self) -> State<D> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *state, State::Ended)
    }
}

/// Ends the transaction of a run.
struct TxEnd<D: Database> {
    inbox: Inbox<D>,
    guard: Result<Guard, PostgresError>,
    slot: Arc<Slot<D>>,
}

#[async_trait::async_trait]
impl<D: Database> RunResource for TxEnd<D> {
    async fn commit(self: Box<Self>) -> Result<(), HandlerError> {
        let (ended, outcome) = match self.end().await {
            Ok(outcome) => (Ended::from(&outcome), outcome.into_result()),
            Err(RecordError::Refused(error)) => (Ended::RolledBack, Err(error)),
            Err(RecordError::Failed(error)) => (Ended::Failed, Err(error.into())),
            Err(RecordError::NotRecorded) => return Ok(()),
        };
        metrics::ended(ended);
        outcome
    }

    async fn roll_back(self: Box<Self>) -> RolledBack {
        let rolled_back = self.give_up().await;
        metrics::ended(match rolled_back {
            RolledBack::DoneBefore => Ended::DoneBefore,
            _ => Ended::RolledBack,
        });
        rolled_back
    }
}

/// Why a transaction was not recorded, beside what the row says.
enum RecordError {
    /// Nobody wants it to be: the handler has not used it.
    NotRecorded,
    /// It cannot be, however often it is tried.
    Refused(HandlerError),
    Failed(PostgresError),
}

impl From<PostgresError> for RecordError {
    fn from(error: PostgresError) -> Self {
        Self::Failed(error)
    }
}

impl<D: Database> TxEnd<D> {
    /// Records and commits, or rolls back.
    async fn end(&self) -> Result<Outcome, RecordError> {
        let guard = match &self.guard {
            Ok(guard) => guard,
            Err(error) => {
                return Err(RecordError::Refused(HandlerError::permanent(
                    error.to_string(),
                )));
            }
        };
        let begun = Instant::now();
        let inner = &self.inbox.inner;
        let recorded = match self.slot.end() {
            State::Back(Progress::Open(transaction)) => D::commit(transaction, guard).await?,
            State::Back(_) if inner.record_untouched => {
                D::record(&inner.pool, &inner.limits, guard).await?
            }
            State::Back(_) => return Err(RecordError::NotRecorded),
            State::Lent | State::Ended => {
                return Err(RecordError::Refused(HandlerError::permanent(
                    "the handler kept its `Tx` beyond its end, so what it did is rolled back: use it in the handler, \
                     not in a task that the handler leaves behind",
                )));
            }
        };
        if recorded {
            metrics::committed(begun.elapsed());
            return Ok(Outcome::Recorded);
        }
        let outcome = self.explain(guard).await?;
        let (group, key, seq) = (guard.group(), guard.key(), guard.last_seq());
        match &outcome {
            Outcome::DoneAlready { .. } => {
                info!(%group, ?key, seq, "the event was applied before; what its handler did again is rolled back");
            }
            refused => warn!(%group, ?key, seq, %refused, "the transaction is rolled back"),
        }
        Ok(outcome)
    }

    /// Rolls back, and asks whether the run was recorded before.
    async fn give_up(&self) -> RolledBack {
        match self.slot.end() {
            State::Back(Progress::Open(transaction)) => D::roll_back(transaction).await,
            // The database is unavailable, and would not answer now either.
            State::Back(Progress::Failed) => return RolledBack::NotDone,
            _ => {}
        }
        let Ok(guard) = &self.guard else {
            return RolledBack::NotDone;
        };
        // A handler may fail just because its event is done: the row that it inserts is there.
        match self.explain(guard).await {
            Ok(Outcome::DoneAlready { .. }) => {
                let (group, key, seq) = (guard.group(), guard.key(), guard.last_seq());
                info!(%group, ?key, seq, "the event was applied before; that its handler failed now does not count");
                RolledBack::DoneBefore
            }
            Ok(_) => RolledBack::NotDone,
            Err(error) => {
                debug!(%error, "whether the event was applied before is not known");
                RolledBack::NotDone
            }
        }
    }

    /// What the row says about the run.
    async fn explain(&self, guard: &Guard) -> Result<Outcome, PostgresError> {
        let inner = &self.inbox.inner;
        let row = D::row(&inner.pool, &inner.limits, guard).await?;
        guard.explain(row.as_ref()).ok_or_else(|| {
            PostgresError::new(
                PostgresErrorKind::Conflict,
                "another transaction changed the row of the key in `ordered_progress` meanwhile; the run is tried \
                 again",
            )
        })
    }
}

/// What comes back afterwards is rolled back.
impl<D: Database> Drop for TxEnd<D> {
    fn drop(&mut self) {
        drop(self.slot.end());
    }
}
