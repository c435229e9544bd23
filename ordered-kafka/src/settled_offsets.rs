use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use ordered_core::transport::TransportError;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use tracing::{debug, info, warn};

use crate::link::Link;
use crate::unsettled::{Offsets, UnsettledRecords};
use crate::{config, failure};

/// How often the marks of all partitions are written although they are unchanged: brokers forget the offsets of a group
/// that nobody is in, seven days after they were written unless they are set otherwise.
const REFRESH: Duration = Duration::from_secs(60 * 60);

/// How long to wait for an answer before the next look at what else the client says.
const SLICE: Duration = Duration::from_millis(500);
/// How long to wait for what passes.
const SOON: Duration = Duration::from_millis(50);

/// How far a group has settled each partition at the most: its mark.
///
/// The committed offset of the group cannot say it, for it is what is set back on purpose. So the marks are the offsets
/// of another group of Kafka, which nobody is a member of.
pub(crate) struct SettledOffsets {
    consumer: BaseConsumer<Quiet>,
    topic: String,
    group: String,
    limit: Duration,
    /// There is no right to the group: nothing more is tried.
    is_refused: AtomicBool,
}

impl SettledOffsets {
    /// `None` where no marks are kept. Nothing is connected yet.
    pub(crate) fn new(link: &Link) -> Result<Option<Arc<Self>>, TransportError> {
        let Some(group) = link.settled_group() else {
            return Ok(None);
        };
        let consumer = config::consumer(&link.address, &group)
            .create_with_context(Quiet)
            .map_err(|error| failure::misconfigured(&error))?;
        Ok(Some(Arc::new(Self {
            consumer,
            topic: link.topic.clone(),
            group,
            limit: link.options.answer_within,
            is_refused: AtomicBool::new(false),
        })))
    }

    /// The marks of these partitions, as far as there are some. Blocks until the broker has answered.
    pub(crate) fn read(&self, partitions: &[i32]) -> Offsets {
        if partitions.is_empty() || self.is_refused.load(Ordering::Relaxed) {
            return Offsets::new();
        }
        self.fetch(partitions).unwrap_or_else(|error| {
            self.failed(&error);
            Offsets::new()
        })
    }

    fn fetch(&self, partitions: &[i32]) -> KafkaResult<Offsets> {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            list.add_partition(&self.topic, *partition);
        }
        let deadline = Instant::now() + self.limit;
        let list = loop {
            let error = match self.consumer.committed_offsets(list.clone(), SLICE) {
                Ok(list) => break list,
                Err(error) => error,
            };
            // A refusal is told beside the call, which goes on asking.
            self.check_client_errors()?;
            if !passes(&error) || Instant::now() > deadline {
                return Err(error);
            }
            thread::sleep(SOON);
        };
        let mut marks = Offsets::new();
        for element in list.elements() {
            element.error()?;
            if let Offset::Offset(offset) = element.offset() {
                marks.push((element.partition(), offset));
            }
        }
        Ok(marks)
    }

    fn failed(&self, error: &KafkaError) {
        let (topic, group) = (&self.topic, &self.group);
        if is_refusal(error) {
            self.is_refused.store(true, Ordering::Relaxed);
            info!(
                topic,
                group,
                "no right to this group of Kafka, in which the worker keeps how far it was: events that are read again \
                 because offsets were set back are taken for those of a producer that numbers anew; allow the \
                 operation READ on it"
            );
        } else {
            warn!(
                topic,
                group,
                %error,
                "how far the group had settled its partitions is not known: events that are read again because offsets \
                 were set back are taken for those of a producer that numbers anew"
            );
        }
    }

    /// What the client says beside its answers lies in its queue. Of that a refusal counts.
    fn check_client_errors(&self) -> KafkaResult<()> {
        while let Some(event) = self.consumer.poll(Duration::ZERO) {
            match event {
                Err(error) if is_refusal(&error) => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes marks. Blocks until the broker has answered.
    fn write(&self, marks: &Offsets) -> KafkaResult<()> {
        self.check_client_errors()?;
        let mut list = TopicPartitionList::with_capacity(marks.len());
        for (partition, offset) in marks {
            list.add_partition_offset(&self.topic, *partition, Offset::Offset(*offset))?;
        }
        self.consumer.commit(&list, CommitMode::Sync)
    }

    fn write_due(&self, unsettled: &UnsettledRecords, all: bool) {
        let marks = unsettled.marks(all);
        if marks.is_empty() || self.is_refused.load(Ordering::Relaxed) {
            return;
        }
        match self.write(&marks) {
            Ok(()) => unsettled.marks_written(&marks),
            Err(error) if is_refusal(&error) => self.failed(&error),
            // The next round writes them again.
            Err(error) => {
                debug!(topic = self.topic, %error, "could not write how far the group is")
            }
        }
    }
}

/// Whether the next question may be answered: a group is moved from broker to broker, and loaded there.
fn passes(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::OperationTimedOut
                | Code::NotCoordinator
                | Code::CoordinatorLoadInProgress
                | Code::CoordinatorNotAvailable
        )
    )
}

fn is_refusal(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(Code::GroupAuthorizationFailed)
}

/// The thread that writes the marks. It is one of its own: nobody else waits for the broker that keeps them.
pub(crate) struct SettledOffsetsWriter {
    stop: mpsc::Sender<()>,
    ended: mpsc::Receiver<()>,
}

impl SettledOffsetsWriter {
    pub(crate) fn start(
        settled: Arc<SettledOffsets>,
        unsettled: Arc<UnsettledRecords>,
        interval: Duration,
    ) -> Self {
        let (stop, stopped) = mpsc::channel::<()>();
        let (end, ended) = mpsc::channel::<()>();
        thread::spawn(move || {
            // It is dropped, and heard of, when the thread ends.
            let _end = end;
            let mut refreshed = Instant::now();
            // The sender is dropped when all is over.
            while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                let is_time = refreshed.elapsed() >= REFRESH;
                if is_time {
                    refreshed = Instant::now();
                }
                settled.write_due(&unsettled, is_time);
            }
            settled.write_due(&unsettled, false);
        });
        Self { stop, ended }
    }

    /// Writes the last ones, and waits for that so long at the most.
    pub(crate) fn stop(self, limit: Duration) {
        drop(self.stop);
        if self.ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            debug!("the last marks are not confirmed");
        }
    }
}

/// The worker's own consumer says what there is to say about the brokers.
struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        debug!(facility, ?level, "Kafka's client: {text}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(%error, reason, "Kafka's client");
    }
}

impl ConsumerContext for Quiet {}
