//! One run of one fault.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use ordered_events::core::admin::{Admin, Shelf};
use ordered_events::core::protocol::Policy;
use ordered_events::core::store::Group;
use ordered_events::core::transport::{Intake, Transport};
use ordered_events::{Amqp, Kafka, Key, RedisStore};
use ordered_testkit::history::{Event, What};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};

use crate::Error;
use crate::fault::{Broker, Fault};
use crate::journal::Journal;
use crate::money;
use crate::order::{self, OrderEvent};
use crate::report::{Facts, Report};
use crate::schedule::{Fallen, hand};
use crate::stage::{Disk, Feed, Fleet, Names, Servers, Stage, Tail};
use crate::worker::Pace;

/// How much is done.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The program with the command `work`: this one.
    pub program: PathBuf,
    /// What decides everything.
    pub seed: u64,
    /// How many events.
    pub events: usize,
    /// Over how many keys.
    pub keys: usize,
    /// How many blows.
    pub blows: usize,
    /// Without any progress for so long, the run has failed.
    pub patience: Duration,
    /// How the workers take the events of a key.
    pub pace: Pace,
    /// Redis keeps nothing over its end, which breaks the promises: to see that the suite says so.
    pub careless: bool,
}

/// Runs one fault, and reports.
///
/// # Errors
/// When the suite itself could not do what it should; what the product did wrong is in the report.
pub async fn run(fault: &Fault, plan: &Plan, servers: &mut Servers) -> Result<Report, Error> {
    if fault.money {
        return money::run(fault, plan, servers).await;
    }
    let disk = fault.small_disk.then(Disk::mount).transpose();
    let disk = disk.map_err(|error| format!("no small disk can be mounted: {error}"))?;
    servers.renew_redis(disk.as_ref(), plan.careless).await?;
    let names = Names::new(fault.name)?;
    let journal = Journal::open(&names.history())?;
    let mut random = fastrand::Rng::with_seed(plan.seed);
    let events = order::all(plan.events, plan.keys, &mut random);
    servers.prepare(fault.broker, &names.queue).await?;
    let fleet = Fleet::new(
        &plan.program,
        fault,
        (plan.seed, plan.pace),
        &names,
        servers,
        &journal,
    )
    .await?;
    let stage = Stage {
        tail: Tail::open(&names.history())?,
        feed: Feed::new(events, (plan.events as u64 / 5).clamp(500, 8_000)),
        fleet,
        journal,
        servers,
        disk: disk.map(Mutex::new),
        broker: fault.broker,
        names,
    };
    let mut facts = Facts::new(plan);
    let begun = Instant::now();
    let outcome = unfold(&stage, fault, plan, random, &mut facts).await;
    if let Err(error) = &outcome {
        facts.problems.push(error.to_string());
        // A blow that was broken off has left something lying.
        stage.servers.revive().await?;
    }
    facts.problems.extend(leave(&stage).await?);
    facts.took = begun.elapsed();
    if fault.clocks {
        facts.hours_apart = Some(stage.fleet.hours_apart().await);
    }
    if let Err(error) = settle_accounts(&stage, plan, &mut facts).await {
        facts
            .problems
            .push(format!("the end could not be looked at: {error}"));
    }
    let report = Report::new(fault, facts, &stage.tail, plan.pace.rules());
    if report.is_good() {
        std::fs::remove_dir_all(&stage.names.folder)?;
    } else {
        eprintln!("what happened is kept in {}", stage.names.folder.display());
    }
    if stage.broker == Broker::Rabbit {
        stage.servers.delete_queue(&stage.names.queue).await?;
    }
    Ok(report)
}

