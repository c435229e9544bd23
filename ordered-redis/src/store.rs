use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use ordered_core::clock::Clock;
use ordered_core::event::Key;
use ordered_core::protocol::{Command, KeyView, Verdict, WorkerId};
use ordered_core::store::{Group, Store, StoreError, StoreReport, bucket_of};
use redis::{Cmd, Value, cmd};

use crate::answer::Answer;
use crate::builder::RedisStoreBuilder;
use crate::error::{is_no_script, store_error};
use crate::link::Link;
use crate::names::Names;
use crate::request::{portions, situation};
use crate::script::{ALL, APPLY, Call, HEARTBEAT, INSPECT, SWEEP};
use crate::settings;

/// How the names and values of this version are laid out in Redis. Another number is another version's.
const LAYOUT: &str = "1";
/// How many claims one sweep of a bucket looks at; Redis takes it as a hint.
const SWEEP_CLAIMS: &str = "512";
/// How many held events one call of `inspect` reads.
const PAGE: usize = 1_000;

/// A store in Redis or Valkey, on one server or on a cluster.
///
/// Clones share one connection, which comes back by itself when it breaks.
#[derive(Clone)]
pub struct RedisStore {
    shared: Arc<Shared>,
}

struct Shared {
    link: Link,
    address: String,
    names: Names,
    buckets: u32,
    strict: bool,
    clock: Option<Clock>,
    // A std mutex: held for a lookup, and never over an await.
    cursors: Mutex<HashMap<String, Cursors>>,
}

/// How far the sweeps of a group have come.
#[derive(Clone)]
struct Cursors {
    /// The bucket that the next sweep begins with, so that the limit does not always favour the same ones.
    first: u32,
    /// In each bucket, where the scan over the claims goes on.
    scans: Vec<String>,
}

impl RedisStore {
    /// Into how many buckets the keys of a group are spread, unless the builder says otherwise.
    pub const BUCKETS: u32 = 16;

    /// Connects to `redis://[user:password@]host[:port][/database]` with the default settings.
    ///
    /// # Errors
    /// When the address is wrong, or the server cannot be reached or refuses the user.
    pub async fn connect(url: impl Into<String>) -> Result<Self, StoreError> {
        Self::builder(url).connect().await
    }

    /// A store with other settings.
    pub fn builder(url: impl Into<String>) -> RedisStoreBuilder {
        RedisStoreBuilder::new(url)
    }

