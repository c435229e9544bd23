//! A store with something around its batches.

use std::time::Duration;

use ordered_core::protocol::WorkerId;
use ordered_core::store::{
    Answer, Exchange, Group, Heartbeat, MemoryStore, Opened, Request, Session, Store, StoreError,
    WrapStore,
};

type Before = Box<dyn Fn(&[Request]) + Send + Sync>;
type After = Box<dyn Fn(&mut Vec<Answer>) + Send + Sync>;
type Beats = Box<dyn Fn() -> bool + Send + Sync>;

pub(crate) struct HookedStore {
    store: MemoryStore,
    before: Before,
    /// How long the answer is on its way.
    takes: Duration,
    after: After,
    /// Whether heartbeats are taken.
    beats: Beats,
    /// Whether heartbeats are refused permanently.
    refuses: Beats,
    /// Whether groups can be opened.
    opens: Beats,
}

impl HookedStore {
    pub(crate) fn new(store: &MemoryStore) -> Self {
        Self {
            store: store.clone(),
            before: Box::new(|_| {}),
            takes: Duration::ZERO,
            after: Box::new(|_| {}),
            beats: Box::new(|| true),
            refuses: Box::new(|| false),
            opens: Box::new(|| true),
        }
    }

    pub(crate) fn beats(mut self, beats: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        self.beats = Box::new(beats);
        self
    }

    pub(crate) fn refuses(mut self, refuses: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        self.refuses = Box::new(refuses);
        self
    }

    pub(crate) fn opens(mut self, opens: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        self.opens = Box::new(opens);
        self
    }

    pub(crate) fn before(mut self, before: impl Fn(&[Request]) + Send + Sync + 'static) -> Self {
        self.before = Box::new(before);
        self
    }

    pub(crate) fn takes(mut self, takes: Duration) -> Self {
        self.takes = takes;
        self
    }

    pub(crate) fn after(
        mut self,
        after: impl Fn(&mut Vec<Answer>) + Send + Sync + 'static,
    ) -> Self {
        self.after = Box::new(after);
        self
    }
}

#[async_trait::async_trait]
impl WrapStore for HookedStore {
    type Inner = MemoryStore;

    fn inner(&self) -> &MemoryStore {
        &self.store
    }

    async fn open(&self, group: &Group, worker: &WorkerId) -> Result<Opened, StoreError> {
        if !(self.opens)() {
            return Err(StoreError::unavailable("connection refused"));
        }
        self.store.open(group, worker).await
    }

    async fn exchange(
        &self,
        group: &Group,
        session: &Session,
        requests: &[Request],
    ) -> Result<Exchange, StoreError> {
        (self.before)(requests);
        let mut exchange = self.store.exchange(group, session, requests).await?;
        tokio::time::sleep(self.takes).await;
        (self.after)(&mut exchange.answers);
        Ok(exchange)
    }

    async fn heartbeat(
        &self,
        group: &Group,
        session: &Session,
        lease: Duration,
    ) -> Result<Heartbeat, StoreError> {
        if (self.refuses)() {
            return Err(StoreError::refused("the password is not accepted any more"));
        }
        if !(self.beats)() {
            return Err(StoreError::unavailable("no heartbeat is taken now"));
        }
        self.store.heartbeat(group, session, lease).await
    }
}
