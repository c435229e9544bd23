//! A worker: it applies each credit in one transaction with the record that it did.

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ordered_events::postgres::OutboxRepair;
use ordered_events::{
    Amqp, Context, HandlerError, Inbox, RedisStore, State, Tx, Worker, ordered_handler,
    shutdown_signal,
};

use crate::service::Credited;
use crate::{Servers, bank};

/// Counts the runs of all handlers: each is a byte of one file.
#[derive(Clone)]
struct Runs(Arc<File>);

/// Credits an account. Whatever happens to this process, Postgres has both the credit and the record that it was made,
/// or neither; so a second run of the same event changes nothing.
#[ordered_handler(
    key = "account",
    seq = "header:x-ordered-seq",
    id = "header:x-ordered-id",
    // Redis may lose everything: the positions of the keys are in Postgres too, and lost events in the outbox.
    on_state_loss = "adopt",
    on_gap = "repair",
    gap_timeout = "1s",
    max_attempts = 1_000
)]
async fn credit(
    event: Credited,
    mut tx: Tx,
    context: Context,
    State(runs): State<Runs>,
) -> Result<(), HandlerError> {
    (&*runs.0).write_all(b".")?;
    let client = tx.client().await?;
    let credit = "update accounts set cents = cents + $2 where account = $1";
    client
        .execute(credit, &[&event.account, &event.cents])
        .await?;
    let note = "insert into credits (account, seq, cents) values ($1, $2, $3)";
    let seq = i64::try_from(context.seq().get())?;
    client
        .execute(note, &[&event.account, &seq, &event.cents])
        .await?;
    Ok(())
}

pub(crate) async fn run(servers: &Servers, runs: &Path) -> Result<(), Box<dyn Error>> {
    let runs = OpenOptions::new().create(true).append(true).open(runs)?;
    let inbox = Inbox::open(bank::pool(&servers.postgres, 16)?).await?;
    let store = RedisStore::connect(&servers.redis).await?;
    Worker::builder()
        .store(inbox.restoring(store))
        .transport(Amqp::connect(&servers.rabbit).queue(&servers.queue).await?)
        .handler(credit)
        .group(&servers.queue)
        .repair(OutboxRepair::new(&servers.postgres)?)
        .state(inbox)
        .state(Runs(Arc::new(runs)))
        .concurrency(16)
        // Short, so that the demonstration does not wait long for a worker that was killed.
        .lease(Duration::from_secs(2))
        .sweep_interval(Duration::from_millis(300))
        .run_until(shutdown_signal())
        .await?;
    Ok(())
}