/// From the first event to the last.
async fn unfold(
    stage: &Stage<'_>,
    fault: &Fault,
    plan: &Plan,
    mut random: fastrand::Rng,
    facts: &mut Facts,
) -> Result<(), Error> {
    stage.fleet.start().await?;
    // Before the first event: thousands of them are done with in the second that it takes, and a blow that had to wait for
    // it would fall on nothing.
    if stage.broker == Broker::Rabbit {
        let rabbit = stage
            .servers
            .queue_can_be_struck(&stage.names.queue)
            .await?;
        drop(rabbit);
    }
    let url = stage.servers.transport(stage.broker).await?;
    let feeding = stage
        .feed
        .run(&url, &stage.names.queue, &stage.tail, &stage.journal);
    let hands: Vec<_> = (0..fault.hands).map(|_| random.fork()).collect();
    let each = plan.blows.div_ceil(fault.hands);
    let acting = async {
        let hands = hands
            .into_iter()
            .map(|random| hand(fault, stage, each, plan.events as u64, random));
        let mut fallen = Fallen::default();
        for hand in try_join_all(hands).await? {
            fallen.count += hand.count;
            fallen.longest = fallen.longest.max(hand.longest);
        }
        // The end is waited for only after the last blow: until then no queue is the last word.
        wait_for_the_end(stage, plan).await?;
        Ok::<_, Error>(fallen)
    };
    let fallen = tokio::select! {
        fallen = acting => fallen?,
        failed = feeding => return Err(ended("the producer", failed)),
        failed = stage.tail.follow() => return Err(ended("the reading of the history", failed)),
        failed = stage.fleet.supervise(&stage.tail) => return Err(ended("the supervision", failed)),
        () = stalled(stage, plan.patience) => return Err(format!("no progress for {:?}", plan.patience).into()),
    };
    facts.fallen = fallen;
    Ok(())
}

fn ended(what: &str, how: Result<(), Error>) -> Error {
    match how {
        Ok(()) => format!("{what} ended").into(),
        Err(error) => format!("{what} failed: {error}").into(),
    }
}

async fn stalled(stage: &Stage<'_>, patience: Duration) {
    while stage.tail.since_progress() < patience {
        sleep(Duration::from_millis(200)).await;
    }
}

/// Until everything is published, every key stands at its last seq, and the broker has nothing left.
async fn wait_for_the_end(stage: &Stage<'_>, plan: &Plan) -> Result<(), Error> {
    let admin = admin(stage).await?;
    let mut behind: Vec<(String, u64)> = last_seqs(plan).collect();
    loop {
        if stage.feed.is_done() {
            let mut still = Vec::new();
            for (key, last) in behind {
                if standing(stage, &admin, &key).await? < last {
                    still.push((key, last));
                }
            }
            behind = still;
            if behind.is_empty() && is_empty(stage).await? {
                return Ok(());
            }
        }
        sleep(Duration::from_millis(200)).await;
    }
}

async fn ready(stage: &Stage<'_>) -> Result<u32, Error> {
    let queue = &stage.names.queue;
    stage.servers.ready(stage.broker, queue).await
}

/// Whether the broker has nothing, and keeps having nothing for a moment.
async fn is_empty(stage: &Stage<'_>) -> Result<bool, Error> {
    for _ in 0..3 {
        if ready(stage).await? > 0 {
            return Ok(false);
        }
        sleep(Duration::from_millis(200)).await;
    }
    Ok(true)
}

/// Stops the workers. What they had not settled then goes back to the queue: they get it once more, and once more.
async fn leave(stage: &Stage<'_>) -> Result<Vec<String>, Error> {
    let mut problems = stage.fleet.stop().await?;
    for _ in 0..2 {
        if ready(stage).await? == 0 {
            return Ok(problems);
        }
        stage.fleet.start().await?;
        sleep(Duration::from_secs(5)).await;
        problems.extend(stage.fleet.stop().await?);
    }
    let left = ready(stage).await?;
    if left > 0 {
        problems.push(format!("{left} deliveries are not settled in the end"));
    }
    Ok(problems)
}

