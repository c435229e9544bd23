use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use lapin::Connection;
use ordered_core::transport::{ConsumeOptions, TransportError, TransportStatus};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::broker::Broker;
use crate::builder::ConsumerSettings;
use crate::publisher_connection::PublisherConnection;
use crate::session::{Session, SessionOptions};
use crate::subscribe::Subscription;
use crate::topology::Topology;

/// What the transport, the task that reconnects it, and the copies on their way have in common.
pub(crate) struct Shared {
    pub(crate) broker: Broker,
    pub(crate) topology: Topology,
    pub(crate) consuming: ConsumerSettings,
    pub(crate) subscription: Subscription,
    pub(crate) publisher: PublisherConnection,
    /// The tasks that bring copies to other queues.
    pub(crate) sending: TaskTracker,
    /// The session that consumes now. A watch, because `receive` waits for the next one.
    pub(crate) session: watch::Sender<Option<Arc<Session>>>,
    pub(crate) closing: watch::Sender<bool>,
    /// Since when no session consumes, and what the last attempt to open one said.
    // A std mutex: it is held to look and to set.
    interruption: Mutex<Option<(Instant, String)>>,
    // A std mutex: it is held to look and to set.
    phase: Mutex<Phase>,
    /// Why no session will consume any more.
    failed: OnceLock<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    Started,
    Closed,
}

impl Shared {
    pub(crate) fn new(broker: Broker, topology: Topology, consuming: ConsumerSettings) -> Self {
        let publisher = PublisherConnection::new(
            broker.clone(),
            Some(topology.clone()),
            "dead letters and deferred",
        );
        Self {
            broker,
            topology,
            consuming,
            subscription: Subscription::default(),
            publisher,
            sending: TaskTracker::new(),
            session: watch::Sender::new(None),
            closing: watch::Sender::new(false),
            interruption: Mutex::default(),
            phase: Mutex::new(Phase::Idle),
            failed: OnceLock::new(),
        }
    }

    /// Connects, sees to it that the queues are there, and leaves.
    pub(crate) async fn check(&self) -> Result<(), TransportError> {
        let address = &self.broker.address;
        self.topology.prepare(&self.broker).await?;
        let ensure =
            async |connection: &Connection| self.topology.ensure(connection, address).await;
        self.broker.with_connection("check", ensure).await
    }

    /// Connects, says what of the queue breaks a promise, and leaves.
    async fn look(&self) -> Result<(), TransportError> {
        let address = &self.broker.address;
        let look = async |connection: &Connection| self.topology.look(connection, address).await;
        self.broker.with_connection("look", look).await
    }

    /// Connects and consumes for the first time. Boxed: in a method of a trait, which awaits it, the compiler proves
    /// for each that all that lapin keeps in it is `Send`, and that takes a second.
    pub(crate) fn open_first(
        &self,
        options: ConsumeOptions,
    ) -> BoxFuture<'_, Result<Session, TransportError>> {
        let opened = async move {
            self.look().await?;
            self.open(options, 0).await
        };
        opened.boxed()
    }

    /// Connects and consumes, once.
    pub(crate) async fn open(
        &self,
        options: ConsumeOptions,
        base: u64,
    ) -> Result<Session, TransportError> {
        let address = &self.broker.address;
        let connection = self.broker.open("consumer").await?;
        self.topology.ensure(&connection, address).await?;
        let session_options = SessionOptions {
            subscription: &self.subscription,
            address,
            queues: self.topology.queues(),
            workers_queue: self
                .topology
                .partitions
                .as_ref()
                .map(|partitions| partitions.workers.clone()),
            consumer_tag: &self.consuming.tag,
            defer_prefix: &self.topology.places.defer_prefix,
            is_exclusive: self.topology.has_one_consumer(),
            options,
            base,
        };
        Session::consume(connection, session_options).await
    }

    pub(crate) fn current(&self) -> Option<Arc<Session>> {
        self.session.borrow().clone()
    }

    /// No session consumes, for this reason.
    pub(crate) fn interrupted(&self, why: &str) {
        let mut interruption = self.interruption();
        let since = interruption.take().map(|(since, _)| since);
        *interruption = Some((since.unwrap_or_else(Instant::now), why.to_owned()));
    }

    /// A session consumes.
    pub(crate) fn consumes(&self) {
        *self.interruption() = None;
    }

    pub(crate) fn status(&self) -> TransportStatus {
        match &*self.interruption() {
            None => TransportStatus::Consuming,
            Some((since, error)) => TransportStatus::Unavailable {
                lasts: since.elapsed(),
                error: error.clone(),
            },
        }
    }

    fn interruption(&self) -> MutexGuard<'_, Option<(Instant, String)>> {
        self.interruption
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Resolves when the transport is closed or dropped.
    pub(crate) async fn closing(&self) {
        let mut closing = self.closing.subscribe();
        // It cannot fail: the sender is in `self`.
        let _ = closing.wait_for(|closing| *closing).await;
    }

    pub(crate) fn begin(&self) -> Result<(), TransportError> {
        let mut phase = self.phase();
        match *phase {
            Phase::Idle => *phase = Phase::Started,
            Phase::Started => {
                return Err(TransportError::fatal(
                    "the transport is started already: give each worker its own",
                ));
            }
            Phase::Closed => return Err(closed()),
        }
        Ok(())
    }

    pub(crate) fn begin_again(&self) {
        *self.phase() = Phase::Idle;
    }

    pub(crate) fn end(&self) {
        *self.phase() = Phase::Closed;
        self.closing.send_replace(true);
    }

    /// No session will consume any more: whoever waits for one hears why.
    pub(crate) fn fail(&self, why: String) {
        let _ = self.failed.set(why);
        self.session.send_replace(None);
    }

    pub(crate) fn ensure_started(&self) -> Result<(), TransportError> {
        if let Some(why) = self.failed.get() {
            return Err(TransportError::fatal(why.as_str()));
        }
        match *self.phase() {
            Phase::Started => Ok(()),
            Phase::Idle => Err(TransportError::fatal("the transport is not started")),
            Phase::Closed => Err(closed()),
        }
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn closed() -> TransportError {
    TransportError::fatal("the transport is closed")
}
