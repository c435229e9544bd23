use std::path::Path;
use std::process::Stdio;

use ordered_testkit::unique;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::PATIENCE;
use super::feed::Queue;
use super::redis_side::{Cost, state_bytes, wipe};
use super::servers::Servers;
use crate::cli::{Options, whole};
use crate::contestant::{Job, Progress, Quantiles, Report, Schedule};
use crate::event::leaves;
use crate::load::{Broker, Contestant, Entrant, Load, Pace, plan, troubles};
use crate::{Failure, clock};

/// How long the contestants have to get ready before the first event of a schedule.
const GET_READY: u64 = 1_500_000_000;

/// One contestant's turn in one round of a load.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Turn {
    pub(crate) load: String,
    pub(crate) entrant: String,
    pub(crate) round: usize,
    /// Deliveries, duplicates included.
    pub(crate) messages: u64,
    pub(crate) seconds: f64,
    /// Deliveries a second.
    pub(crate) rate: f64,
    /// Microseconds of the contestant's processor time for each delivery.
    pub(crate) processor: f64,
    pub(crate) round_trips_per_1000: f64,
    pub(crate) allocations: Option<f64>,
    /// Microseconds of the broker's processor time for each delivery.
    pub(crate) broker_processor: f64,
    /// What Redis counted for each delivery.
    pub(crate) redis: Cost,
    /// Microseconds that a run of the handler took, on average.
    pub(crate) handler: f64,
    /// Resident memory in each quarter of the turn, of the process that had the most in the end.
    pub(crate) resident_bytes: [u64; 4],
    pub(crate) latency: Option<Quantiles>,
    /// Bytes of the state of a key, on average, where orders are compared.
    pub(crate) state_bytes: Option<f64>,
}

/// Where turns are taken.
pub(super) struct Turns<'a> {
    servers: &'a Servers,
    options: &'a Options,
    program: std::path::PathBuf,
}

/// A contestant's process.
struct Process {
    _child: Child,
    /// It stops when this is dropped.
    input: Option<ChildStdin>,
}

/// What was told by which process.
type Told = (usize, Progress);

impl Turn {
    /// Microseconds of processor time for each delivery, of all that take part.
    pub(crate) fn processor_in_all(&self) -> f64 {
        self.processor + self.broker_processor + self.redis.processor
    }
}

impl<'a> Turns<'a> {
    pub(super) fn new(servers: &'a Servers, options: &'a Options) -> Result<Self, Failure> {
        Ok(Self {
            servers,
            options,
            program: std::env::current_exe()?,
        })
    }

    pub(super) async fn take(
        &mut self,
        load: &Load,
        entrant: &Entrant,
        round: usize,
        rate: f64,
    ) -> Result<Turn, Failure> {
        let events = self.options.events(rate * load.length * processes(entrant));
        let planned = plan(load, events, self.options.seed + round as u64);
        let messages = planned.len();
        let queue = match load.broker {
            Broker::Rabbit => {
                Queue::declare(
                    self.rabbit_url(entrant),
                    unique("bench"),
                    entrant.partitions,
                )
                .await?
            }
            Broker::Kafka => Queue::create(self.servers.kafka().await?, unique("bench")).await?,
        };
        let mut redis = self.servers.redis(entrant.redis).await?;
        wipe(&mut redis).await?;
        let backlog = matches!(load.pace, Pace::Backlog(_));
        let troubles = match entrant.contestant {
            Contestant::Troubled => troubles(),
            _ => Vec::new(),
        };
        if !troubles.is_empty() {
            queue.fill(&troubles, load).await?;
        }
        if backlog && entrant.contestant != Contestant::Script {
            queue.fill(&planned, load).await?;
        }
        if entrant.contestant == Contestant::OrderedLamport {
            queue.say(leaves(&planned)?).await?;
        }
        let schedule = (!backlog).then(|| Schedule {
            start: clock::monotonic() + GET_READY,
            interval: whole(1e9 / rate) as u64,
        });
        let before = Cost::sofar(&mut redis).await?;
        let broker_before = self.servers.broker_processor(load.broker)?;
        let job = self
            .job(load, entrant, &queue.name, events, schedule)
            .await?;
        let expected = (messages as u64, expected(entrant, events, messages));
        let running = self.run(&job, entrant, expected);
        let reports = match schedule {
            None => running.await?,
            Some(schedule) => {
                let feeding = queue.feed(&planned, load, schedule);
                tokio::try_join!(running, feeding)?.0
            }
        };
        let after = Cost::sofar(&mut redis).await?;
        let broker = self.servers.broker_processor(load.broker)? - broker_before;
        let state_bytes = match load.compares_orders {
            true => Some(state_bytes(&self.servers.redis_url(entrant.redis), &queue.name).await?),
            false => None,
        };
        // What was measured stands. RabbitMQ takes its time for a queue that ten million messages went through, and may
        // say that it failed.
        if let Err(error) = queue.delete().await {
            eprintln!("the queue was not deleted: {error}");
        }
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 events")]
        let each = messages as f64;
        let cost = after.for_each(before, each);
        let mut turn = turn(load, entrant, round, messages as u64, &reports, cost);
        turn.broker_processor = broker / each;
        turn.state_bytes = state_bytes;
        Ok(turn)
    }

