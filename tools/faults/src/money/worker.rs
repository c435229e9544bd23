//! A worker: it credits accounts through the inbox.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Manager, Pool};
use ordered_events::postgres::OutboxRepair;
use ordered_events::{
    Amqp, Context, HandlerError, Inbox, RedisStore, State, Tx, Worker, ordered_handler,
    shutdown_signal,
};
use tokio_postgres::NoTls;

use super::ParticipantConfig;
use super::writer::Credited;
use crate::Error;
use crate::worker::{ANSWER, BUCKETS, LEASE, RECONNECT, SWEEP};

const CONCURRENCY: usize = 8;

/// Counts the runs of all handlers: each is a byte of one file.
#[derive(Clone)]
struct Runs(Arc<File>);

#[ordered_handler(
    key = "account",
    seq = "header:x-ordered-seq",
    id = "header:x-ordered-id",
    group = "money",
    on_state_loss = "adopt",
    on_gap = "repair",
    gap_timeout = "2s",
    // Postgres is restarted, which takes as long as it takes.
    max_attempts = 100_000,
    backoff = "20ms",
    max_backoff = "200ms",
    timeout = "10s"
)]
async fn credit(
    event: Credited,
    mut tx: Tx,
    context: Context,
    State(runs): State<Runs>,
) -> Result<(), HandlerError> {
    (&*runs.0).write_all(b".")?;
    let seq = i64::try_from(context.seq().get())?;
    let client = tx.client().await?;
    // The row of the account comes first: it makes the order of `applied` that of the commits.
    let credit = "insert into credits as there (id, total) values ($1, $2)
        on conflict (id) do update set total = there.total + excluded.total";
    client
        .execute(credit, &[&event.account, &event.amount])
        .await?;
    let applied = "insert into applied (key, seq, id, amount) values ($1, $2, $3, $4)";
    let id = context.event_id().as_str();
    client
        .execute(applied, &[&event.account, &seq, &id, &event.amount])
        .await?;
    Ok(())
}

pub(super) async fn run(config: ParticipantConfig) -> Result<(), Error> {
    let runs = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&config.runs)?;
    let manager = Manager::new(config.postgres.parse()?, NoTls);
    let pool = Pool::builder(manager).max_size(CONCURRENCY).build()?;
    let inbox = Inbox::open(pool).await?;
    let store = RedisStore::builder(&config.redis)
        .buckets(BUCKETS)
        .timeout(ANSWER)
        .connect()
        .await?;
    let transport = Amqp::connect(&config.rabbit)
        .queue(&config.queue)
        .reconnect_backoff(Duration::from_millis(100), RECONNECT)
        .await?;
    Worker::builder()
        .id(config.id)
        .store(inbox.restoring(store))
        .transport(transport)
        .handler(credit)
        .group(config.group)
        .repair(OutboxRepair::new(&config.postgres)?)
        .state(inbox)
        .state(Runs(Arc::new(runs)))
        .concurrency(CONCURRENCY)
        .read_ahead(256)
        .lease(LEASE)
        .sweep_interval(SWEEP)
        .drain_timeout(Duration::from_secs(10))
        .run_until(shutdown_signal())
        .await?;
    Ok(())
}
