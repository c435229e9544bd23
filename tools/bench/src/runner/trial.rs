use std::path::Path;
use std::process::Stdio;

use ordered_testkit::unique;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::STALL_TIMEOUT;
use super::feed::Queue;
use super::redis_cost::{Cost, state_bytes, wipe};
use super::servers::Servers;
use crate::cli::{Options, whole};
use crate::event::leaves;
use crate::load::{Broker, Load, Pace, Subject, Variant, failing_events, plan};
use crate::subject::{Job, Progress, Quantiles, Report, Schedule};
use crate::{Failure, clock};

/// How long the subjects have to get ready before the first event of a schedule.
const GET_READY: u64 = 1_500_000_000;

/// One subject's trial in one round of a load.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Trial {
    pub(crate) load: String,
    pub(crate) variant: String,
    pub(crate) round: usize,
    /// Deliveries, duplicates included.
    pub(crate) messages: u64,
    pub(crate) seconds: f64,
    /// Deliveries a second.
    pub(crate) rate: f64,
    /// Microseconds of the subject's processor time for each delivery.
    pub(crate) processor: f64,
    pub(crate) round_trips_per_1000: f64,
    pub(crate) allocations: Option<f64>,
    /// Microseconds of the broker's processor time for each delivery.
    pub(crate) broker_processor: f64,
    /// What Redis counted for each delivery.
    pub(crate) redis: Cost,
    /// Microseconds that a run of the handler took, on average.
    pub(crate) handler: f64,
    /// Resident memory in each quarter of the trial, of the process that had the most in the end.
    pub(crate) resident_bytes: [u64; 4],
    pub(crate) latency: Option<Quantiles>,
    /// Bytes of the state of a key, on average, where orders are compared.
    pub(crate) state_bytes: Option<f64>,
}

/// What runs the trials.
pub(super) struct Trials<'a> {
    servers: &'a Servers,
    options: &'a Options,
    program: std::path::PathBuf,
}

/// A subject's process.
struct Process {
    _child: Child,
    /// It stops when this is dropped.
    input: Option<ChildStdin>,
}

/// How far which process is.
type ProcessProgress = (usize, Progress);

impl Trial {
    /// Microseconds of processor time for each delivery, of all that take part.
    pub(crate) fn processor_in_all(&self) -> f64 {
        self.processor + self.broker_processor + self.redis.processor
    }
}

impl<'a> Trials<'a> {
    pub(super) fn new(servers: &'a Servers, options: &'a Options) -> Result<Self, Failure> {
        Ok(Self {
            servers,
            options,
            program: std::env::current_exe()?,
        })
    }

    pub(super) async fn run(
        &mut self,
        load: &Load,
        variant: &Variant,
        round: usize,
        rate: f64,
    ) -> Result<Trial, Failure> {
        let events = self.options.events(rate * load.length * processes(variant));
        let planned = plan(load, events, self.options.seed + round as u64);
        let messages = planned.len();
        let queue = match load.broker {
            Broker::Rabbit => {
                Queue::declare(
                    self.rabbit_url(variant),
                    unique("bench"),
                    variant.partitions,
                )
                .await?
            }
            Broker::Kafka => Queue::create(self.servers.kafka().await?, unique("bench")).await?,
        };
        let mut redis = self.servers.redis(variant.redis).await?;
        wipe(&mut redis).await?;
        let backlog = matches!(load.pace, Pace::Backlog(_));
        let failing_events = match variant.subject {
            Subject::OrderedBackingOff => failing_events(),
            _ => Vec::new(),
        };
        if !failing_events.is_empty() {
            queue.fill(&failing_events, load).await?;
        }
        if backlog && variant.subject != Subject::Script {
            queue.fill(&planned, load).await?;
        }
        if variant.subject == Subject::OrderedLamport {
            queue.say(leaves(&planned)?).await?;
        }
        let schedule = (!backlog).then(|| Schedule {
            start: clock::monotonic() + GET_READY,
            interval: whole(1e9 / rate) as u64,
        });
        let before = Cost::sofar(&mut redis).await?;
        let broker_before = self.servers.broker_processor(load.broker)?;
        let job = self
            .job(load, variant, &queue.name, events, schedule)
            .await?;
        let expected = (messages as u64, expected(variant, events, messages));
        let running = self.run_processes(&job, variant, expected);
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
            true => Some(state_bytes(&self.servers.redis_url(variant.redis), &queue.name).await?),
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
        let mut trial = trial(load, variant, round, messages as u64, &reports, cost);
        trial.broker_processor = broker / each;
        trial.state_bytes = state_bytes;
        Ok(trial)
    }

