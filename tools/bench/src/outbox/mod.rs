//! The outbox: staging beside a bare insert of the same row, the relay beside reading with COPY and beside a bare
//! publisher.

mod relay;
mod stage;

use deadpool_postgres::{Manager, Pool};
use ordered_events::postgres::{self, OutboxEvent};
use ordered_testkit::server::{PostgresServer, RabbitServer};
use tokio_postgres::{Client, NoTls};

use crate::Failure;
use crate::cli::OutboxOptions;

/// What one thing is measured beside.
pub(crate) struct Pair {
    what: &'static str,
    beside: &'static str,
    /// The least that is aimed at.
    aim: f64,
    /// Events a second of both, round by round.
    pub(crate) rates: Vec<(f64, f64)>,
}

impl Pair {
    pub(crate) fn new(what: &'static str, beside: &'static str, aim: f64) -> Self {
        let rates = Vec::new();
        Self {
            what,
            beside,
            aim,
            rates,
        }
    }

    pub(crate) fn line(&self) -> String {
        let median = |mut numbers: Vec<f64>| {
            numbers.sort_by(f64::total_cmp);
            numbers[numbers.len() / 2]
        };
        let ratios: Vec<f64> = self
            .rates
            .iter()
            .map(|(ours, other)| ours / other)
            .collect();
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ratios.iter().copied().fold(0.0, f64::max);
        let ratio = median(ratios);
        let word = if ratio >= self.aim { "met" } else { "MISSED" };
        format!(
            "{:<28} {:>9.0}/s   {:<24} {:>9.0}/s   {ratio:.2} ({least:.2}–{most:.2}), aim {:.2}: {word}",
            self.what,
            median(self.rates.iter().map(|(ours, _)| *ours).collect()),
            self.beside,
            median(self.rates.iter().map(|(_, other)| *other).collect()),
            self.aim,
        )
    }
}

/// Measures and prints; both of a pair run in turn.
pub(crate) async fn measure(options: &OutboxOptions) -> Result<(), Failure> {
    let (rounds, events) = if options.quick {
        (1, 2_000)
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
    let rabbit = RabbitServer::builder().schedulers(2).start().await?;
    let url = server.database().await?;
    let mut client = postgres::connect(&url).await?;
    postgres::migrate(&mut client).await?;
    stage::prepare(&client).await?;
    // As a service has it: with a pool, whose connections keep their prepared statements.
    let manager = Manager::new(url.parse()?, NoTls);
    let pool = Pool::builder(manager).max_size(1).build()?;
    let mut pooled = pool.get().await?;
    if options.rows > 0 {
        eprintln!("filling the table with {} rows", options.rows);
        fill(&client, options.rows, options.keys).await?;
    }
    let single = (events / 50).max(100);
    let mut pairs = [
        Pair::new("stage, 1 a transaction", "bare insert", 0.8),
        Pair::new("stage, 100 a transaction", "bare insert", 0.8),
        Pair::new("relay to nobody", "COPY", 0.5),
        Pair::new("relay to RabbitMQ", "bare publisher", 0.8),
    ];
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        let bare = stage::bare(&mut pooled, options.keys, single, 1).await?;
        let ours = stage::ours(&mut pooled, options.keys, single, 1).await?;
        pairs[0].rates.push((ours, bare));
        let bare = stage::bare(&mut pooled, options.keys, events, 100).await?;
        let ours = stage::ours(&mut pooled, options.keys, events, 100).await?;
        pairs[1].rates.push((ours, bare));
        // What the trials before staged is what is relayed, twice.
        let waiting = events + single;
        let copied = relay::copied(&client, waiting).await?;
        let ours = relay::to_nobody(&url, &client, waiting).await?;
        pairs[2].rates.push((ours, copied));
        let bare = relay::bare(&rabbit, waiting).await?;
        let ours = relay::to_rabbit(&url, &client, &rabbit, waiting).await?;
        pairs[3].rates.push((ours, bare));
    }
    for pair in pairs {
        println!("{}", pair.line());
    }
    Ok(())
}

/// Rows that are relayed already.
async fn fill(client: &Client, rows: usize, keys: usize) -> Result<(), Failure> {
    const PART: usize = 500_000;
    for part in 0..rows.div_ceil(PART) {
        let (first, last) = (part * PART + 1, rows.min((part + 1) * PART));
        let sql = format!(
            "insert into ordered_outbox (shard, id, aggregate_type, aggregate_id, seq, event_type, payload) select \
             ordered_shard(key), gen_random_uuid()::text, 'order', key, seq, 'placed', '{}' from (select 'old-' || n % \
             {keys} as key, n / {keys} + 1 as seq from generate_series({first}, {last}) n) event",
            body(0)
        );
        client.batch_execute(&sql).await?;
    }
    client
        .batch_execute(
            "update ordered_relay_shards set xid = pg_current_xact_id(), position = 9223372036854775807; analyze \
             ordered_outbox",
        )
        .await?;
    Ok(())
}

/// Some 150 bytes.
fn body(number: usize) -> String {
    let note = "as long as events commonly are, which is to say more than a few words and less than a page";
    format!(r#"{{"order_id":"order-{number}","amount":"12.50","note":"{note}"}}"#)
}

fn event(keys: usize) -> OutboxEvent {
    let number = fastrand::usize(..keys);
    let key = ordered_events::Key::new(format!("order-{number}")).expect("a short text is a key");
    OutboxEvent::new(
        "order",
        key,
        "placed",
        postgres::Payload::Json(body(number)),
    )
}

#[expect(clippy::cast_precision_loss, reason = "numbers of events are small")]
pub(crate) fn rate(events: usize, took: std::time::Duration) -> f64 {
    events as f64 / took.as_secs_f64()
}
