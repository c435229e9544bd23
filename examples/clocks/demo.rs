use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use examples::HandlerLog;
use ordered_events::core::protocol::KeyView;
use ordered_events::logical::LamportProducer;
use ordered_events::{
    Admin, Key, MemoryBroker, MemoryStore, Publish, Worker, WorkerEvent, explain,
};
use tokio::sync::watch;

use crate::booking::Booking;
use crate::branches::{joins, shows};
use crate::handler::{Ledger, book};

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
            ledger: Ledger::new(HandlerLog::none(Duration::ZERO)),
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

pub(crate) async fn run() -> Result<(), Box<dyn Error>> {
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
    let (one, other) = (balances.ledger.lines().await, audit.ledger.lines().await);
    if one == expected && other == expected {
        println!("\nBoth groups ran the five in the order of their times and branches, each once.");
        Ok(())
    } else {
        Err(format!("the orders are wrong: {one:?} and {other:?}").into())
    }
}
