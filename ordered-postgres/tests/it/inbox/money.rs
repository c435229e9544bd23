//! Money that is moved from account to account, while everything that takes part dies in turn.
//!
//! `ORDERED_MONEY_TRANSFERS=20000 ORDERED_MONEY_ROUNDS=5` makes it the long form.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use deadpool_postgres::Pool;
use futures_util::TryStreamExt;
use ordered_core::admin::{Admin, OperateOptions, Position};
use ordered_core::event::{Key, Seq};
use ordered_core::handler::HandlerError;
use ordered_core::protocol::{Policy, WorkerId};
use ordered_core::store::{Group, Operator, Store};
use ordered_core::transport::MemoryBroker;
use ordered_core::worker::Worker;
use ordered_events::{Context, ordered_handler};
use ordered_postgres::inbox::{self, Inbox, Tx};
use ordered_postgres::repair::{self, RepairRequest};
use ordered_postgres::{Outbox, OutboxEvent, Payload, Relay, migrate};
use ordered_redis::RedisStore;
use ordered_testkit::eventually;
use ordered_testkit::server::{PostgresServer, RedisServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use crate::support::connect;
use crate::support::inbox::{LEASE, pool};

const GROUP: &str = "credits";
const ACCOUNTS: u64 = 200;
const BALANCE: i64 = 1_000_000;
const WRITERS: u64 = 4;

const TABLES: &str = "
    create table accounts (id text primary key, balance bigint not null);
    create table credits (id text primary key, total bigint not null);
    create table applied (place bigserial, key text not null, seq bigint not null, amount bigint not null);";

#[derive(serde::Deserialize)]
struct Transfer {
    amount: i64,
}

#[ordered_handler(
    key = "header:x-ordered-key",
    seq = "header:x-ordered-seq",
    id = "header:x-ordered-id",
    group = "credits",
    // Postgres is restarted, which takes as long as it takes.
    give_up_after = "never",
    max_crashes = 100_000,
    backoff = "20ms",
    max_backoff = "100ms",
    timeout = "10s"
)]
async fn credit(transfer: Transfer, mut tx: Tx, context: Context) -> Result<(), HandlerError> {
    let (key, seq) = (context.key().as_str(), context.seq().get().cast_signed());
    let client = tx.client().await?;
    let credit = "insert into credits as there (id, total) values ($1, $2)
        on conflict (id) do update set total = there.total + excluded.total";
    client.execute(credit, &[&key, &transfer.amount]).await?;
    let applied = "insert into applied (key, seq, amount) values ($1, $2, $3)";
    client
        .execute(applied, &[&key, &seq, &transfer.amount])
        .await?;
    Ok(())
}

