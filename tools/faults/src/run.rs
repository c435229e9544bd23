//! One run of one fault.

use std::path::PathBuf;
use std::time::Duration;

use ordered_events::core::worker::Control;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};

use crate::Error;
use crate::ending::Ending;
use crate::fault::{Broker, Fault};
use crate::journal::Journal;
use crate::money;
use crate::order::control;
use crate::report::{Facts, Report};
use crate::schedule;
use crate::stage::{Disk, Feed, Fleet, Names, Queue, Servers, Stage, Tail};
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
    let amount = (plan.events, plan.keys);
    let events = fault.sequencing.events(amount, &mut random);
    let said = fault.sequencing.said_before(&events);
    let behind = fault.sequencing.said_behind(&events);
    let behind = behind.iter().map(|(key, said)| control(key, said));
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
        feed: Feed::new(
            events,
            behind.collect(),
            fault.sequencing.backlog(amount) as u64,
            fault.sequencing.batch(plan.keys),
        ),
        fleet,
        journal,
        servers,
        disk: disk.map(Mutex::new),
        queue: Queue::new(fault.broker, &names.queue, fault.partitions),
        names,
    };
    let mut facts = Facts::new(plan);
    let begun = Instant::now();
    let outcome = unfold(&stage, fault, (plan, &said), random, &mut facts).await;
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
    let ending = Ending::open(&stage, fault.sequencing);
    let settled = async { ending.await?.settle_accounts(&mut facts).await };
    if let Err(error) = settled.await {
        facts
            .problems
            .push(format!("the end could not be looked at: {error}"));
    }
    let rules = plan.pace.rules(fault.sequencing.order());
    let report = Report::new(fault, facts, &stage.tail, rules);
    if report.is_good() {
        std::fs::remove_dir_all(&stage.names.folder)?;
    } else {
        eprintln!("what happened is kept in {}", stage.names.folder.display());
    }
    stage.queue.delete(stage.servers).await?;
    Ok(report)
}

/// From the first event to the last.
async fn unfold(
    stage: &Stage<'_>,
    fault: &Fault,
    (plan, said): (&Plan, &[(String, Control)]),
    random: fastrand::Rng,
    facts: &mut Facts,
) -> Result<(), Error> {
    stage.fleet.start().await?;
    // Before the first event: thousands of them are done with in the second that it takes, and a blow that had to wait
    // for it would fall on nothing.
    if stage.queue.broker == Broker::Rabbit {
        let queues = stage.queue.names(fault.partitions);
        drop(stage.servers.queues_can_be_struck(&queues).await?);
    }
    say_first(stage, fault, (plan, said)).await?;
    let feeding = stage.feed.run(stage);
    let acting = async {
        let fallen = schedule::all(fault, stage, plan.blows, random).await?;
        // The end is waited for only after the last blow: until then no queue is the last word.
        let ending = Ending::open(stage, fault.sequencing).await?;
        ending.wait_for().await?;
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

/// What producers say before the first event, until all keys know of it.
async fn say_first(
    stage: &Stage<'_>,
    fault: &Fault,
    (plan, said): (&Plan, &[(String, Control)]),
) -> Result<(), Error> {
    if said.is_empty() {
        return Ok(());
    }
    let publisher = stage.queue.publisher(stage.servers).await?;
    let said: Vec<_> = said.iter().map(|(key, said)| control(key, said)).collect();
    let known = async {
        // A queue may have no leader yet.
        while let Err(error) = publisher.publish(said.clone()).await {
            tracing::info!(%error, "the broker did not take what producers say first");
            sleep(Duration::from_millis(200)).await;
        }
        while Ending::open(stage, fault.sequencing)
            .await?
            .producers()
            .await?
            < said.len()
        {
            sleep(Duration::from_millis(100)).await;
        }
        Ok::<_, Error>(())
    };
    let known = timeout(plan.patience, known).await;
    known.map_err(|_| format!("not all producers are known after {:?}", plan.patience))?
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

/// Stops the workers. What they had not settled then goes back to the queue: they get it once more, and once more.
async fn leave(stage: &Stage<'_>) -> Result<Vec<String>, Error> {
    let mut problems = stage.fleet.stop(&stage.tail).await?;
    for _ in 0..2 {
        if stage.queue.ready(stage.servers).await? == 0 {
            return Ok(problems);
        }
        stage.fleet.start().await?;
        sleep(Duration::from_secs(5)).await;
        problems.extend(stage.fleet.stop(&stage.tail).await?);
    }
    let left = stage.queue.ready(stage.servers).await?;
    if left > 0 {
        problems.push(format!("{left} deliveries are not settled in the end"));
    }
    Ok(problems)
}