    /// With the partitions that the entrant has.
    fn rabbit_url(&self, entrant: &Entrant) -> String {
        let url = self.servers.rabbit.url();
        match entrant.partitions {
            0 => url,
            count => format!("{url}?partitions={count}&key=order_id"),
        }
    }

    async fn job(
        &self,
        load: &Load,
        entrant: &Entrant,
        queue: &str,
        events: usize,
        schedule: Option<Schedule>,
    ) -> Result<String, Failure> {
        Ok(serde_json::to_string(&Job {
            contestant: entrant.contestant,
            transport: match load.broker {
                Broker::Rabbit => self.rabbit_url(entrant),
                Broker::Kafka => self.servers.kafka().await?.url(),
            },
            redis: self.servers.redis_url(entrant.redis),
            queue: queue.to_owned(),
            group: queue.to_owned(),
            events: events as u64,
            handler: load.handler,
            concurrency: load.concurrency,
            prefetch: u16::try_from(load.prefetch)?,
            dedup_ttl: load.dedup_ttl,
            buckets: self.options.buckets,
            schedule: schedule.filter(|_| load.asks_latency),
        })?)
    }

    /// Starts the processes, waits until they have received and done what is expected, and stops them.
    async fn run(
        &self,
        job: &str,
        entrant: &Entrant,
        expected: (u64, u64),
    ) -> Result<Vec<Report>, Failure> {
        let (tell, mut told) = mpsc::unbounded_channel();
        let count = entrant.processes;
        let earlier = self.options.earlier.as_ref().filter(|_| entrant.earlier);
        let program = earlier.unwrap_or(&self.program);
        let mut processes = (0..count)
            .map(|place| start(program, job, place, tell.clone()))
            .collect::<Result<Vec<_>, _>>()?;
        drop(tell);
        let mut sofar = vec![(0, 0); count];
        let mut reports = Vec::new();
        while reports.len() < count {
            let Ok(next) = timeout(PATIENCE, told.recv()).await else {
                return Err(format!("stuck at {sofar:?} of {expected:?} received and done").into());
            };
            match next {
                Some((place, Progress::Sofar { received, done })) => {
                    sofar[place] = (received, done);
                    let received: u64 = sofar.iter().map(|sofar| sofar.0).sum();
                    let done: u64 = sofar.iter().map(|sofar| sofar.1).sum();
                    if received >= expected.0 && done >= expected.1 {
                        for process in &mut processes {
                            process.input = None;
                        }
                    }
                }
                Some((_, Progress::Over(report))) => reports.push(report),
                None => return Err("a contestant has ended without a report".into()),
            }
        }
        Ok(reports)
    }
}

fn start(
    program: &Path,
    job: &str,
    place: usize,
    tell: mpsc::UnboundedSender<Told>,
) -> Result<Process, Failure> {
    let mut child = Command::new(program)
        .args(["contestant", job])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(output) = child.stdout.take() {
        tokio::spawn(listen(BufReader::new(output).lines(), place, tell));
    }
    Ok(Process {
        input: child.stdin.take(),
        _child: child,
    })
}

async fn listen(
    mut lines: Lines<BufReader<ChildStdout>>,
    place: usize,
    tell: mpsc::UnboundedSender<Told>,
) {
    while let Ok(Some(line)) = lines.next_line().await {
        // What is no progress is for people.
        match serde_json::from_str(&line) {
            Ok(progress) => drop(tell.send((place, progress))),
            Err(_) => eprintln!("{line}"),
        }
    }
}

fn processes(entrant: &Entrant) -> f64 {
    f64::from(u32::try_from(entrant.processes).unwrap_or(1))
}

/// How often a contestant will say "done": those without a memory also for duplicates.
fn expected(entrant: &Entrant, events: usize, messages: usize) -> u64 {
    match entrant.contestant {
        Contestant::Ordered | Contestant::Troubled => events as u64,
        _ => messages as u64,
    }
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 of each")]
fn turn(
    load: &Load,
    entrant: &Entrant,
    round: usize,
    messages: u64,
    reports: &[Report],
    redis: Cost,
) -> Turn {
    // One that came too late for any event has no times.
    let worked = || reports.iter().filter(|report| report.received > 0);
    let first = worked().map(|report| report.first).min();
    let last = worked().map(|report| report.last).max();
    let nanos = last.unwrap_or(0).saturating_sub(first.unwrap_or(0)).max(1);
    let seconds = nanos as f64 / 1e9;
    let sum = |of: fn(&Report) -> u64| reports.iter().map(of).sum::<u64>() as f64;
    let allocations = reports
        .iter()
        .map(|report| report.allocations)
        .sum::<Option<u64>>();
    Turn {
        load: load.name.to_owned(),
        entrant: entrant.label.to_owned(),
        round,
        messages,
        seconds,
        rate: messages as f64 / seconds,
        processor: sum(|report| report.processor) / 1e3 / messages as f64,
        round_trips_per_1000: sum(|report| report.round_trips) * 1e3 / messages as f64,
        allocations: allocations.map(|count| count as f64 / messages as f64),
        broker_processor: 0.0,
        redis,
        handler: sum(|report| report.handler) / 1e3 / reports.len().max(1) as f64,
        resident_bytes: reports
            .iter()
            .map(|report| report.resident_bytes)
            .max_by_key(|quarters| quarters[3])
            .unwrap_or_default(),
        latency: reports.iter().find_map(|report| report.latency),
        state_bytes: None,
    }
}