    pub(crate) fn new(
        link: Link,
        address: String,
        names: Names,
        buckets: u32,
        strict: bool,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                link,
                address,
                names,
                buckets,
                strict,
                clock: None,
                cursors: Mutex::default(),
            }),
        }
    }

    /// The same store on another clock than the server's, for tests that step the time. It has to run ahead of the
    /// server's, or what is to be remembered expires at once.
    #[doc(hidden)]
    #[must_use]
    pub fn with_clock(&self, clock: Clock) -> Self {
        let shared = &self.shared;
        Self {
            shared: Arc::new(Shared {
                link: shared.link.clone(),
                address: shared.address.clone(),
                names: shared.names.clone(),
                buckets: shared.buckets,
                strict: shared.strict,
                clock: Some(clock),
                cursors: Mutex::default(),
            }),
        }
    }

    fn buckets(&self) -> u32 {
        self.shared.buckets
    }

    /// The time that a test brings; 0 is the server's own.
    fn given_time(&self) -> u64 {
        self.shared.clock.as_ref().map_or(0, Clock::now)
    }

    fn call(
        &self,
        operation: &'static crate::script::Operation,
        group: &Group,
        bucket: u32,
        arguments: Vec<Bytes>,
    ) -> Call {
        Call {
            operation,
            tag: self.shared.names.bucket(group, bucket),
            arguments,
        }
    }

    fn error(&self, error: redis::RedisError) -> StoreError {
        store_error(&self.shared.address, error)
    }

    async fn send(&self, commands: Vec<Cmd>) -> Result<Vec<redis::RedisResult<Value>>, StoreError> {
        self.shared
            .link
            .send(commands)
            .await
            .map_err(|error| self.error(error))
    }

    /// Runs the scripts, all at once. A server that was restarted, or told to forget its scripts, is given them again.
    async fn run(&self, calls: &[Call]) -> Result<Vec<Value>, StoreError> {
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        let mut answers = self.send(calls.iter().map(Call::command).collect()).await?;
        let unknown: Vec<usize> = (0..calls.len())
            .filter(|place| answers[*place].as_ref().is_err_and(is_no_script))
            .collect();
        if !unknown.is_empty() {
            self.load().await?;
            let again = unknown.iter().map(|place| calls[*place].command());
            let repeated = self.send(again.collect()).await?;
            for (place, answer) in unknown.into_iter().zip(repeated) {
                answers[place] = answer;
            }
        }
        answers
            .into_iter()
            .map(|answer| answer.map_err(|error| self.error(error)))
            .collect()
    }

    async fn load(&self) -> Result<(), StoreError> {
        let loads = ALL.iter().map(|operation| operation.load()).collect();
        for answer in self.send(loads).await? {
            answer.map_err(|error| self.error(error))?;
        }
        Ok(())
    }

    /// Records the number of buckets at the first use of a group, and refuses another one from then on.
    async fn agree(&self, group: &Group) -> Result<(), StoreError> {
        let meta = self.shared.names.meta(group);
        let ours = self.buckets().to_string();
        let record = |field: &str, value: &str| {
            let mut command = cmd("HSETNX");
            command.arg(&meta).arg(field).arg(value);
            command
        };
        let mut read = cmd("HMGET");
        read.arg(&meta).arg("buckets").arg("layout");
        // One after the other: on a cluster, commands that go out together come in any order.
        self.send(vec![record("buckets", &ours)])
            .await?
            .remove(0)
            .map_err(|error| self.error(error))?;
        self.send(vec![record("layout", LAYOUT)])
            .await?
            .remove(0)
            .map_err(|error| self.error(error))?;
        let answer = self
            .send(vec![read])
            .await?
            .remove(0)
            .map_err(|error| self.error(error))?;
        let mut answer = Answer::new(answer)?;
        let (buckets, layout) = (answer.text()?, answer.text()?);
        if layout != LAYOUT {
            return Err(StoreError::refused(format!(
                "the group `{}` was written to Redis by another version of this store (layout {layout}, and this is \
                 {LAYOUT}): run the same version in all workers",
                group.name()
            )));
        }
        if buckets != ours {
            return Err(StoreError::refused(format!(
                "the group `{}` is spread over {buckets} buckets in Redis, and this worker is set to {ours}: set \
                 `.buckets({buckets})`, or use another group",
                group.name()
            )));
        }
        Ok(())
    }

    fn cursors(&self, group: &Group) -> Cursors {
        let cursors = self.shared.cursors.lock();
        let cursors = cursors.unwrap_or_else(PoisonError::into_inner);
        cursors
            .get(group.name())
            .cloned()
            .unwrap_or_else(|| Cursors {
                first: 0,
                scans: vec!["0".to_owned(); self.buckets() as usize],
            })
    }

    fn keep_cursors(&self, group: &Group, cursors: Cursors) {
        let mut all = self
            .shared
            .cursors
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        all.insert(group.name().to_owned(), cursors);
    }
}

fn number(number: u64) -> Bytes {
    number.to_string().into()
}

