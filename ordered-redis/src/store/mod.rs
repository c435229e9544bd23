mod admin;
mod agree;
mod audit;
mod overview;
mod sweeping;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use ordered_core::clock::Clock;
use ordered_core::protocol::{Command, QuotaLimit, Verdict, WorkerId};
use ordered_core::store::{Group, Store, StoreError, StoreReport, Swept};
use redis::{Cmd, RedisResult, Value, cmd};

use crate::answer::Answer;
use crate::builder::RedisStoreBuilder;
use crate::error::{is_no_script, is_out_of_memory, store_error};
use crate::link::Link;
use crate::names::Names;
use crate::request::{Portion, portions, situation, takes_in};
use crate::script::{ALL, APPLY, Call, HEARTBEAT};
use crate::settings;

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
    cursors: Mutex<HashMap<String, sweeping::Cursors>>,
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

    async fn send(&self, commands: Vec<Cmd>) -> Result<Vec<RedisResult<Value>>, StoreError> {
        self.shared
            .link
            .send(commands)
            .await
            .map_err(|error| self.error(error))
    }

    /// Runs the scripts, all at once. A server that was restarted, or told to forget its scripts, is given them again.
    async fn try_run(&self, calls: &[Call]) -> Result<Vec<RedisResult<Value>>, StoreError> {
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
        Ok(answers)
    }

    async fn run(&self, calls: &[Call]) -> Result<Vec<Value>, StoreError> {
        let answers = self.try_run(calls).await?;
        answers
            .into_iter()
            .map(|answer| answer.map_err(|error| self.error(error)))
            .collect()
    }

    /// A server without memory refused a portion. If some of it settles what is at work, that is said without the
    /// rest, so that what is held can drain; the rest is told that there is no room. Elsewise the store is away.
    async fn settle_only(
        &self,
        batch: &Batch<'_>,
        bucket: u32,
        places: Vec<usize>,
        error: redis::RedisError,
        verdicts: &mut [Option<Verdict>],
    ) -> Result<(), StoreError> {
        let (refused, settling): (Vec<usize>, Vec<usize>) = places
            .into_iter()
            .partition(|place| takes_in(&batch.commands[*place]));
        if settling.is_empty() || !is_out_of_memory(&error) {
            return Err(self.error(error));
        }
        let portion = Portion::of(batch.commands, settling.into_iter());
        let (places, arguments) = portion.finish(batch.situation.clone());
        let call = self.call(&APPLY, batch.group, bucket, arguments);
        read_verdicts(self.run(&[call]).await?.remove(0), places, verdicts)?;
        for place in refused {
            verdicts[place] = Some(Verdict::HoldFull(QuotaLimit::GroupBytes));
        }
        Ok(())
    }

    async fn load(&self) -> Result<(), StoreError> {
        let loads = ALL.iter().map(|operation| operation.load()).collect();
        self.ask(loads).await.map(drop)
    }

    /// Plain commands, each of which has to succeed.
    async fn ask(&self, commands: Vec<Cmd>) -> Result<Vec<Value>, StoreError> {
        let answers = self.send(commands).await?;
        answers
            .into_iter()
            .map(|answer| answer.map_err(|error| self.error(error)))
            .collect()
    }
}

fn number(number: u64) -> Bytes {
    number.to_string().into()
}

fn text(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

/// What an `apply` is about.
struct Batch<'a> {
    group: &'a Group,
    situation: Bytes,
    commands: &'a [Command],
}

fn read_verdicts(
    answer: Value,
    places: Vec<usize>,
    verdicts: &mut [Option<Verdict>],
) -> Result<(), StoreError> {
    let mut answer = Answer::new(answer)?;
    for place in places {
        verdicts[place] = Some(answer.verdict()?);
    }
    answer.finish()
}

#[async_trait]
impl Store for RedisStore {
    async fn open(&self, group: &Group, worker: &WorkerId) -> Result<StoreReport, StoreError> {
        let answers = self.send(settings::questions()).await?;
        let report = settings::report(&self.shared.address, self.shared.strict, &answers)?;
        self.agree(group).await?;
        self.enroll(group, worker).await?;
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
        let situation = situation(group.policy(), share, worker, self.given_time(), false, "");
        let mut verdicts: Vec<Option<Verdict>> = commands.iter().map(|_| None).collect();
        let batch = Batch {
            group,
            situation,
            commands,
        };
        for round in portions(commands, self.buckets()) {
            let mut sent = Vec::with_capacity(round.len());
            let mut calls = Vec::with_capacity(round.len());
            for (bucket, portion) in round {
                let (places, arguments) = portion.finish(batch.situation.clone());
                sent.push((bucket, places));
                calls.push(self.call(&APPLY, group, bucket, arguments));
            }
            for ((bucket, places), answer) in sent.into_iter().zip(self.try_run(&calls).await?) {
                match answer {
                    Ok(answer) => read_verdicts(answer, places, &mut verdicts)?,
                    Err(error) => {
                        self.settle_only(&batch, bucket, places, error, &mut verdicts)
                            .await?;
                    }
                }
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
        let names = &self.shared.names;
        let leases = (0..self.buckets()).map(|bucket| format!("{}:w", names.bucket(group, bucket)));
        let removals = leases.chain([names.workers(group.name())]).map(|hash| {
            let mut removal = cmd("HDEL");
            removal.arg(hash).arg(worker.as_str());
            removal
        });
        self.ask(removals.collect()).await.map(drop)
    }

    async fn sweep(&self, group: &Group, limit: usize) -> Result<Swept, StoreError> {
        self.sweep_all(group, limit).await
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
