use std::time::Duration;

use bytes::Bytes;
use ordered_core::event::{Envelope, Key, Seq};
use ordered_core::publish::{Outgoing, header};
use ordered_core::store::{Durability, StoreError, StoreErrorKind};
use redis::{Cmd, Value, cmd};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::builder::Settings;
use super::claimed_keys::{Answer, Request};
use super::script::{self, RAISE, SETTLE, STAGE, TAKE};
use super::{SequencerError, SequencerStatus, StoredEvent};
use crate::RedisStore;
use crate::error::{is_no_script, store_error};
use crate::settings;
use crate::store::reply::{Reply, maybe_bytes, number};

/// How names and values of this version are laid out in Redis.
const LAYOUT: &str = "1";
/// How many keys are taken in one step.
const KEYS_A_STEP: usize = 256;
const FIRST_WAIT: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// What lies in Redis, and how it is called.
pub(super) struct Storage {
    redis: RedisStore,
    /// What the names of its structures begin with.
    tag: String,
    pub(super) settings: Settings,
    /// The name of this process on its claims.
    worker: String,
    /// Something was staged here.
    pub(super) wake: Notify,
}

/// A key that was taken.
pub(super) struct Taken {
    pub(super) key: Key,
    pub(super) first: u64,
    pub(super) events: Vec<Option<Outgoing>>,
}

impl Storage {
    /// Sees to it that this version may write there, and says in the log what a crash of Redis loses.
    pub(super) async fn open(
        redis: &RedisStore,
        settings: Settings,
    ) -> Result<Self, SequencerError> {
        let storage = Self {
            redis: redis.clone(),
            tag: format!("{}:", redis.keyspace().sequencer(&settings.name)),
            worker: format!("{}-{:016x}", std::process::id(), fastrand::u64(..)),
            settings,
            wake: Notify::new(),
        };
        let sent = redis.link().send(settings::questions()).await;
        let answers = sent.map_err(|error| storage.error(error))?;
        let report = settings::report(redis.address(), redis.is_strict(), &answers)?;
        if report.durability < Durability::Durable {
            tracing::warn!(
                sequencer = storage.settings.name,
                "numbers that Redis loses are given a second time: {}",
                report.reason
            );
        }
        let mut create = cmd("HSETNX");
        create.arg(storage.name("meta")).arg("layout").arg(LAYOUT);
        let mut read = cmd("HGET");
        read.arg(storage.name("meta")).arg("layout");
        storage.ask(create).await?;
        let layout = maybe_bytes(storage.ask(read).await?)?;
        if layout.as_deref() != Some(LAYOUT.as_bytes()) {
            return Err(SequencerError::refused(format!(
                "the sequencer `{}` was written to Redis by another version: run one version in all processes",
                storage.settings.name
            )));
        }
        Ok(storage)
    }

    fn name(&self, structure: &str) -> String {
        format!("{}{structure}", self.tag)
    }

    fn error(&self, error: redis::RedisError) -> StoreError {
        store_error(self.redis.address(), error)
    }

    /// One command, whose answer is no error. A server that forgot the scripts is given them again.
    async fn ask(&self, command: Cmd) -> Result<Value, StoreError> {
        let link = self.redis.link();
        let sent = link.send(vec![command.clone()]).await;
        let mut answer = sent.map_err(|error| self.error(error))?.pop();
        if matches!(&answer, Some(Err(error)) if is_no_script(error)) {
            let loads = script::ALL.iter().map(|operation| operation.load());
            let loaded = link.send(loads.collect()).await;
            for loaded in loaded.map_err(|error| self.error(error))? {
                loaded.map_err(|error| self.error(error))?;
            }
            let sent = link.send(vec![command]).await;
            answer = sent.map_err(|error| self.error(error))?.pop();
        }
        let answer = answer.ok_or_else(|| StoreError::unavailable("Redis did not answer"))?;
        answer.map_err(|error| self.error(error))
    }

    /// The answer of a script behind its code and the time.
    async fn run(&self, command: Cmd) -> Result<(u64, Reply), SequencerError> {
        let mut reply = Reply::new(self.ask(command).await?)?;
        let (code, _now) = (reply.number()?, reply.number()?);
        if code == 1 {
            return Err(self.lost());
        }
        Ok((code, reply))
    }

    fn lost(&self) -> SequencerError {
        SequencerError::refused(format!(
            "the counters of the sequencer `{}` are gone from Redis, or another version has taken their place: numbers \
             would be given a second time. Restore them from a backup, or connect anew and set each key with `raise`",
            self.settings.name
        ))
    }

    /// Numbers and keeps the events; tries again while Redis is not there.
    pub(super) async fn stage(&self, events: &[StoredEvent]) -> Result<Vec<Seq>, SequencerError> {
        let settings = &self.settings;
        for event in events {
            let (size, most) = (event.data.len(), settings.max_event_bytes);
            if size > most {
                return Err(SequencerError::invalid(format!(
                    "an event has {size} bytes with its headers, and may have {most} (`max_event_bytes`)"
                )));
            }
        }
        let bytes = events.iter().map(|event| event.data.len() + 100).sum();
        let mut call = STAGE.call(&self.tag, events.len(), 4 + 2 * events.len(), bytes);
        for event in events {
            call.arg(self.name(&format!("id:{}", event.digest())));
        }
        let remember = u64::try_from(settings.remember.as_millis()).unwrap_or(u64::MAX);
        call.arg(LAYOUT).arg(remember);
        call.arg(settings.max_events).arg(settings.max_bytes);
        for event in events {
            call.arg(event.key.as_str()).arg(&event.data[..]);
        }
        let (code, mut reply) = self.run_with_retry(call).await?;
        if code == 2 {
            return Err(SequencerError::full(format!(
                "the sequencer `{}` keeps {} events or {} bytes already (`max_events`, `max_bytes`) that the broker \
                 has not taken",
                settings.name, settings.max_events, settings.max_bytes
            )));
        }
        let mut seqs = Vec::with_capacity(events.len());
        for seq in reply.list()? {
            let seq = Seq::new(number(seq)?);
            seqs.push(seq.map_err(|error| SequencerError::refused(error.to_string()))?);
        }
        if seqs.len() == events.len() {
            Ok(seqs)
        } else {
            Err(SequencerError::misshaped())
        }
    }

