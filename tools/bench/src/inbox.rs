//! The inbox: a handler with a `Tx` beside the same handler with a transaction of its own and no guard. Store and
//! broker are in memory, so that nothing else takes time.

use std::time::Instant;

use deadpool_postgres::{Manager, Pool, Runtime};
use ordered_events::{
    Envelope, Handler, HandlerError, Inbox, MemoryBroker, MemoryStore, Publish, State, Tx, Worker,
    WorkerEvent, ordered_handler, postgres,
};
use ordered_testkit::server::PostgresServer;
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio_postgres::NoTls;

use crate::Failure;
use crate::cli::InboxOptions;
use crate::outbox::{Pair, rate};

const TABLES: &str =
    "create table accounts (id text primary key, balance bigint not null) with (fillfactor = 70);
    create table bookings (account text not null, seq bigint not null, amount bigint not null)";
const ACCOUNT: &str = "insert into accounts as there (id, balance) values ($1, $2)
    on conflict (id) do update set balance = there.balance + excluded.balance";
const BOOKING: &str = "insert into bookings (account, seq, amount) values ($1, $2, $3)";
const AMOUNT: i64 = 42;

#[derive(Deserialize)]
struct Booking {
    account: String,
    seq: i64,
}

#[ordered_handler(key = "account", seq = "seq")]
async fn with_its_own(booking: Booking, State(pool): State<Pool>) -> Result<(), HandlerError> {
    let mut connection = pool.get().await?;
    let account = connection.prepare_cached(ACCOUNT).await?;
    let entry = connection.prepare_cached(BOOKING).await?;
    let transaction = connection.transaction().await?;
    let Booking { account: id, seq } = &booking;
    transaction.execute(&account, &[id, &AMOUNT]).await?;
    transaction.execute(&entry, &[id, seq, &AMOUNT]).await?;
    transaction.commit().await?;
    Ok(())
}

#[ordered_handler(key = "account", seq = "seq")]
async fn with_a_tx(booking: Booking, mut tx: Tx) -> Result<(), HandlerError> {
    let account = tx.prepare_cached(ACCOUNT).await?;
    let entry = tx.prepare_cached(BOOKING).await?;
    let client = tx.client().await?;
    let Booking { account: id, seq } = &booking;
    client.execute(&account, &[id, &AMOUNT]).await?;
    client.execute(&entry, &[id, seq, &AMOUNT]).await?;
    Ok(())
}

/// Measures and prints; both run in turn.
pub(crate) async fn measure(options: &InboxOptions) -> Result<(), Failure> {
    let (rounds, events) = if options.quick {
        (1, 1_000)
    } else {
        (options.rounds.max(1), options.events.max(100))
    };
    // Each commit reaches the disk, as in production.
    let server = PostgresServer::builder()
        .setting("fsync", "on")
        .setting("full_page_writes", "on")
        .setting("shared_buffers", "256MB")
        .setting("max_wal_size", "4GB")
        .start()
        .await?;
    let url = server.database().await?;
    let mut client = postgres::connect(&url).await?;
    postgres::migrate(&mut client).await?;
    client.batch_execute(TABLES).await?;
    let pool = Pool::builder(Manager::new(url.parse()?, NoTls))
        .max_size(options.concurrency)
        .runtime(Runtime::Tokio1)
        .build()?;
    let inbox = Inbox::open(pool.clone()).await?;
    let mut pair = Pair::new("handler with a Tx", "its own transaction", 0.8);
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        let trial = Trial {
            options,
            events,
            pool: &pool,
            inbox: &inbox,
            round,
        };
        let own = trial.of(with_its_own).await?;
        let ours = trial.of(with_a_tx).await?;
        pair.rates.push((ours, own));
    }
    println!("{}", pair.line());
    Ok(())
}

struct Trial<'a> {
    options: &'a InboxOptions,
    events: usize,
    pool: &'a Pool,
    inbox: &'a Inbox<postgres::inbox::TokioPostgres>,
    round: usize,
}

impl Trial<'_> {
    /// Events a second.
    async fn of(&self, handler: impl Handler) -> Result<f64, Failure> {
        let broker = MemoryBroker::new();
        let event = |number: usize| {
            let (account, seq) = (number % self.options.keys, number / self.options.keys + 1);
            Envelope::new(format!(
                r#"{{"account": "account-{account}", "seq": {seq}}}"#
            ))
        };
        broker
            .publish((0..self.events).map(event).collect())
            .await?;
        let (committed, mut commits) = mpsc::unbounded_channel();
        let worker = Worker::builder()
            .store(MemoryStore::new())
            .transport(broker.consumer())
            .handler(handler)
            // The table knows the seqs of the rounds before.
            .group(format!("round-{}", self.round))
            .state(self.pool.clone())
            .state(self.inbox.clone())
            .concurrency(self.options.concurrency)
            .observe(move |worker_event| {
                if let WorkerEvent::Committed { .. } = worker_event {
                    let _ = committed.send(());
                }
            });
        let began = Instant::now();
        worker
            .run_until(async {
                for _ in 0..self.events {
                    commits.recv().await;
                }
            })
            .await?;
        Ok(rate(self.events, began.elapsed()))
    }
}
