use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use ordered_core::transport::{BrokerDeadLetter, DeadLetters, Token, TransportError};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::util::Timeout;
use rdkafka::{Offset, TopicPartitionList};
use tokio::task::spawn_blocking;

use crate::context::Context;
use crate::link::Link;
use crate::record::Record;
use crate::redrive_progress::RedriveProgress;
use crate::{config, failure, names};

const POLL: Duration = Duration::from_millis(50);

/// The dead letters of a topic of Kafka. Kafka does not delete single records: which of them were put back is kept with
/// the offsets of a group that has the name of the topic of dead letters.
pub struct KafkaDeadLetters {
    shared: Arc<Shared>,
    producer: FutureProducer<Context>,
}

struct Shared {
    link: Arc<Link>,
    topic: String,
    consumer: BaseConsumer<Context>,
    // A std mutex: it is held for a few map accesses, and by threads that wait for the broker while they read.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    last_token: u64,
    taken: BTreeMap<u64, Record>,
    partitions: BTreeMap<i32, RedriveProgress>,
    /// The partitions of which all was read.
    ended: BTreeSet<i32>,
}

impl KafkaDeadLetters {
    pub(crate) async fn open(link: Arc<Link>) -> Result<Self, TransportError> {
        let producer = config::producer(&link.address)
            .create_with_context(link.context())
            .map_err(|error| failure::misconfigured(&error))?;
        let shared = blocking(move || Shared::open(link)).await?;
        let shared = Arc::new(shared);
        Ok(Self { shared, producer })
    }

    /// Publishes the letter to the topic that it came from.
    async fn put_back(&self, token: Token) -> Result<(), TransportError> {
        let letter = self.shared.state().taken.get(&token.0).cloned();
        let letter =
            letter.ok_or_else(|| TransportError::fatal("the letter is not held here any more"))?;
        let topic = &self.shared.link.topic;
        let mut record: FutureRecord<'_, [u8], [u8]> =
            FutureRecord::to(topic).headers(letter.own_headers());
        record.key = letter.key.as_deref();
        record.payload = letter.body.as_deref();
        let sent = self.producer.send(record, Timeout::Never).await;
        sent.map_err(|(error, _)| failure::while_writing(topic, &error))?;
        let mut state = self.shared.state();
        state.taken.remove(&token.0);
        if let Some(progress) = state.partitions.get_mut(&letter.partition) {
            progress.done(letter.offset);
        }
        Ok(())
    }
}

