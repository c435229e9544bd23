use std::error::Error;

use ordered_events::core::transport::shuffle_within;
use ordered_events::core::worker::Control;
use ordered_events::logical::LamportProducer;
use ordered_events::{Envelope, InvalidEvent, Key, Publisher};

use crate::booking::Booking;

#[derive(clap::Args)]
pub(crate) struct Options {
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

const BRANCHES: [&str; 3] = ["north", "south", "west"];

/// A branch shows its clock: from then on it is known, and waited for.
pub(crate) fn shows(
    account: &str,
    branch: &str,
    clock: LamportProducer,
) -> Result<Envelope, Box<dyn Error>> {
    Ok(Control::clock(branch, clock).envelope(&Key::new(account)?))
}

/// All branches show their clocks before they book anything.
pub(crate) fn joins(account: &str) -> Result<Vec<Envelope>, Box<dyn Error>> {
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
pub(crate) async fn produce(options: Options) -> Result<(), Box<dyn Error>> {
    let transport = ordered_events::publisher(&options.transport, &options.queue).await?;
    // It sends again what the broker does not take at once.
    let publisher = Publisher::builder(transport).build()?;
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
            let leave = Control::leave(branch, clock);
            leaving.push(leave.envelope(&Key::new(account.clone())?));
        }
    }
    publish(&publisher, joining).await?;
    if !options.join {
        sent.extend(leaving);
        shuffle_within(&mut sent, 100, &mut random);
        publish(&publisher, sent).await?;
    }
    Ok(())
}

/// Publishes them in any order: the workers sort them.
async fn publish(publisher: &Publisher, sent: Vec<Envelope>) -> Result<(), Box<dyn Error>> {
    let mut receipts = Vec::with_capacity(sent.len());
    for envelope in sent {
        receipts.push(publisher.enqueue(envelope).await?);
    }
    for receipt in receipts {
        receipt.await?;
    }
    Ok(())
}
