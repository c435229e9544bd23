use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use ordered_core::transport::{
    ConsumeOptions, Delivery, DeliveryOrder, Disposition, Reason, Settlement, Token, Transport,
    TransportError,
};
use rdkafka::consumer::{BaseConsumer, Consumer};
use tokio::sync::{OnceCell, watch};
use tokio::time::{sleep_until, timeout};
use tracing::error;

use crate::builder::KafkaBuilder;
use crate::dead_letters::DeadLetters;
use crate::group::Group;
use crate::link::Link;
use crate::poll_loop::{Ended, PollLoop};
use crate::publisher::KafkaPublisher;
use crate::settled_offsets::SettledOffsets;
use crate::topic_check::TopicCheck;
use crate::topic_description::TopicDescription;
use crate::unsettled::{Limits, UnsettledRecords};
use crate::{config, failure};

/// How soon an event comes again that could not be dead-lettered.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// A member of a group that reads a topic of Kafka.
///
/// See the [crate's page](crate) for what it does with the topic.
pub struct Kafka {
    link: Arc<Link>,
    running: OnceLock<Running>,
}

struct Running {
    unsettled: Arc<UnsettledRecords>,
    ended: watch::Receiver<Ended>,
    /// Connected by the first dead letter.
    dead_letters: OnceCell<DeadLetters>,
    /// Copies of each partition, for the topic of dead letters.
    replicas: usize,
}

impl Kafka {
    /// Begins to connect to the brokers of a URL such as `kafka://broker-1:9092,broker-2:9092?group=billing`; add
    /// [`topic`](KafkaBuilder::topic), and `.await` the answer. See the [crate] for the form.
    pub fn connect(url: impl Into<String>) -> KafkaBuilder {
        KafkaBuilder::new(url)
    }

    pub(crate) fn new(link: Arc<Link>) -> Self {
        Self {
            link,
            running: OnceLock::new(),
        }
    }

    /// A publisher to the same topic.
    ///
    /// # Errors
    /// When the client refuses its configuration.
    pub fn publisher(&self) -> Result<KafkaPublisher, TransportError> {
        KafkaPublisher::new(Arc::clone(&self.link))
    }

    fn running(&self) -> Result<&Running, TransportError> {
        let running = self.running.get();
        running.ok_or_else(|| TransportError::fatal("Kafka: the consumer has not been started"))
    }

    /// Writes the dead letters, and settles the offsets of those that are safe. The others come again.
    async fn dead_letter(
        &self,
        running: &Running,
        dead: Vec<(Token, Reason)>,
    ) -> Result<(), TransportError> {
        let link = &self.link;
        let letters = running
            .dead_letters
            .get_or_try_init(|| DeadLetters::open(link, running.replicas))
            .await;
        let unsettled = &running.unsettled;
        let letters = match letters {
            Ok(letters) => letters,
            Err(error) => {
                for (token, _) in dead {
                    unsettled.defer(token, TRY_AGAIN);
                }
                return Err(error);
            }
        };
        let entries = dead.into_iter().filter_map(|(token, reason)| {
            let entry = unsettled.begin_dead_letter(token)?;
            // It is given back also when this future is dropped.
            Some((
                PendingDeadLetter {
                    unsettled,
                    entry: Some(entry),
                },
                reason,
            ))
        });
        let writes = entries.map(async |(letter, reason)| {
            let Some(entry) = &letter.entry else {
                return Ok(());
            };
            letters.write(&entry.record, &reason).await?;
            letter.complete();
            Ok(())
        });
        let outcomes: Vec<Result<(), TransportError>> = join_all(writes).await;
        let failure = outcomes.into_iter().find_map(Result::err);
        failure.map_or(Ok(()), |failure| {
            error!(topic = link.topic, error = %failure, "could not dead-letter an event; it comes again");
            Err(failure)
        })
    }
}

/// An event on its way to the dead letters. Dropped before it is safe, it comes again.
struct PendingDeadLetter<'a> {
    unsettled: &'a UnsettledRecords,
    entry: Option<crate::unsettled::Entry>,
}

impl PendingDeadLetter<'_> {
    fn complete(mut self) {
        if let Some(entry) = self.entry.take() {
            self.unsettled.dead_lettered(&entry);
        }
    }
}

impl Drop for PendingDeadLetter<'_> {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            self.unsettled.dead_letter_failed(entry, TRY_AGAIN);
        }
    }
}

#[async_trait]
impl Transport for Kafka {
    fn delivery_order(&self) -> DeliveryOrder {
        DeliveryOrder::PerPartition
    }

