//! Three branches book on one account, and two groups run the bookings in one order, whatever came first.
//!
//! Each booking has the time of its branch's Lamport clock. `order = "lamport"` runs it when no other branch can send
//! anything that comes before it. One branch has a slow clock, and is waited for. One dies, and is given up after a
//! while; what it sends later than that is late, and not run.
//!
//! `cargo run --example clocks` shows it in memory. With `work` it is a worker, with `produce` the branches.

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clap::{Parser, Subcommand};
use ordered_events::core::protocol::KeyView;
use ordered_events::core::transport::shuffle_within;
use ordered_events::core::worker::Control;
use ordered_events::logical::LamportProducer;
use ordered_events::{
    Admin, Context, Envelope, HandlerError, InvalidEvent, Key, MemoryBroker, MemoryStore,
    OrderedEvent, Publish, StampedEvent, State, Worker, WorkerEvent, explain, ordered_handler,
    shutdown_signal,
};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, watch};

/// What a branch books on an account.
#[derive(Clone, Default, Serialize, Deserialize, OrderedEvent)]
#[ordered(
    key = "account",
    id = "event_id",
    producer = "branch",
    seq = "seq",
    time = "time"
)]
struct Booking {
    account: String,
    branch: String,
    /// As which booking of its branch on the account.
    seq: u64,
    /// The time of its branch's clock.
    time: u64,
    euros: i64,
    /// For the log: its place in the order of all.
    number: u64,
    event_id: String,
}

impl Booking {
    /// The next booking of a branch that is so far.
    fn next(
        account: &str,
        branch: &str,
        clock: &mut LamportProducer,
        euros: i64,
    ) -> Result<Self, InvalidEvent> {
        let mut booking = Self {
            account: account.into(),
            branch: branch.into(),
            euros,
            ..Self::default()
        };
        booking.stamp(clock)?;
        booking.event_id = format!("{branch}-{}", booking.seq);
        Ok(booking)
    }

    fn line(&self) -> String {
        format!("{} {:<8} {:>4} €", self.time, self.event_id, self.euros)
    }

    fn envelope(&self) -> Result<Envelope, serde_json::Error> {
        Ok(Envelope::new(serde_json::to_vec(self)?))
    }
}

/// What the handler does: it writes down what it was called with.
#[derive(Clone, Default)]
struct Ledger {
    log: Option<Arc<File>>,
    lines: Arc<Mutex<Vec<String>>>,
    work: Duration,
}

#[ordered_handler(
    key = "account",
    order = "lamport",
    producer = "branch",
    seq = "seq",
    time = "time",
    group = "balances"
)]
async fn book(
    booking: Booking,
    State(ledger): State<Ledger>,
    context: Context,
) -> Result<(), HandlerError> {
    tokio::time::sleep(ledger.work).await;
    if let Some(mut file) = ledger.log.as_deref() {
        let (id, worker) = (context.event_id(), context.worker());
        let (account, number) = (&booking.account, booking.number);
        file.write_all(format!("{account} {number} {id} {worker}\n").as_bytes())?;
    }
    ledger.lines.lock().await.push(booking.line());
    Ok(())
}

/// Bookings of three branches, in one order. Without a command: a demonstration in memory.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// A worker: start as many as you like.
    Work(Work),
    /// The branches.
    Produce(Produce),
}

#[derive(clap::Args)]
struct Work {
    /// Where the bookings come from: amqp://…, sqs://…, kafka://…
    #[arg(long)]
    transport: String,
    /// The queue they are in; of Kafka the topic.
    #[arg(long)]
    queue: String,
    /// Where the state is: redis://…
    #[arg(long)]
    store: String,
    /// The group.
    #[arg(long, default_value = "balances")]
    group: String,
    /// The name of this worker.
    #[arg(long)]
    id: String,
    /// A file that gets a line `account number event_id worker_id` for each booking.
    #[arg(long)]
    log: PathBuf,
    /// How long each booking takes, in milliseconds.
    #[arg(long, default_value_t = 0)]
    work_ms: u64,
    /// How long after this worker's death others take over, in milliseconds.
    #[arg(long, default_value_t = 15_000)]
    lease_ms: u64,
    /// How long a booking waits for a branch that says nothing, in milliseconds.
    #[arg(long, default_value_t = 60_000)]
    producer_lease_ms: u64,
}