fn text(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

#[async_trait]
impl Store for RedisStore {
    async fn open(&self, group: &Group) -> Result<StoreReport, StoreError> {
        let answers = self.send(settings::questions()).await?;
        let report = settings::report(&self.shared.address, self.shared.strict, &answers)?;
        self.agree(group).await?;
        self.load().await?;
        Ok(report)
    }

    async fn apply(
        &self,
        group: &Group,
        worker: &WorkerId,
        commands: &[Command],
    ) -> Result<Vec<Verdict>, StoreError> {
        let share = group.policy().group_quota.share(self.buckets());
        let situation = situation(group.policy(), share, worker, self.given_time());
        let mut verdicts: Vec<Option<Verdict>> = commands.iter().map(|_| None).collect();
        for round in portions(commands, self.buckets()) {
            let mut places = Vec::with_capacity(round.len());
            let mut calls = Vec::with_capacity(round.len());
            for (bucket, portion) in round {
                let (portion_places, arguments) = portion.finish(situation.clone());
                places.push(portion_places);
                calls.push(self.call(&APPLY, group, bucket, arguments));
            }
            for (places, answer) in places.into_iter().zip(self.run(&calls).await?) {
                let mut answer = Answer::new(answer)?;
                for place in places {
                    verdicts[place] = Some(answer.verdict()?);
                }
                answer.finish()?;
            }
        }
        Ok(verdicts.into_iter().flatten().collect())
    }

    async fn heartbeat(
        &self,
        group: &Group,
        worker: &WorkerId,
        lease: Duration,
    ) -> Result<(), StoreError> {
        let lease = u64::try_from(lease.as_millis())
            .unwrap_or(u64::MAX)
            .min(1 << 52);
        let arguments = vec![
            text(worker.as_str()),
            number(lease),
            number(self.given_time()),
        ];
        let calls: Vec<Call> = (0..self.buckets())
            .map(|bucket| self.call(&HEARTBEAT, group, bucket, arguments.clone()))
            .collect();
        self.run(&calls).await.map(drop)
    }

    async fn leave(&self, group: &Group, worker: &WorkerId) -> Result<(), StoreError> {
        let removals = (0..self.buckets()).map(|bucket| {
            let mut removal = cmd("HDEL");
            removal.arg(format!("{}:w", self.shared.names.bucket(group, bucket)));
            removal.arg(worker.as_str());
            removal
        });
        for answer in self.send(removals.collect()).await? {
            answer.map_err(|error| self.error(error))?;
        }
        Ok(())
    }

    async fn sweep(&self, group: &Group, limit: usize) -> Result<Vec<Key>, StoreError> {
        let mut cursors = self.cursors(group);
        let first = cursors.first;
        cursors.first = (first + 1) % self.buckets();
        let order: Vec<u32> = (0..self.buckets())
            .map(|step| (first + step) % self.buckets())
            .collect();
        let calls: Vec<Call> = order
            .iter()
            .map(|bucket| {
                let scan = &cursors.scans[*bucket as usize];
                let arguments = vec![
                    number(limit as u64),
                    text(scan),
                    text(SWEEP_CLAIMS),
                    number(self.given_time()),
                ];
                self.call(&SWEEP, group, *bucket, arguments)
            })
            .collect();
        let mut found = Vec::new();
        for (bucket, answer) in order.into_iter().zip(self.run(&calls).await?) {
            let mut answer = Answer::new(answer)?;
            let scan = answer.text()?;
            let mut keys = Vec::new();
            while !answer.is_empty() {
                keys.push(answer.key()?);
            }
            // What is beyond the limit is found again: the queue of due keys still has it, and the scan stays.
            if found.is_empty() || found.len() + keys.len() <= limit {
                found.extend(keys);
                cursors.scans[bucket as usize] = scan;
            }
        }
        self.keep_cursors(group, cursors);
        Ok(found)
    }

    async fn inspect(&self, group: &Group, key: &Key) -> Result<Option<KeyView>, StoreError> {
        let bucket = bucket_of(key.as_str(), self.buckets());
        let mut view: Option<KeyView> = None;
        loop {
            let after = view
                .as_ref()
                .and_then(|view| view.held.last())
                .map_or(0, |held| held.seq);
            let arguments = vec![
                text(key.as_str()),
                number(after),
                number(PAGE as u64),
                number(self.given_time()),
            ];
            let call = self.call(&INSPECT, group, bucket, arguments);
            let mut answer = Answer::new(self.run(&[call]).await?.remove(0))?;
            if answer.is_empty() {
                return Ok(view);
            }
            let latest = answer.view()?;
            let page = answer.held()?;
            let is_last = page.len() < PAGE;
            let view = view.get_or_insert(latest);
            view.held.extend(page);
            if is_last {
                return Ok(Some(view.clone()));
            }
        }
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("address", &self.shared.address)
            .field("buckets", &self.shared.buckets)
            .finish_non_exhaustive()
    }
}