    /// Asks about the topic, says in the log what its settings mean, and joins the group.
    async fn start(&self, options: ConsumeOptions) -> Result<(), TransportError> {
        let link = &self.link;
        let description = TopicDescription::fetch(link).await?;
        let dead_letters = link.dead_letter_topic();
        let report = TopicCheck {
            topic: &link.topic,
            group: &link.group,
            dead_letters: &dead_letters,
            description: &description,
        };
        report.log();
        let unsettled = Arc::new(UnsettledRecords::new(Limits {
            unsettled: options.max_unsettled,
            deferred: link.options.max_deferred,
            uncommitted: link.options.max_uncommitted,
        }));
        let (context, settled) = (link.context(), SettledOffsets::new(link)?);
        let group = Group::new(context, Arc::clone(&unsettled), &link.topic, settled);
        let config = config::consumer(&link.address, &link.group);
        let consumer: BaseConsumer<Group> = config
            .create_with_context(group)
            .map_err(|error| failure::misconfigured(&error))?;
        consumer.subscribe(&[&link.topic]).map_err(|error| {
            TransportError::fatal(format!(
                "Kafka: cannot read the topic `{}`: {error}",
                link.topic
            ))
        })?;
        let poll_loop = PollLoop::new(Arc::clone(link), consumer, description.partitions);
        let ended = poll_loop.start().map_err(|error| {
            TransportError::fatal(format!("Kafka: no thread for the consumer: {error}"))
        })?;
        let running = Running {
            unsettled,
            ended,
            dead_letters: OnceCell::new(),
            replicas: description.replicas,
        };
        let started = self.running.set(running);
        started.map_err(|_| TransportError::fatal("Kafka: the consumer has been started before"))
    }

    /// # Cancel safety
    /// A dropped future loses no delivery: what comes is kept for the next call.
    async fn receive(&self, max: usize) -> Result<Vec<Delivery>, TransportError> {
        let unsettled = &self.running()?.unsettled;
        loop {
            let arrived = unsettled.arrived.notified();
            tokio::pin!(arrived);
            arrived.as_mut().enable();
            let taken = unsettled.take(max);
            if !taken.is_empty() || max == 0 {
                let deliveries = taken.into_iter().map(|(token, record)| Delivery {
                    token,
                    envelope: record.envelope(),
                    // Kafka does not say.
                    redelivered: false,
                });
                return Ok(deliveries.collect());
            }
            if let Some(why) = unsettled.fatal() {
                return Err(TransportError::fatal(why));
            }
            match unsettled.next_due() {
                Some(due) => tokio::select! {
                    () = arrived => {}
                    () = sleep_until(due) => {}
                },
                None => arrived.await,
            }
        }
    }

    /// # Cancel safety
    /// What a dropped future had not dead-lettered yet comes again.
    async fn settle(&self, settlements: Vec<Settlement>) -> Result<(), TransportError> {
        let running = self.running()?;
        let mut acknowledged = Vec::with_capacity(settlements.len());
        let mut dead = Vec::new();
        for Settlement { token, disposition } in settlements {
            match disposition {
                Disposition::Ack => acknowledged.push(token),
                Disposition::Defer(delay) => running.unsettled.defer(token, delay),
                Disposition::DeadLetter(reason) => dead.push((token, reason)),
            }
        }
        running.unsettled.acknowledge(acknowledged);
        if dead.is_empty() {
            return Ok(());
        }
        self.dead_letter(running, dead).await
    }

    /// Commits what is settled, and leaves the group.
    async fn close(&self) -> Result<(), TransportError> {
        let Some(running) = self.running.get() else {
            return Ok(());
        };
        running.unsettled.close();
        let mut ended = running.ended.clone();
        let limit = self.link.options.answer_within;
        let has_ended = timeout(limit, ended.wait_for(Option::is_some)).await;
        let outcome = match has_ended {
            Ok(Ok(outcome)) => outcome.clone().unwrap_or(Ok(())),
            Ok(Err(_)) => Err("the thread of the consumer panicked".to_owned()),
            Err(_) => Err(format!("no answer within {limit:?}")),
        };
        outcome.map_err(|why| {
            TransportError::unavailable(format!(
                "Kafka: could not commit what was settled last; it is delivered again: {why}"
            ))
        })
    }
}

/// The thread ends by itself: it commits what is settled, and leaves the group.
impl Drop for Running {
    fn drop(&mut self) {
        self.unsettled.close();
    }
}

impl fmt::Debug for Kafka {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kafka")
            .field("link", &self.link)
            .finish_non_exhaustive()
    }
}
