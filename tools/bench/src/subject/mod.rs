//! One subject in a process of its own: it does its job, tells the runner how far it is, and stops when its input
//! ends.

mod bare;
mod by_hand;
mod kafka;
mod meter;
mod ordered;
mod orders;
mod parallel;
mod round_trips;
mod script;
mod work;

use std::sync::Arc;
use std::time::Duration;

use lapin::options::{BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties, Consumer};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use self::meter::Meter;
use self::work::Work;
use crate::Failure;
use crate::load::Subject;

pub(crate) use meter::{Progress, Quantiles, Report};
pub(crate) use parallel::is_installed as has_parallel_consumer;

/// What a subject has to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) subject: Subject,
    /// `amqp://…` or `kafka://…`.
    pub(crate) transport: String,
    pub(crate) redis: String,
    pub(crate) queue: String,
    /// What tells one run's state in Redis from another's.
    pub(crate) group: String,
    /// How many events there are, for the one that makes its own.
    pub(crate) events: u64,
    pub(crate) handler: Duration,
    pub(crate) concurrency: usize,
    pub(crate) prefetch: u16,
    pub(crate) dedup_ttl: Duration,
    pub(crate) buckets: u32,
    pub(crate) schedule: Option<Schedule>,
}

/// When each event was to be sent: the one at place n among all at `start + n × interval`, in nanoseconds.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Schedule {
    pub(crate) start: u64,
    pub(crate) interval: u64,
}

/// What all subjects have.
struct SubjectContext {
    job: Job,
    meter: Arc<Meter>,
    work: Work,
    stop: watch::Receiver<bool>,
}

impl SubjectContext {
    fn is_on_kafka(&self) -> bool {
        self.job.transport.starts_with("kafka://")
    }

    async fn stopped(&self) {
        let mut stop = self.stop.clone();
        // An error means that nobody will ever say so.
        let _ = stop.wait_for(|stop| *stop).await;
    }

    /// A bare consumer of the queue.
    async fn consume(&self) -> Result<(Connection, Consumer), Failure> {
        let connection =
            Connection::connect(&self.job.transport, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        channel
            .basic_qos(self.job.prefetch, BasicQosOptions::default())
            .await?;
        let queue = self.job.queue.as_str().into();
        let options = BasicConsumeOptions::default();
        let consumer = channel
            .basic_consume(queue, "bench".into(), options, FieldTable::default())
            .await?;
        Ok((connection, consumer))
    }
}

/// Does what the job says, until the input ends.
pub(crate) async fn run(job: &str) -> Result<(), Failure> {
    let job: Job = serde_json::from_str(job)?;
    if job.subject == Subject::ParallelConsumer {
        return Err(parallel::become_it(&job));
    }
    let meter = Arc::new(Meter::new(job.schedule));
    round_trips::install(&meter)?;
    let reporting = tokio::spawn(meter::report_progress(Arc::clone(&meter)));
    let context = SubjectContext {
        work: Work::new(job.handler, Arc::clone(&meter)),
        meter: Arc::clone(&meter),
        stop: end_of_input(),
        job,
    };
    match context.job.subject {
        Subject::Floor if context.is_on_kafka() => kafka::floor(&context).await?,
        Subject::ByHand if context.is_on_kafka() => kafka::by_hand(&context).await?,
        Subject::Floor => bare::floor(&context).await?,
        Subject::PerMessage => bare::per_message(&context).await?,
        Subject::ByHand => by_hand::run(&context).await?,
        Subject::Ordered
        | Subject::OrderedBatch
        | Subject::OrderedWindow
        | Subject::OrderedArrival
        | Subject::OrderedMonotonic
        | Subject::OrderedCausal
        | Subject::OrderedLamport => ordered::run(&context).await?,
        Subject::OrderedBackingOff => ordered::run_backing_off(&context).await?,
        Subject::Script => script::run(&context).await?,
        Subject::ParallelConsumer => unreachable!("it is another process by now"),
    }
    reporting.abort();
    meter::print(&Progress::Finished(meter.report()));
    Ok(())
}

fn end_of_input() -> watch::Receiver<bool> {
    let (stop, stopped) = watch::channel(false);
    std::thread::spawn(move || {
        // Whatever comes before the end means nothing.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        stop.send_replace(true);
    });
    stopped
}
