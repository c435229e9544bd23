//! The Redis store of the second edition: fenced records, mailboxes and remembered ids. The README of this crate
//! describes what lies in Redis.

mod decode;
mod encode;
mod exchange;
mod generation;
#[cfg(test)]
mod hostile;
mod ids;
mod inspect;
mod mailbox;
mod open;
mod presence;
mod read;
mod record;
pub(crate) mod reply;
mod script;
mod session;
mod sweep;
mod wire;
mod workers;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use ordered_core::clock::Clock;
use ordered_core::protocol::{Millis, WorkerId};
use ordered_core::store::{
    Exchange, Heartbeat, Opened, Presence, Request, Session, Store, Sweep, Swept,
};
use ordered_core::store::{Group, StoreError};
use redis::{Cmd, RedisError, RedisResult, Value, cmd};

use self::reply::{Reply, misshaped};
use self::session::{GroupState, Sessions};
use crate::builder::RedisStoreBuilder;
use crate::error::{is_no_script, store_error};
use crate::keyspace::Keyspace;
use crate::link::Link;
use crate::startup_retry::retry_while_starting;

/// A store in Redis or Valkey, on one server or on a cluster.
///
/// Clones share one connection, which comes back by itself when it breaks. The calls of one worker go out one after the
/// other: of two that are on their way at the same time, the earlier may be refused.
#[derive(Clone)]
pub struct RedisStore {
    shared: Arc<Shared>,
    clock: Option<Clock>,
}

/// What all clones of a store share.
struct Shared {
    link: Link,
    /// Host and port, without what must not be shown.
    address: String,
    keyspace: Keyspace,
    buckets: u32,
    strict: bool,
    /// The number of the last call. Only the number counts: nothing else is published with it.
    calls: AtomicU64,
    sessions: Sessions,
}

impl RedisStore {
    /// Into how many buckets the keys of a group are spread on one server, unless something else is set.
    pub const BUCKETS: u32 = 1;
    /// The same on a cluster, where the buckets lie on different nodes.
    pub const BUCKETS_ON_CLUSTER: u32 = 16;

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
        keyspace: Keyspace,
        buckets: u32,
        strict: bool,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                link,
                address,
                keyspace,
                buckets,
                strict,
                calls: AtomicU64::new(0),
                sessions: Sessions::default(),
            }),
            clock: None,
        }
    }

    pub(crate) fn link(&self) -> &Link {
        &self.shared.link
    }

    pub(crate) fn address(&self) -> &str {
        &self.shared.address
    }

    pub(crate) fn is_strict(&self) -> bool {
        self.shared.strict
    }

    pub(crate) fn keyspace(&self) -> &Keyspace {
        &self.shared.keyspace
    }

    /// The same store on another clock than the server's, for tests that step the time. It has to run ahead of the
    /// server's, or what is to be remembered expires at once.
    #[doc(hidden)]
    #[must_use]
    pub fn with_clock(&self, clock: Clock) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            clock: Some(clock),
        }
    }

    /// The time that a test gives; 0 is the server's own.
    fn given_time(&self) -> u64 {
        self.clock.as_ref().map_or(0, Clock::now)
    }

    /// The time of the store.
    async fn time(&self) -> Result<Millis, StoreError> {
        if let Some(clock) = &self.clock {
            return Ok(clock.now());
        }
        let answer = self.ask(vec![cmd("TIME")]).await?.remove(0);
        let mut time = Reply::new(answer)?;
        let (seconds, micros) = (time.number()?, time.number()?);
        Ok(seconds.saturating_mul(1_000).saturating_add(micros / 1_000))
    }

    /// The number of the next call; each is larger than the one before.
    fn next_call(&self) -> u64 {
        self.shared.calls.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn error(&self, error: RedisError) -> StoreError {
        store_error(&self.shared.address, error)
    }

    async fn send(&self, commands: Vec<Cmd>) -> Result<Vec<RedisResult<Value>>, StoreError> {
        let sent = self.shared.link.send(commands).await;
        sent.map_err(|error| self.error(error))
    }

    /// Commands, each of which has to succeed.
    async fn ask(&self, commands: Vec<Cmd>) -> Result<Vec<Value>, StoreError> {
        let answers = self.send(commands).await?;
        if answers.is_empty() {
            return Err(misshaped("pipeline"));
        }
        answers
            .into_iter()
            .map(|answer| answer.map_err(|error| self.error(error)))
            .collect()
    }

    /// Scripts that may be run twice, each of which has to succeed. A server that forgot them is given them again.
    async fn run(&self, calls: Vec<Cmd>) -> Result<Vec<Value>, StoreError> {
        let answers = self.send(calls.clone()).await?;
        if answers
            .iter()
            .any(|answer| answer.as_ref().is_err_and(is_no_script))
        {
            self.load().await?;
            return self.ask(calls).await;
        }
        answers
            .into_iter()
            .map(|answer| answer.map_err(|error| self.error(error)))
            .collect()
    }

    async fn load(&self) -> Result<(), StoreError> {
        let loads = script::ALL.iter().map(|operation| operation.load());
        self.ask(loads.collect()).await.map(drop)
    }

    /// What this process knows of the group, in the life that the session is of.
    async fn state(&self, group: &Group, session: &Session) -> Result<Arc<GroupState>, StoreError> {
        let incarnation = session.incarnation.0;
        if let Some(state) = self.shared.sessions.get(group.name(), incarnation) {
            return Ok(state);
        }
        let state = self.read_state(group, incarnation).await?;
        self.shared.sessions.keep(group.name(), &state);
        Ok(state)
    }
}

fn state_lost(group: &Group) -> StoreError {
    StoreError::state_lost(format!(
        "the state of the group `{}` in Redis is gone, or another one has taken its place",
        group.name()
    ))
}

#[async_trait]
impl Store for RedisStore {
    fn presence(&self) -> Option<&dyn Presence> {
        Some(self)
    }

    async fn open(&self, group: &Group, worker: &WorkerId) -> Result<Opened, StoreError> {
        retry_while_starting(|| self.open_group(group, worker)).await
    }

    async fn exchange(
        &self,
        group: &Group,
        session: &Session,
        requests: &[Request],
    ) -> Result<Exchange, StoreError> {
        self.exchange_all(group, session, requests).await
    }

    async fn heartbeat(
        &self,
        group: &Group,
        session: &Session,
        lease: Duration,
    ) -> Result<Heartbeat, StoreError> {
        self.beat(group, session, lease).await
    }

    async fn leave(&self, group: &Group, session: &Session) -> Result<(), StoreError> {
        self.end_lease(group, session).await
    }

    async fn sweep(
        &self,
        group: &Group,
        session: &Session,
        sweep: &Sweep,
    ) -> Result<Swept, StoreError> {
        self.sweep_all(group, session, sweep).await
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