#[derive(clap::Args)]
struct Produce {
    /// Where the bookings go.
    #[arg(long)]
    transport: String,
    /// The queue; of Kafka the topic.
    #[arg(long)]
    queue: String,
    /// How many accounts.
    #[arg(long, default_value_t = 10)]
    keys: u64,
    /// How many bookings on each.
    #[arg(long, default_value_t = 20)]
    events: u64,
    /// The branches only show their clocks, so that all are known before they book anything.
    #[arg(long)]
    join: bool,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let level = match arguments.command {
        Some(_) => tracing::level_filters::LevelFilter::INFO,
        None => tracing::level_filters::LevelFilter::ERROR,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .init();
    match arguments.command {
        None => demonstrate().await,
        Some(Command::Work(options)) => work(options).await,
        Some(Command::Produce(options)) => produce(options).await,
    }
}

const BRANCHES: [&str; 3] = ["north", "south", "west"];

fn shows(account: &str, branch: &str, clock: LamportProducer) -> Result<Envelope, Box<dyn Error>> {
    let control = Control::Clock {
        producer: branch.into(),
        after: clock.seq(),
        time: clock.time(),
    };
    Ok(control.envelope(&Key::new(account)?))
}

fn joins(account: &str) -> Result<Vec<Envelope>, Box<dyn Error>> {
    let begins = LamportProducer::default();
    let joins = BRANCHES.iter().map(|branch| shows(account, branch, begins));
    joins.collect()
}

/// The bookings on one account in the order of their times, and how far each branch is. A branch hears of some of the
/// others' bookings before it books.
fn bookings(
    account: &str,
    events: u64,
    random: &mut fastrand::Rng,
) -> Result<(Vec<Booking>, [LamportProducer; 3]), InvalidEvent> {
    let (mut clocks, mut all) = ([LamportProducer::default(); 3], Vec::new());
    for _ in 0..events {
        let (branch, other) = (random.usize(..3), random.usize(..3));
        if random.bool() {
            let known = clocks[other].time();
            clocks[branch].receive(known);
        }
        let clock = &mut clocks[branch];
        all.push(Booking::next(account, BRANCHES[branch], clock, 1)?);
    }
    all.sort_by(|one, other| (one.time, &one.branch).cmp(&(other.time, &other.branch)));
    for (number, booking) in (1..).zip(&mut all) {
        booking.number = number;
        booking.event_id = format!("{account}-{}", booking.event_id);
    }
    Ok((all, clocks))
}

/// They are published shuffled, and each tenth one twice. In the end the branches leave.
async fn produce(options: Produce) -> Result<(), Box<dyn Error>> {
    let publisher = ordered_events::publisher(&options.transport, &options.queue).await?;
    let mut random = fastrand::Rng::with_seed(options.keys ^ options.events);
    let (mut joining, mut sent, mut leaving) = (Vec::new(), Vec::new(), Vec::new());
    for account in 1..=options.keys {
        let account = format!("account-{account}");
        joining.extend(joins(&account)?);
        let (bookings, clocks) = bookings(&account, options.events, &mut random)?;
        for booking in bookings {
            let times = if booking.number % 10 == 0 { 2 } else { 1 };
            sent.extend(vec![booking.envelope()?; times]);
        }
        for (branch, clock) in BRANCHES.into_iter().zip(clocks) {
            let leave = Control::Leave {
                producer: branch.to_owned(),
                after: clock.seq(),
                time: clock.time(),
            };
            leaving.push(leave.envelope(&Key::new(account.clone())?));
        }
    }
    publisher.publish(joining).await?;
    if !options.join {
        sent.extend(leaving);
        shuffle_within(&mut sent, 100, &mut random);
        publisher.publish(sent).await?;
    }
    Ok(())
}

async fn work(options: Work) -> Result<(), Box<dyn Error>> {
    let mut open = OpenOptions::new();
    let log = open.create(true).append(true).open(&options.log)?;
    let ledger = Ledger {
        log: Some(Arc::new(log)),
        work: Duration::from_millis(options.work_ms),
        ..Ledger::default()
    };
    let lease = Duration::from_millis(options.lease_ms);
    Worker::connect(&options.transport, &options.queue, &options.store)
        .await?
        .group(options.group)
        .id(options.id)
        .lease(lease)
        .sweep_interval(lease / 20)
        .producer_lease(Duration::from_millis(options.producer_lease_ms))
        .state(ledger)
        .handler(book)
        .run_until(shutdown_signal())
        .await?;
    Ok(())
}

const ACCOUNT: &str = "a-7";

/// A group of the demonstration, with a broker of its own.
struct Group {
    name: &'static str,
    broker: MemoryBroker,
    ledger: Ledger,
    late: Arc<AtomicUsize>,
}

impl Group {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            broker: MemoryBroker::new(),
            ledger: Ledger::default(),
            late: Arc::default(),
        }
    }

    async fn work(
        &self,
        store: MemoryStore,
        mut done: watch::Receiver<bool>,
    ) -> Result<(), Box<dyn Error>> {
        let (name, late) = (self.name, Arc::clone(&self.late));
        let worker = Worker::builder()
            .store(store)
            .transport(self.broker.consumer())
            .group(name)
            .state(self.ledger.clone())
            .producer_lease(Duration::from_secs(1))
            .handler(book)
            .observe(move |worker_event| match worker_event {
                WorkerEvent::Committed { event, .. } => println!("{name:<9} {} ran", event.id),
                WorkerEvent::Late { event } => {
                    println!("{name:<9} {} is late", event.id);
                    late.fetch_add(1, Ordering::Relaxed);
                }
                _ => {}
            });
        let stop = async move {
            let _ = done.wait_for(|done| *done).await;
        };
        worker.run_until(stop).await?;
        Ok(())
    }

    /// Waits until this is so of the account.
    async fn until(
        &self,
        admin: &Admin,
        is_so: impl Fn(&KeyView) -> bool,
    ) -> Result<String, Box<dyn Error>> {
        let key = Key::new(ACCOUNT)?;
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let Some(group) = admin.group(self.name).await? else {
                continue;
            };
            let view = admin.inspect(&group, &key).await?;
            if let Some(view) = view.filter(|view| view.claim.is_none() && is_so(view)) {
                let text = explain(ACCOUNT, Some(&view), &group, None).text;
                let first = text.split_inclusive(". ").next().unwrap_or_default();
                return Ok(first.trim().to_owned());
            }
        }
    }
}