    /// With the partitions that the variant has.
    fn rabbit_url(&self, variant: &Variant) -> String {
        let url = self.servers.rabbit.url();
        match variant.partitions {
            0 => url,
            count => format!("{url}?partitions={count}&key=order_id"),
        }
    }

    async fn job(
        &self,
        load: &Load,
        variant: &Variant,
        queue: &str,
        events: usize,
        schedule: Option<Schedule>,
    ) -> Result<String, Failure> {
        Ok(serde_json::to_string(&Job {
            subject: variant.subject,
            transport: match load.broker {
                Broker::Rabbit => self.rabbit_url(variant),
                Broker::Kafka => self.servers.kafka().await?.url(),
            },
            redis: self.servers.redis_url(variant.redis),
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
    async fn run_processes(
        &self,
        job: &str,
        variant: &Variant,
        expected: (u64, u64),
    ) -> Result<Vec<Report>, Failure> {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let count = variant.processes;
        let earlier = self.options.earlier.as_ref().filter(|_| variant.earlier);
        let program = earlier.unwrap_or(&self.program);
        let mut processes = (0..count)
            .map(|place| start(program, job, place, sender.clone()))
            .collect::<Result<Vec<_>, _>>()?;
        drop(sender);
        let mut sofar = vec![(0, 0); count];
        let mut reports = Vec::new();
        while reports.len() < count {
            let Ok(next) = timeout(STALL_TIMEOUT, receiver.recv()).await else {
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
                Some((_, Progress::Finished(report))) => reports.push(report),
                None => return Err("a subject has ended without a report".into()),
            }
        }
        Ok(reports)
    }
}

fn start(
    program: &Path,
    job: &str,
    place: usize,
    sender: mpsc::UnboundedSender<ProcessProgress>,
) -> Result<Process, Failure> {
    let mut child = Command::new(program)
        .args(["subject", job])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(output) = child.stdout.take() {
        tokio::spawn(listen(BufReader::new(output).lines(), place, sender));
    }
    Ok(Process {
        input: child.stdin.take(),
        _child: child,
    })
}

async fn listen(
    mut lines: Lines<BufReader<ChildStdout>>,
    place: usize,
    sender: mpsc::UnboundedSender<ProcessProgress>,
) {
    while let Ok(Some(line)) = lines.next_line().await {
        // What is no progress is for people.
        match serde_json::from_str(&line) {
            Ok(progress) => drop(sender.send((place, progress))),
            Err(_) => eprintln!("{line}"),
        }
    }
}

fn processes(variant: &Variant) -> f64 {
    f64::from(u32::try_from(variant.processes).unwrap_or(1))
}

/// How often a subject will say "done": those without a memory also for duplicates.
fn expected(variant: &Variant, events: usize, messages: usize) -> u64 {
    match variant.subject {
        Subject::Ordered | Subject::OrderedBackingOff => events as u64,
        _ => messages as u64,
    }
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 of each")]
fn trial(
    load: &Load,
    variant: &Variant,
    round: usize,
    messages: u64,
    reports: &[Report],
    redis: Cost,
) -> Trial {
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
    Trial {
        load: load.name.to_owned(),
        variant: variant.label.to_owned(),
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
