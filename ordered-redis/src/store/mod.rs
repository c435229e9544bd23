mod admin;
mod agree;
mod apply;
mod audit;
mod calls;
#[cfg(test)]
mod hostile;
mod overview;
mod shared;
mod stored;
mod sweeping;

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use ordered_core::clock::Clock;
use ordered_core::protocol::{Command, Verdict, WorkerId};
use ordered_core::store::{Group, Store, StoreError, StoreReport, Swept};
use redis::cmd;

use self::calls::Calls;
use self::shared::{Shared, number, text};
use crate::builder::RedisStoreBuilder;
use crate::link::Link;
use crate::names::Names;
use crate::patience::patiently;
use crate::script::{Call, HEARTBEAT};
use crate::settings;

pub(crate) use stored::cause;

/// A store in Redis or Valkey, on one server or on a cluster.
///
/// Clones share one connection, which comes back by itself when it breaks.
#[derive(Clone)]
pub struct RedisStore {
    shared: Arc<Shared>,
}

impl RedisStore {
    /// Into how many buckets the keys of a group are spread, unless the builder says otherwise.
    pub const BUCKETS: u32 = 1;
    /// The same on a cluster, so that its nodes share the work.
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
                calls: Calls::new(),
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
                calls: Calls::new(),
                cursors: Mutex::default(),
            }),
        }
    }
}

impl RedisStore {
    async fn open_once(&self, group: &Group, worker: &WorkerId) -> Result<StoreReport, StoreError> {
        let answers = self.send(settings::questions()).await?;
        let report = settings::report(&self.shared.address, self.shared.strict, &answers)?;
        self.agree(group).await?;
        self.enroll(group, worker).await?;
        self.load().await?;
        Ok(report)
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn open(&self, group: &Group, worker: &WorkerId) -> Result<StoreReport, StoreError> {
        Self::check_rules(group)?;
        patiently(|| self.open_once(group, worker)).await
    }

    async fn apply(
        &self,
        group: &Group,
        worker: &WorkerId,
        commands: &[Command],
    ) -> Result<Vec<Verdict>, StoreError> {
        self.apply_all(group, worker, commands).await
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
        let own = (0..self.buckets()).flat_map(|bucket| {
            let tag = names.bucket(group, bucket);
            [format!("{tag}:w"), format!("{tag}:s")]
        });
        let removals = own.chain([names.workers(group.name())]).map(|hash| {
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