/// Moves money until it has done so as often as it should, with rollbacks in between.
async fn write(url: String, transfers: u64, seed: u64, committed: Arc<AtomicU64>) {
    let mut random = fastrand::Rng::with_seed(seed);
    let pool = pool(&url, 1);
    let mut done = 0;
    while done < transfers {
        match transfer(&pool, &mut random).await {
            Ok(true) => {
                committed.fetch_add(1, Ordering::Relaxed);
                done += 1;
            }
            Ok(false) => {}
            // Postgres is restarted. Whether the transfer was committed does not matter: the database knows.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Whether it was committed.
async fn transfer(
    pool: &Pool,
    random: &mut fastrand::Rng,
) -> Result<bool, Box<dyn std::error::Error + Send + Sync>> {
    let mut connection = pool.get().await?;
    let mut transaction = connection.transaction().await?;
    let (from, to) = (random.u64(0..ACCOUNTS), random.u64(0..ACCOUNTS));
    let amount = random.i64(1..1_000);
    let debit = "update accounts set balance = balance - $2 where id = $1";
    let from = format!("account-{from}");
    transaction.execute(debit, &[&from, &amount]).await?;
    let key = Key::new(format!("account-{to}"))?;
    let payload = Payload::Json(format!(r#"{{"amount": {amount}}}"#));
    let event = OutboxEvent::new("account", key, "credited", payload);
    Outbox::stage(&mut *transaction, &event).await?;
    if random.u8(..5) == 0 {
        transaction.rollback().await?;
        return Ok(false);
    }
    transaction.commit().await?;
    Ok(true)
}

/// What can be broken.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    Worker,
    Relay,
    Postgres,
    Redis,
    /// Redis loses everything.
    Flush,
}

struct Bank {
    url: String,
    redis_url: String,
    broker: MemoryBroker,
    workers: Vec<JoinHandle<()>>,
    relays: Vec<JoinHandle<()>>,
}

impl Bank {
    fn start_worker(&mut self) {
        let (url, redis, broker) = (
            self.url.clone(),
            self.redis_url.clone(),
            self.broker.clone(),
        );
        self.workers.push(tokio::spawn(async move {
            loop {
                let Ok(store) = RedisStore::connect(&redis).await else {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                };
                let Ok(inbox) = Inbox::open(pool(&url, 8)).await else {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                };
                let worker = Worker::builder()
                    .store(store)
                    .transport(broker.consumer())
                    .handler(credit)
                    .state(inbox)
                    .concurrency(8)
                    .read_ahead(256)
                    .lease(LEASE)
                    .sweep_interval(Duration::from_millis(100))
                    .build()
                    .unwrap();
                // It ends with an error where Redis lost its state: it is started again with the positions of Postgres.
                let _ = worker.run_until(std::future::pending()).await;
                return;
            }
        }));
    }

    fn start_relay(&mut self) {
        let (url, broker) = (self.url.clone(), self.broker.clone());
        self.relays.push(tokio::spawn(async move {
            loop {
                let relay = Relay::builder(&url, Arc::new(broker.clone()) as _)
                    .poll_interval(Duration::from_millis(10))
                    .repair_interval(Duration::from_millis(20))
                    .lease(LEASE)
                    .retention(None)
                    .build()
                    .unwrap();
                // It cannot start while Postgres is restarted.
                let _ = relay.run(std::future::pending()).await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }));
    }

    async fn kill(hands: &mut Vec<JoinHandle<()>>, which: usize) {
        let hand = hands.remove(which % hands.len());
        hand.abort();
        let _ = hand.await;
    }

    /// What is known of keys that do not come to their end.
    async fn keys_behind(&self) -> String {
        let store = RedisStore::connect(&self.redis_url).await.unwrap();
        let admin = Admin::new(Arc::new(store));
        let group = admin.group(GROUP).await.unwrap().unwrap();
        let client = connect(&self.url).await;
        let behind = "select counter.key, counter.last_seq, progress::text
            from ordered_counters counter left join ordered_progress progress
                on progress.key = counter.key and progress.group_name = 'credits'
            where progress.last_seq is distinct from counter.last_seq or progress.skipped <> '{}' limit 5";
        let mut text = String::new();
        for row in client.query(behind, &[]).await.unwrap() {
            let (key, last, progress): (&str, i64, Option<&str>) =
                (row.get(0), row.get(1), row.get(2));
            let view = admin
                .inspect(&group, &Key::new(key).unwrap())
                .await
                .unwrap();
            text += &format!("{key} up to {last}: {progress:?}; {view:?}\n");
        }
        text
    }

    /// What an operator does after the loss: positions from Postgres, then what was held from the outbox.
    async fn recover(&mut self) {
        for _ in 0..self.workers.len() {
            Self::kill(&mut self.workers, 0).await;
        }
        let store = RedisStore::connect(&self.redis_url).await.unwrap();
        let admin = Admin::new(Arc::new(store.clone()));
        let group = Group::new(GROUP, Policy::default());
        let operator = WorkerId::operator("ada", 1);
        store.open(&group, &operator).await.unwrap();
        let found: Vec<inbox::Position> = inbox::positions(&self.url, GROUP)
            .await
            .unwrap()
            .try_collect()
            .await
            .unwrap();
        let positions = found.iter().map(|found| Position {
            key: found.key().clone(),
            epoch: None,
            last_seq: found.last_seq(),
        });
        let operator = Operator {
            who: "ada".into(),
            why: "Redis was flushed".into(),
        };
        let (positions, options) = (positions.collect(), OperateOptions::default());
        let bulk = admin.import_positions(&group, positions, &operator, options);
        let mut bulk = bulk.await.unwrap();
        while bulk.advance().await.unwrap().is_some() {}
        bulk.leave().await;

        let client = connect(&self.url).await;
        let behind = "select counter.key, coalesce(progress.last_seq, 0) + 1, counter.last_seq
            from ordered_counters counter left join ordered_progress progress
                on progress.key = counter.key and progress.group_name = 'credits'
            where coalesce(progress.last_seq, 0) < counter.last_seq";
        let seq = |number: i64| Seq::new(number.cast_unsigned()).unwrap();
        for row in client.query(behind, &[]).await.unwrap() {
            let request = RepairRequest {
                group: GROUP.into(),
                key: Key::new(row.get::<_, &str>(0)).unwrap(),
                from: seq(row.get(1)),
                to: seq(row.get(2)),
                by: "ada".into(),
                fill: false,
            };
            repair::ask(&client, &request).await.unwrap();
        }
        for _ in 0..3 {
            self.start_worker();
        }
    }
}

async fn flush(url: &str) {
    let address = url.strip_prefix("redis://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"FLUSHALL\r\n").await.unwrap();
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"+OK\r\n");
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect(name))
}

async fn count(url: &str, sql: &str) -> i64 {
    let row = connect(url).await.query_one(sql, &[]).await;
    row.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_transfer_is_applied_once_and_in_order_whatever_dies() {
    let (transfers, rounds) = (
        number("ORDERED_MONEY_TRANSFERS", 1_600),
        number("ORDERED_MONEY_ROUNDS", 1),
    );
    let seed = number("ORDERED_MONEY_SEED", fastrand::u64(..));
    println!("ORDERED_MONEY_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut postgres, mut redis) =
        tokio::try_join!(PostgresServer::start(), RedisServer::start()).unwrap();
    let url = postgres.database().await.unwrap();
    let mut client = connect(&url).await;
    migrate(&mut client).await.unwrap();
    client.batch_execute(TABLES).await.unwrap();
    let accounts =
        "insert into accounts select 'account-' || n, $1 from generate_series(0, $2::bigint - 1) n";
    let number_of_accounts = ACCOUNTS.cast_signed();
    client
        .execute(accounts, &[&BALANCE, &number_of_accounts])
        .await
        .unwrap();

    let mut bank = Bank {
        redis_url: redis.url(),
        url: url.clone(),
        broker: MemoryBroker::new(),
        workers: Vec::new(),
        relays: Vec::new(),
    };
    for _ in 0..2 {
        bank.start_relay();
    }
    for _ in 0..3 {
        bank.start_worker();
    }
    let committed = Arc::new(AtomicU64::new(0));
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let (url, seed, committed) = (url.clone(), random.u64(..), Arc::clone(&committed));
        writers.spawn(write(url, transfers / WRITERS, seed, committed));
    }

    let mut faults = Vec::new();
    for _ in 0..rounds {
        faults.extend([
            Fault::Worker,
            Fault::Worker,
            Fault::Relay,
            Fault::Postgres,
            Fault::Redis,
        ]);
    }
    random.shuffle(&mut faults);
    faults.insert(faults.len() / 2, Fault::Flush);
    let steps = faults.len() as u64 + 2;
    for (step, fault) in (1..).zip(&faults) {
        let due = transfers * step / steps;
        eventually("transfers go on", async || {
            committed.load(Ordering::Relaxed) >= due
        })
        .await;
        println!("after {due} transfers: {fault:?}");
        match fault {
            Fault::Worker => {
                Bank::kill(&mut bank.workers, random.usize(..)).await;
                bank.start_worker();
            }
            Fault::Relay => {
                Bank::kill(&mut bank.relays, random.usize(..)).await;
                bank.start_relay();
            }
            Fault::Postgres => postgres.restart().await.unwrap(),
            Fault::Redis => {
                redis.kill();
                redis.start_again().await.unwrap();
            }
            Fault::Flush => {
                flush(&bank.redis_url).await;
                bank.recover().await;
            }
        }
    }
    writers.join_all().await;
    let behind = "select count(*) from ordered_counters counter left join ordered_progress progress
            on progress.key = counter.key and progress.group_name = 'credits'
        where progress.last_seq is distinct from counter.last_seq or progress.skipped <> '{}'";
    let deadline = Instant::now() + Duration::from_secs(30);
    while count(&url, behind).await > 0 {
        assert!(
            Instant::now() < deadline,
            "seed {seed}: keys are behind:\n{}",
            bank.keys_behind().await
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    let client = connect(&url).await;
    let sums = "select (select sum(balance) from accounts)::bigint, (select sum(total) from credits)::bigint,
        (select sum(amount) from applied)::bigint";
    let row = client.query_one(sums, &[]).await.unwrap();
    let (left, credited, applied): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
    assert_eq!(left + credited, BALANCE * number_of_accounts, "seed {seed}");
    assert_eq!(credited, applied, "seed {seed}");

    let mut by_key: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    let rows = client.query("select key, seq from applied order by place", &[]);
    for row in rows.await.unwrap() {
        by_key.entry(row.get(0)).or_default().push(row.get(1));
    }
    let staged = client.query("select key, last_seq from ordered_counters", &[]);
    let staged: BTreeMap<String, Vec<i64>> = staged
        .await
        .unwrap()
        .iter()
        .map(|row| (row.get(0), (1..=row.get::<_, i64>(1)).collect()))
        .collect();
    assert_eq!(by_key, staged, "seed {seed}");
    let outbox = count(&url, "select count(*) from ordered_outbox").await;
    assert!(
        outbox.cast_unsigned() >= transfers,
        "{outbox} of {transfers}"
    );
}