impl Shared {
    fn open(link: Arc<Link>) -> Result<Self, TransportError> {
        let topic = link.dead_letter_topic();
        let limit = link.options.answer_within;
        let numbers = link.metadata_client()?.partitions(&link, &topic)?;
        let config = config::reader(&link.address, &topic);
        let consumer: BaseConsumer<Context> = config
            .create_with_context(Context::new(&topic))
            .map_err(|error| failure::misconfigured(&error))?;
        let failed = |error: KafkaError| {
            TransportError::unavailable(format!("Kafka: cannot read the topic `{topic}` ({error})"))
        };
        let mut list = TopicPartitionList::new();
        for number in numbers {
            list.add_partition(&topic, number);
        }
        let list = consumer.committed_offsets(list, limit).map_err(failed)?;
        let mut state = State::default();
        let mut starts = TopicPartitionList::new();
        for element in list.elements() {
            let (number, committed) = (element.partition(), element.offset().to_raw());
            let committed = committed.filter(|offset| *offset >= 0);
            let progress = RedriveProgress::read(committed, element.metadata());
            let start = committed.map_or(Offset::Beginning, Offset::Offset);
            starts
                .add_partition_offset(&topic, number, start)
                .map_err(failed)?;
            state.partitions.insert(number, progress);
        }
        consumer.assign(&starts).map_err(failed)?;
        Ok(Self {
            link,
            topic,
            consumer,
            state: Mutex::new(state),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, doing: &str, error: &KafkaError) -> TransportError {
        TransportError::unavailable(format!(
            "Kafka: the topic `{}`: cannot {doing} ({error})",
            self.topic
        ))
    }

    fn count(&self) -> Result<u64, TransportError> {
        let limit = self.link.options.answer_within;
        let mut count = 0;
        let numbers: Vec<i32> = self.state().partitions.keys().copied().collect();
        for number in numbers {
            let asked = self.consumer.fetch_watermarks(&self.topic, number, limit);
            let (low, high) = asked.map_err(|error| self.failed("count its records", &error))?;
            let state = self.state();
            count += state
                .partitions
                .get(&number)
                .map_or(0, |progress| progress.left(low, high));
        }
        Ok(count)
    }

    fn take(&self, max: usize) -> Result<Vec<BrokerDeadLetter>, TransportError> {
        let mut letters = Vec::new();
        let mut deadline = Instant::now() + self.link.options.answer_within;
        while letters.len() < max {
            let mut state = self.state();
            let all_ended = state.ended.len() == state.partitions.len();
            let limit = if all_ended { Duration::ZERO } else { POLL };
            match self.consumer.poll(limit) {
                Some(Ok(message)) => {
                    deadline = Instant::now() + self.link.options.answer_within;
                    letters.extend(state.take(Record::read(&message)));
                }
                Some(Err(KafkaError::PartitionEOF(number))) => {
                    state.ended.insert(number);
                }
                Some(Err(error)) => {
                    if let failure::ReadError::Fatal(why) =
                        failure::while_reading(&self.topic, &self.topic, &error)
                    {
                        return Err(TransportError::fatal(why));
                    }
                }
                None if all_ended => break,
                None if Instant::now() > deadline => {
                    let words = self.consumer.context().last_error();
                    let words = words.map_or_else(String::new, |words| words.text);
                    return Err(TransportError::unavailable(format!(
                        "Kafka: the topic `{}` cannot be read to its end ({words})",
                        self.topic
                    )));
                }
                None => {}
            }
        }
        Ok(letters)
    }

    /// Notes with the broker what was put back.
    fn commit(&self) -> KafkaResult<()> {
        let mut list = TopicPartitionList::new();
        {
            let mut state = self.state();
            for (number, progress) in &mut state.partitions {
                let Some((offset, metadata)) = progress.take_due() else {
                    continue;
                };
                let mut element = list.add_partition(&self.topic, *number);
                element.set_offset(Offset::Offset(offset))?;
                element.set_metadata(metadata);
            }
        }
        if list.count() == 0 {
            return Ok(());
        }
        self.consumer.commit(&list, CommitMode::Sync)
    }
}

impl State {
    /// Takes a letter in, unless it was put back before.
    fn take(&mut self, record: Record) -> Option<BrokerDeadLetter> {
        self.ended.remove(&record.partition);
        let progress = self.partitions.get_mut(&record.partition)?;
        if !progress.seen(record.offset) {
            return None;
        }
        self.last_token += 1;
        let token = Token(self.last_token);
        let letter = BrokerDeadLetter::new(token, original(&record).envelope());
        self.taken.insert(token.0, record);
        Some(letter)
    }
}

/// The record as it was when it was read by the worker, as far as the letter says.
fn original(letter: &Record) -> Record {
    let number = |name: &str| {
        let header = letter.headers.iter().find(|(known, _)| known == name);
        let value: &Bytes = header?.1.as_ref()?;
        str::from_utf8(value).ok()?.parse::<i64>().ok()
    };
    let partition = number(names::DEAD_PARTITION).and_then(|number| i32::try_from(number).ok());
    Record {
        partition: partition.unwrap_or(letter.partition),
        offset: number(names::DEAD_OFFSET).unwrap_or(letter.offset),
        timestamp: number(names::DEAD_TIMESTAMP).or(letter.timestamp),
        ..letter.clone()
    }
}

/// Runs what waits for the broker on a thread that may.
async fn blocking<T: Send + 'static>(
    what: impl FnOnce() -> Result<T, TransportError> + Send + 'static,
) -> Result<T, TransportError> {
    let done = spawn_blocking(what).await;
    done.unwrap_or_else(|error| Err(TransportError::fatal(format!("Kafka: {error}"))))
}

#[async_trait]
impl DeadLetters for KafkaDeadLetters {
    fn queue(&self) -> &str {
        &self.shared.topic
    }

    async fn count(&self) -> Result<u64, TransportError> {
        let shared = Arc::clone(&self.shared);
        blocking(move || shared.count()).await
    }

    async fn take(&self, max: usize) -> Result<Vec<BrokerDeadLetter>, TransportError> {
        let shared = Arc::clone(&self.shared);
        blocking(move || shared.take(max)).await
    }

    async fn redrive(&self, tokens: &[Token]) -> Vec<Result<(), TransportError>> {
        let mut results = Vec::with_capacity(tokens.len());
        // One after the other, so that events of one key stay in their order.
        for token in tokens {
            results.push(self.put_back(*token).await);
        }
        let shared = Arc::clone(&self.shared);
        let committed = blocking(move || {
            shared.commit().map_err(|error| {
                shared.failed(
                    "note what was put back, so that it is still shown as a dead letter",
                    &error,
                )
            })
        });
        if let Err(error) = committed.await
            && let Some(last) = results.iter_mut().rfind(|result| result.is_ok())
        {
            *last = Err(error);
        }
        results
    }

    /// Nothing is held at the broker.
    async fn close(&self) -> Result<(), TransportError> {
        self.shared.state().taken.clear();
        Ok(())
    }
}

impl fmt::Debug for KafkaDeadLetters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaDeadLetters")
            .field("topic", &self.shared.topic)
            .finish_non_exhaustive()
    }
}
