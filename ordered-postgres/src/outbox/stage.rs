use std::borrow::Cow;

use ordered_core::event::{EventId, Seq};

use super::{Columns, Counted, OrderedEvent, OutboxEvent};
use crate::error::{PostgresError, PostgresErrorKind};

/// How many events one statement takes at the most.
pub const MAX_BATCH: usize = 10_000;

/// The channel of `NOTIFY` that relays can listen on.
pub const CHANNEL: &str = "ordered_outbox";

/// Stages events in a transaction of the application's own.
///
/// ```no_run
/// # async fn example(client: &mut tokio_postgres::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use ordered_postgres::{Outbox, OutboxEvent};
///
/// let mut tx = client.transaction().await?;
/// tx.execute("update accounts set balance = balance - 5 where id = 17", &[]).await?;
/// let event = OutboxEvent::json("account", "account-17", "debited", &serde_json::json!({ "amount": 5 }))?;
/// let staged = Outbox::stage(&mut tx, &event).await?;
/// tx.commit().await?;
/// println!("{} #{}", staged.key, staged.seq);
/// # Ok(())
/// # }
/// ```
///
/// The seq is minted in the transaction, so a rollback (of it, or to a savepoint before) takes the number back, and
/// numbers have no gaps. Until the transaction ends, others that stage for the same key wait. So stage late in the
/// transaction; and where it stages several times, take the keys in one order, or in one batch, as otherwise two
/// transactions may wait for each other. Postgres then ends one of them with an error of the kind
/// [`PostgresErrorKind::Conflict`]; under `REPEATABLE READ` and `SERIALIZABLE` it does so wherever two transactions
/// stage for one key. Run the whole transaction again.
#[derive(Debug, Clone, Copy)]
pub struct Outbox;

pub use ordered_core::publish::Staged;

/// A transaction in which events can be staged. That of `tokio-postgres`, `deadpool-postgres` and, with the feature
/// `sqlx`, of `sqlx` are; so is a `PgConnection` of `sqlx` in which a transaction is open.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no transaction of Postgres in which events can be staged",
    note = "give `&mut tx` of `tokio_postgres::Transaction` (feature `tokio-postgres`) or `sqlx::Transaction<'_, \
            Postgres>` (feature `sqlx`)"
)]
pub trait OutboxTransaction {
    /// Stages the events of these columns, and answers with the last seq of each key.
    #[doc(hidden)]
    fn stage_columns(
        &mut self,
        columns: Columns<'_>,
        counted: &Counted<'_>,
    ) -> impl Future<Output = Result<Vec<i64>, PostgresError>> + Send;

    /// Stages the one event of these columns.
    #[doc(hidden)]
    fn stage_single(
        &mut self,
        columns: Columns<'_>,
    ) -> impl Future<Output = Result<i64, PostgresError>> + Send;

    /// Tells those who listen, when the transaction commits.
    #[doc(hidden)]
    fn notify(&mut self) -> impl Future<Output = Result<(), PostgresError>> + Send;
}

impl Outbox {
    /// Stages one event: an [`OutboxEvent`], or a struct with `#[derive(OrderedEvent)]`. It is relayed when the
    /// transaction has committed, and never if it does not.
    ///
    /// # Errors
    /// [`PostgresErrorKind::Invalid`] when the event is none, before anything is sent; and as every statement. After an
    /// error the transaction can only be rolled back, as after any statement that fails.
    pub async fn stage(
        transaction: &mut impl OutboxTransaction,
        event: &impl OrderedEvent,
    ) -> Result<Staged, PostgresError> {
        let event = event.to_event()?;
        let columns = Columns::of([&*event]);
        let id = columns.ids.first().cloned().unwrap_or_default();
        let seq = transaction.stage_single(columns).await?;
        staged(&event, seq, &id)
    }

    /// Stages events with one statement, [`MAX_BATCH`] at the most. Each key's events are numbered in the order in
    /// which they stand here.
    ///
    /// # Errors
    /// As [`stage`](Self::stage), and when there are too many.
    pub async fn stage_all(
        transaction: &mut impl OutboxTransaction,
        events: &[impl OrderedEvent],
    ) -> Result<Vec<Staged>, PostgresError> {
        if events.len() > MAX_BATCH {
            let text = format!(
                "{} events are too many for one statement: stage {MAX_BATCH} at a time",
                events.len()
            );
            return Err(PostgresError::new(PostgresErrorKind::Invalid, text));
        }
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let events: Vec<Cow<'_, OutboxEvent>> = events
            .iter()
            .map(OrderedEvent::to_event)
            .collect::<Result<_, _>>()?;
        let columns = Columns::of(events.iter().map(|event| &**event));
        let ids = columns.ids.clone();
        let counted = Counted::of(events.iter().map(|event| &**event));
        let last_seqs = transaction.stage_columns(columns, &counted).await?;
        let seqs = counted.seqs(&last_seqs).ok_or_else(other_functions)?;
        let each = events.iter().zip(seqs).zip(&ids);
        each.map(|((event, seq), id)| staged(event, seq, id))
            .collect()
    }

    /// Wakes relays that listen, when the transaction commits. Without it an event waits for the next poll, some 25 ms.
    /// It costs transactions of one event more than half of their rate, since commits that notify take turns.
    ///
    /// # Errors
    /// As every statement.
    pub async fn notify(transaction: &mut impl OutboxTransaction) -> Result<(), PostgresError> {
        transaction.notify().await
    }
}

fn staged(event: &OutboxEvent, seq: i64, id: &str) -> Result<Staged, PostgresError> {
    let seq = u64::try_from(seq).ok().and_then(|seq| Seq::new(seq).ok());
    Ok(Staged {
        key: event.key.clone(),
        seq: seq.ok_or_else(other_functions)?,
        id: EventId::new(id).map_err(|_| other_functions())?,
    })
}

fn other_functions() -> PostgresError {
    PostgresError::new(
        PostgresErrorKind::OtherVersion,
        "the functions of `ordered` in the database answer as those of no known version do: run `ordered outbox \
         migrate`",
    )
}

pub(super) const STAGE: &str =
    "select seq from ordered_stage($1, $2, $3, $4::text::json, $5::text::jsonb, $6, $7, $8)";
pub(super) const STAGE_BATCH: &str =
    "select ordered_stage_counted($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
pub(super) const NOTIFY: &str = "notify ordered_outbox";