/// Whether so many bookings are done, and the next one waits for this branch.
fn waits_for(branch: &'static str, done: u64) -> impl Fn(&KeyView) -> bool {
    move |view| {
        let mut holders = view.holders.iter();
        view.last_seq == done
            && view.causes.is_empty()
            && holders.any(|holder| holder.producer == branch)
    }
}

async fn demonstrate() -> Result<(), Box<dyn Error>> {
    let [mut north, mut south, mut west] = [LamportProducer::default(); 3];
    let booked = |branch: &str, clock: &mut LamportProducer, euros: i64| {
        Booking::next(ACCOUNT, branch, clock, euros)
    };
    let opened = booked("north", &mut north, 100)?;
    // South has heard of nothing.
    let slow = booked("south", &mut south, 5)?;
    let second = booked("north", &mut north, -30)?;
    west.receive(opened.time);
    let of_west = booked("west", &mut west, -20)?;
    north.receive(of_west.time);
    let third = booked("north", &mut north, 1)?;
    let all = [&opened, &slow, &second, &of_west, &third];

    println!("Five bookings on one account, with the times of their branches' Lamport clocks:");
    all.iter()
        .for_each(|booking| println!("  {}", booking.line()));
    println!("\nThey go to two groups, to each in another order. South's come late.");

    let (balances, audit) = (Group::new("balances"), Group::new("audit"));
    let (store, (stop, done)) = (MemoryStore::new(), watch::channel(false));
    let admin = Admin::new(Arc::new(store.clone()));
    let publish = async {
        let both = [&balances, &audit];
        for group in both {
            group.broker.publish(joins(ACCOUNT)?).await?;
            group
                .until(&admin, |view| view.producers.len() == 3)
                .await?;
        }
        for booking in [&opened, &of_west, &second, &third] {
            balances.broker.publish(vec![booking.envelope()?]).await?;
        }
        for booking in [&third, &of_west, &second, &opened] {
            audit.broker.publish(vec![booking.envelope()?]).await?;
        }
        for group in both {
            let why = group.until(&admin, waits_for("south", 1)).await?;
            println!("{:<9} explain: {why}", group.name);
        }
        println!("\nSouth books, has heard of the others by then, and shows its clock.");
        south.receive(third.time);
        for group in both {
            let shown = shows(ACCOUNT, "south", south)?;
            group.broker.publish(vec![slow.envelope()?, shown]).await?;
            let why = group.until(&admin, waits_for("west", 4)).await?;
            println!("{:<9} explain: {why}", group.name);
        }
        println!("\nWest is dead, and is given up after a second.");
        for group in both {
            group.until(&admin, |view| view.last_seq == 5).await?;
        }
        println!("\nWest comes back, with a booking that it made before it died.");
        let late = booked("west", &mut west, -1)?;
        for group in both {
            group.broker.publish(vec![late.envelope()?]).await?;
            while group.late.load(Ordering::Relaxed) == 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        stop.send_replace(true);
        Ok::<_, Box<dyn Error>>(())
    };
    let work = async {
        let one = balances.work(store.clone(), done.clone());
        tokio::try_join!(one, audit.work(store.clone(), done))?;
        Ok::<_, Box<dyn Error>>(())
    };
    tokio::try_join!(work, publish)?;

    let expected: Vec<String> = all.iter().map(|booking| booking.line()).collect();
    let (one, other) = (
        balances.ledger.lines.lock().await,
        audit.ledger.lines.lock().await,
    );
    if *one == expected && *other == expected {
        println!("\nBoth groups ran the five in the order of their times and branches, each once.");
        Ok(())
    } else {
        Err(format!("the orders are wrong: {one:?} and {other:?}").into())
    }
}