    async fn run_with_retry(&self, call: Cmd) -> Result<(u64, Reply), SequencerError> {
        let (begun, mut wait) = (Instant::now(), FIRST_WAIT);
        loop {
            match self.run(call.clone()).await {
                Err(error)
                    if error.kind() == super::SequencerErrorKind::Unavailable
                        && begun.elapsed() + wait < self.settings.stage_timeout =>
                {
                    sleep(wait).await;
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
                answer => return answer,
            }
        }
    }

    fn lease(&self) -> u64 {
        millis(self.settings.lease)
    }

    /// Takes keys that nobody publishes, with so many events in all, or one key more.
    pub(super) async fn take(&self, events: usize) -> Result<Vec<Taken>, SequencerError> {
        let mut call = TAKE.call(&self.tag, 0, 6, 0);
        call.arg(LAYOUT).arg(&self.worker).arg(self.lease());
        call.arg(KEYS_A_STEP).arg(events).arg(self.settings.batch);
        let (_, mut reply) = self.run(call).await?;
        let mut taken = Vec::new();
        for key in reply.list()? {
            let mut key = Reply::new(key)?;
            let (name, first) = (key.key()?, key.number()?);
            taken.push(Taken {
                key: name,
                first,
                events: read_events(key.list()?, first)?,
            });
        }
        Ok(taken)
    }

    /// Writes down what is confirmed; an answer for each request.
    pub(super) async fn settle(&self, requests: &[Request]) -> Result<Vec<Answer>, SequencerError> {
        let mut call = SETTLE.call(&self.tag, 0, 3 + 4 * requests.len(), 0);
        call.arg(LAYOUT).arg(&self.worker).arg(self.lease());
        for request in requests {
            call.arg(request.key.as_str()).arg(request.through);
            call.arg(request.wanted);
            call.arg(
                request
                    .free_after
                    .map_or_else(String::new, |wait| millis(wait).to_string()),
            );
        }
        let (_, mut reply) = self.run(call).await?;
        let mut answers = Vec::with_capacity(requests.len());
        for answer in reply.list()? {
            answers.push(match &answer {
                Value::BulkString(word) => match &word[..] {
                    b"done" => Answer::Done,
                    b"lost" => Answer::Lost,
                    b"free" => Answer::Free,
                    _ => return Err(SequencerError::misshaped()),
                },
                _ => {
                    let mut ours = Reply::new(answer)?;
                    let first = ours.number()?;
                    Answer::Ours(first, read_events(ours.list()?, first)?)
                }
            });
        }
        if answers.len() == requests.len() {
            Ok(answers)
        } else {
            Err(SequencerError::misshaped())
        }
    }

    pub(super) async fn raise(&self, key: &Key, seq: Seq) -> Result<(), SequencerError> {
        let mut call = RAISE.call(&self.tag, 0, 3, 0);
        call.arg(LAYOUT).arg(key.as_str()).arg(seq.get());
        match number(self.ask(call).await?)? {
            0 => Ok(()),
            1 => Err(self.lost()),
            _ => Err(SequencerError::refused(format!(
                "events of the key {key:?} are kept, which have their numbers: raise it when they are published"
            ))),
        }
    }

    pub(super) async fn status(&self) -> Result<SequencerStatus, SequencerError> {
        let mut meta = cmd("HMGET");
        meta.arg(self.name("meta")).arg("events").arg("bytes");
        let mut keys = cmd("ZCARD");
        keys.arg(self.name("due"));
        let mut meta = Reply::new(self.ask(meta).await?)?;
        let mut counted = || -> Result<u64, StoreError> {
            let count = meta.maybe_text()?.map(|text| text.parse().ok());
            Ok(count.flatten().unwrap_or_default())
        };
        Ok(SequencerStatus {
            events: counted()?,
            bytes: counted()?,
            keys: number(self.ask(keys).await?)?,
        })
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The events from a seq on; nothing in place of one that is damaged, or gone.
fn read_events(events: Reply, first: u64) -> Result<Vec<Option<Outgoing>>, StoreError> {
    let mut read = Vec::with_capacity(events.len());
    for (seq, event) in (first..).zip(events) {
        let data = maybe_bytes(event)?;
        read.push(data.and_then(|data| read_event(data.into(), seq)));
    }
    Ok(read)
}

fn read_event(data: Bytes, seq: u64) -> Option<Outgoing> {
    let mut envelope = Envelope::decode(data).ok()?;
    envelope
        .headers
        .insert(header::SEQ.to_owned(), seq.to_string());
    Some(envelope.into())
}

/// Whether the error passes by itself.
pub(super) fn passes(error: &SequencerError) -> bool {
    let source = std::error::Error::source(error);
    let store = source.and_then(|source| source.downcast_ref::<StoreError>());
    store.is_some_and(|error| error.kind() == StoreErrorKind::Unavailable)
}