fn last_seqs(plan: &Plan) -> impl Iterator<Item = (String, u64)> {
    let (events, keys) = (plan.events, plan.keys);
    (0..keys.min(events)).map(move |key| {
        let last = (events - 1 - key) / keys + 1;
        (format!("order-{key}"), last as u64)
    })
}

async fn admin(stage: &Stage<'_>) -> Result<Admin, Error> {
    let store = RedisStore::connect(stage.servers.redis_address()).await?;
    Ok(Admin::new(Arc::new(store)))
}

async fn standing(stage: &Stage<'_>, admin: &Admin, key: &str) -> Result<u64, Error> {
    let group = Group::new(&stage.names.group, Policy::default());
    let view = admin.inspect(&group, &Key::new(key)?).await?;
    Ok(view.map_or(0, |view| view.last_seq))
}

/// Writes down the dead letters that the store has of a key: an event that was posted to a key of another worker cannot be
/// dead-lettered with the broker any more.
async fn dead_letters_of_the_store(
    stage: &Stage<'_>,
    admin: &Admin,
    key: &str,
) -> Result<(), Error> {
    let (group, name) = (
        Group::new(&stage.names.group, Policy::default()),
        Key::new(key)?,
    );
    // What was posted last may not be looked at yet.
    let looked_at = async {
        while let Some(view) = admin.inspect(&group, &name).await? {
            if view.held_events == 0 && view.claim.is_none() {
                break;
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok::<_, Error>(())
    };
    timeout(Duration::from_secs(20), looked_at).await??;
    let mut after = None;
    loop {
        let page = admin.stored(&group, &name, Shelf::Dead, after).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = Some(last.place);
        for stored in page {
            let event = Event {
                key: key.to_owned(),
                seq: stored.place.1,
                id: stored.id,
            };
            let reason = stored.aside.map(|aside| aside.error).unwrap_or_default();
            stage.journal.write(What::DeadLettered { event, reason });
        }
    }
}

/// Writes down where the store stands and what was dead-lettered, which is the end of the history.
async fn settle_accounts(stage: &Stage<'_>, plan: &Plan, facts: &mut Facts) -> Result<(), Error> {
    let admin = admin(stage).await?;
    for (key, _) in last_seqs(plan) {
        let last_seq = standing(stage, &admin, &key).await?;
        stage.journal.write(What::Standing { key, last_seq });
    }
    for (key, _) in last_seqs(plan) {
        dead_letters_of_the_store(stage, &admin, &key).await?;
    }
    let dead = format!("{}.dead", stage.names.queue);
    let count = u64::from(stage.servers.ready(stage.broker, &dead).await?);
    let url = stage.servers.transport(stage.broker).await?;
    let dead_letters: Arc<dyn Transport> = match stage.broker {
        Broker::Rabbit => {
            let amqp = Amqp::connect(url).queue(&dead);
            Arc::new(amqp.dead_letter_queue(&stage.names.queue).await?)
        }
        Broker::Kafka => Arc::new(Kafka::connect(url).topic(&dead).await?),
    };
    let max_unsettled = usize::from(u16::MAX);
    dead_letters.start(Intake { max_unsettled }).await?;
    let mut seen = 0;
    while seen < count {
        let letters = timeout(Duration::from_secs(20), dead_letters.receive(1_000)).await??;
        for letter in &letters {
            let headers = &letter.envelope.headers;
            let reason = headers.get("x-ordered-reason").cloned().unwrap_or_default();
            match OrderEvent::read(&letter.envelope) {
                Some(event) => {
                    let event = Event::from(&event);
                    stage.journal.write(What::DeadLettered { event, reason });
                }
                None => facts
                    .problems
                    .push("a dead letter that cannot be read".into()),
            }
        }
        seen += letters.len() as u64;
    }
    dead_letters.close().await?;
    facts.died = stage
        .fleet
        .deaths
        .lock()
        .map(|deaths| deaths.clone())
        .unwrap_or_default();
    facts.refused = stage.feed.refused();
    facts.delivered = stage.feed.published();
    stage.tail.catch_up()
}
