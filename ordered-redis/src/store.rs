use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use ordered_core::clock::Clock;
use ordered_core::event::Key;
use ordered_core::protocol::{Command, KeyView, Verdict, WorkerId};
use ordered_core::store::{Group, Store, StoreError, StoreReport};
use redis::cmd;

use crate::apply::apply;
use crate::builder::RedisStoreBuilder;
use crate::inspect::inspect;
use crate::link::Link;
use crate::meta::agree;
use crate::names::Names;
use crate::script::{Call, HEARTBEAT};
use crate::settings;
use crate::shared::{Shared, number, text};
use crate::sweep::sweep;

/// A store in Redis or Valkey, on one server or on a cluster.
///
/// Clones share one connection, which comes back by itself when it breaks.
#[derive(Clone)]
pub struct RedisStore {
    shared: Arc<Shared>,
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
        let shared = Shared {
            link,
            address,
            names,
            buckets,
            strict,
            clock: None,
            cursors: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The same store on another clock than the server's, for tests that step the time. It has to run ahead of the
    /// server's, or what is to be remembered expires at once.
    #[doc(hidden)]
    #[must_use]
    pub fn with_clock(&self, clock: Clock) -> Self {
        let shared = Shared {
            link: self.shared.link.clone(),
            address: self.shared.address.clone(),
            names: self.shared.names.clone(),
            buckets: self.shared.buckets,
            strict: self.shared.strict,
            clock: Some(clock),
            cursors: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn open(&self, group: &Group) -> Result<StoreReport, StoreError> {
        let answers = self.shared.send(settings::questions()).await?;
        let report = settings::report(&self.shared.address, self.shared.strict, &answers)?;
        agree(&self.shared, group).await?;
        self.shared.load().await?;
        Ok(report)
    }

    async fn apply(
        &self,
        group: &Group,
        worker: &WorkerId,
        commands: &[Command],
    ) -> Result<Vec<Verdict>, StoreError> {
        apply(&self.shared, group, worker, commands).await
    }

    async fn heartbeat(
        &self,
        group: &Group,
        worker: &WorkerId,
        lease: Duration,
    ) -> Result<(), StoreError> {
        // Beyond 2^52 a script would no longer add exactly; that is some hundred thousand years.
        let lease = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
        let arguments = vec![
            text(worker.as_str()),
            number(lease.min(1 << 52)),
            number(self.shared.given_time()),
        ];
        let calls: Vec<Call> = (0..self.shared.buckets)
            .map(|bucket| {
                self.shared
                    .call(&HEARTBEAT, group, bucket, arguments.clone())
            })
            .collect();
        self.shared.run(&calls).await.map(drop)
    }

    async fn leave(&self, group: &Group, worker: &WorkerId) -> Result<(), StoreError> {
        let removals = (0..self.shared.buckets).map(|bucket| {
            let mut removal = cmd("HDEL");
            let leases = format!("{}:w", self.shared.names.bucket(group, bucket));
            removal.arg(leases).arg(worker.as_str());
            removal
        });
        for answer in self.shared.send(removals.collect()).await? {
            answer.map_err(|error| self.shared.error(error))?;
        }
        Ok(())
    }

    async fn sweep(&self, group: &Group, limit: usize) -> Result<Vec<Key>, StoreError> {
        sweep(&self.shared, group, limit).await
    }

    async fn inspect(&self, group: &Group, key: &Key) -> Result<Option<KeyView>, StoreError> {
        inspect(&self.shared, group, key).await
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
