//! One run of one fault.

use std::path::PathBuf;
use std::time::Duration;

use ordered_events::core::worker::Control;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};

use crate::Error;
use crate::environment::{Disk, Environment, Fleet, Names, Producer, Queue, Servers, Tail};
use crate::fault::{Broker, Fault};
use crate::final_state::FinalState;
use crate::journal::Journal;
use crate::money;
use crate::order::control;
use crate::report::{Observations, Report};
use crate::schedule;
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
    /// How many injections.
    pub injections: usize,
    /// Without any progress for so long, the run has failed.
    pub stall_timeout: Duration,
    /// How the workers take the events of a key.
    pub pace: Pace,
    /// Redis keeps nothing on disk, which breaks the promises: to see that the suite reports it.
    pub volatile_redis: bool,
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
    servers
        .reset_redis(disk.as_ref(), plan.volatile_redis)
        .await?;
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
    let environment = Environment {
        tail: Tail::open(&names.history())?,
        producer: Producer::new(
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
    let mut observations = Observations::new(plan);
    let begun = Instant::now();
    let outcome = run_events(
        &environment,
        fault,
        (plan, &said),
        random,
        &mut observations,
    )
    .await;
    if let Err(error) = &outcome {
        observations.problems.push(error.to_string());
        // An injection that was broken off has left something lying.
        environment.servers.restart_all().await?;
    }
    observations.problems.extend(leave(&environment).await?);
    observations.took = begun.elapsed();
    if fault.clocks {
        observations.hours_apart = Some(environment.fleet.hours_apart().await);
    }
    let final_state = FinalState::open(&environment, fault.sequencing);
    let settled = async { final_state.await?.record(&mut observations).await };
    if let Err(error) = settled.await {
        observations
            .problems
            .push(format!("the end could not be looked at: {error}"));
    }
    let rules = plan.pace.rules(fault.sequencing.order());
    let report = Report::new(fault, observations, &environment.tail, rules);
    if report.is_good() {
        std::fs::remove_dir_all(&environment.names.folder)?;
    } else {
        eprintln!(
            "what happened is kept in {}",
            environment.names.folder.display()
        );
    }
    environment.queue.delete(environment.servers).await?;
    Ok(report)
}

/// From the first event to the last.
async fn run_events(
    environment: &Environment<'_>,
    fault: &Fault,
    (plan, said): (&Plan, &[(String, Control)]),
    random: fastrand::Rng,
    observations: &mut Observations,
) -> Result<(), Error> {
    environment.fleet.start().await?;
    // Before the first event: thousands of them are done with in the second that it takes, and an injection that had to
    // wait for it would disturb nothing.
    if environment.queue.broker == Broker::Rabbit {
        let queues = environment.queue.names(fault.partitions);
        drop(
            environment
                .servers
                .rabbit_with_queues_on_disk(&queues)
                .await?,
        );
    }
    say_first(environment, fault, (plan, said)).await?;
    let feeding = environment.producer.run(environment);
    let acting = async {
        let injected = schedule::all(fault, environment, plan.injections, random).await?;
        // The end is waited for only after the last injection: until then no queue is the last word.
        let final_state = FinalState::open(environment, fault.sequencing).await?;
        final_state.wait_for().await?;
        Ok::<_, Error>(injected)
    };
    let injected = tokio::select! {
        injected = acting => injected?,
        failed = feeding => return Err(ended("the producer", failed)),
        failed = environment.tail.follow() => return Err(ended("the reading of the history", failed)),
        failed = environment.fleet.supervise(&environment.tail) => return Err(ended("the supervision", failed)),
        () = stalled(environment, plan.stall_timeout) => {
            return Err(format!("no progress for {:?}", plan.stall_timeout).into());
        }
    };
    observations.injected = injected;
    Ok(())
}

/// What producers say before the first event, until all keys know of it.
async fn say_first(
    environment: &Environment<'_>,
    fault: &Fault,
    (plan, said): (&Plan, &[(String, Control)]),
) -> Result<(), Error> {
    if said.is_empty() {
        return Ok(());
    }
    let publisher = environment.queue.publisher(environment.servers).await?;
    let said: Vec<_> = said.iter().map(|(key, said)| control(key, said)).collect();
    let known = async {
        // A queue may have no leader yet.
        while let Err(error) = publisher.publish(said.clone()).await {
            tracing::info!(%error, "the broker did not take what producers say first");
            sleep(Duration::from_millis(200)).await;
        }
        while FinalState::open(environment, fault.sequencing)
            .await?
            .producers()
            .await?
            < said.len()
        {
            sleep(Duration::from_millis(100)).await;
        }
        Ok::<_, Error>(())
    };
    let known = timeout(plan.stall_timeout, known).await;
    known.map_err(|_| format!("not all producers are known after {:?}", plan.stall_timeout))?
}

fn ended(what: &str, how: Result<(), Error>) -> Error {
    match how {
        Ok(()) => format!("{what} ended").into(),
        Err(error) => format!("{what} failed: {error}").into(),
    }
}

async fn stalled(environment: &Environment<'_>, stall_timeout: Duration) {
    while environment.tail.since_progress() < stall_timeout {
        sleep(Duration::from_millis(200)).await;
    }
}

/// Stops the workers. What they had not settled then goes back to the queue: they get it once more, and once more.
async fn leave(environment: &Environment<'_>) -> Result<Vec<String>, Error> {
    let mut problems = environment.fleet.stop(&environment.tail).await?;
    for _ in 0..2 {
        if environment.queue.ready(environment.servers).await? == 0 {
            return Ok(problems);
        }
        environment.fleet.start().await?;
        sleep(Duration::from_secs(5)).await;
        problems.extend(environment.fleet.stop(&environment.tail).await?);
    }
    let left = environment.queue.ready(environment.servers).await?;
    if left > 0 {
        problems.push(format!("{left} deliveries are not settled in the end"));
    }
    Ok(problems)
}
