//! Everything that one process consumes.

use std::env;
use std::fmt;
#[cfg(feature = "prometheus")]
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ordered_core::handler::Handler;
use ordered_core::store::Store;
use ordered_core::transport::Transport;
use ordered_core::worker::{BuildError, Settings, WorkerBuilder, Workers, WorkersError};

use crate::connect::{self, ConnectError};
#[cfg(feature = "prometheus")]
use crate::prometheus::{Prometheus, PrometheusError};
use crate::{Worker, shutdown_signal};

/// Several handlers in one process, each with a queue and a group of its own: one store, one shutdown for all, and one
/// error that ends all of them in order.
///
/// ```no_run
/// # use ordered_events::ordered_handler;
/// # #[derive(serde::Deserialize)]
/// # struct Event { id: String, seq: u64 }
/// # #[ordered_handler(key = "id", seq = "seq")]
/// # async fn apply_order(_event: Event) {}
/// # #[ordered_handler(key = "id", seq = "seq")]
/// # async fn apply_payment(_event: Event) {}
/// # #[cfg(all(feature = "amqp", feature = "redis"))]
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use ordered_events::{Amqp, App, RedisStore};
///
/// App::new()
///     .store(RedisStore::connect("redis://localhost").await?)
///     .handler(Amqp::connect("amqp://localhost").queue("order-events").await?, apply_order)
///     .handler(Amqp::connect("amqp://localhost").queue("payments").await?, apply_payment)
///     .run()
///     .await?;
/// # Ok(())
/// # }
/// ```
///
/// Several handlers on *one* queue, chosen by the type of the event, are a [`Router`](crate::Router).
///
/// # What is shared
///
/// All workers of the app are given one store, and with Redis that is one connection. Each queue has connections of its
/// own: to RabbitMQ one that consumes, and one that publishes dead letters and deferred events once there are some; to
/// Kafka a consumer, since a consumer belongs to one group; to SQS a pool of HTTP connections.
#[must_use = "an app does nothing until it runs"]
#[derive(Default)]
pub struct App {
    store: Option<Arc<dyn Store>>,
    /// The URL of the transport of those that are named by their queue.
    broker: Option<String>,
    /// How long it is waited for.
    connect_timeout: Duration,
    every: Vec<Box<dyn Fn(WorkerBuilder) -> WorkerBuilder + Send>>,
    consumers: Vec<Consumer>,
    #[cfg(feature = "prometheus")]
    metrics: Option<(Prometheus, SocketAddr)>,
}

/// A queue, and what handles its events.
struct Consumer {
    source: Source,
    equip: Box<dyn FnOnce(WorkerBuilder) -> WorkerBuilder + Send>,
}

enum Source {
    Transport(Arc<dyn Transport>),
    Queue(String),
}

/// Why an app did not start, or has stopped other than because it was asked to.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum AppError {
    /// A queue is named, and no broker.
    #[error(
        "the queue `{queue}` is named without a broker: make the app with `App::connect` or `App::from_env`, or give a \
         transport with `.handler(…)`"
    )]
    NoBroker {
        /// The queue.
        queue: String,
    },
    /// A queue's transport cannot be had.
    #[error("the queue `{queue}`: {error}")]
    Connect {
        /// The queue.
        queue: String,
        /// Why not.
        #[source]
        error: ConnectError,
    },
    /// A worker cannot be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A worker has stopped.
    #[error(transparent)]
    Workers(#[from] WorkersError),
    /// The metrics cannot be served.
    #[cfg(feature = "prometheus")]
    #[error(transparent)]
    Metrics(#[from] PrometheusError),
}

impl App {
    /// An app without handlers.
    pub fn new() -> Self {
        Self::default()
    }

    /// An app with the store and the broker at these URLs, for handlers that are named by their [`queue`](Self::queue).
    ///
    /// # Errors
    /// When a URL is wrong, or its part was not compiled in, or the store does not answer.
    pub async fn connect(transport: &str, store: &str) -> Result<Self, ConnectError> {
        Self::with_settings(Settings::default(), transport, store).await
    }

    async fn with_settings(
        settings: Settings,
        transport: &str,
        store: &str,
    ) -> Result<Self, ConnectError> {
        let connect_timeout = settings.connect_timeout;
        let store = connect::store_within(connect_timeout, store).await?;
        Ok(Self {
            broker: Some(transport.to_owned()),
            connect_timeout,
            ..Self::new()
        }
        .shared_store(store)
        .worker(move |worker| worker.settings(settings.clone())))
    }

    /// An app with the URLs in `ORDERED_TRANSPORT` and `ORDERED_STORE`. All workers have the settings of the other
    /// variables, see [`Settings::from_env`], unless [`worker`](Self::worker) says otherwise.
    ///
    /// # Errors
    /// When one of the two is not set, a variable cannot be read, and as [`App::connect`].
    pub async fn from_env() -> Result<Self, ConnectError> {
        let read = |name: &'static str| env::var(name).map_err(|_| ConnectError::NotSet { name });
        let (transport, store) = (read(Worker::TRANSPORT)?, read(Worker::STORE)?);
        Self::with_settings(Settings::from_env()?, &transport, &store).await
    }

    /// Where the state of the keys of all groups is.
    pub fn store(self, store: impl Store) -> Self {
        self.shared_store(Arc::new(store))
    }

    /// The same, for a store that was chosen at run time.
    pub fn shared_store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Application state, for the `State<T>` arguments of all handlers; one value per type.
    pub fn state<T: Clone + Send + Sync + 'static>(self, value: T) -> Self {
        self.worker(move |worker| worker.state(value.clone()))
    }

    /// What every worker is given besides: settings, middleware, observers.
    /// `.worker(|worker| worker.drain_timeout(Duration::from_secs(20)).middleware(timed))`.
    ///
    /// The options of one handler belong into its attribute, or into [`handler_with`](Self::handler_with).
    pub fn worker(
        mut self,
        change: impl Fn(WorkerBuilder) -> WorkerBuilder + Send + 'static,
    ) -> Self {
        self.every.push(Box::new(change));
        self
    }

    /// The events of this transport go to this handler.
    pub fn handler(self, transport: impl Transport, handler: impl Handler) -> Self {
        self.handler_with(transport, handler, |worker| worker)
    }

    /// The same, with settings for this worker alone: `|worker| worker.concurrency(8)`.
    pub fn handler_with(
        self,
        transport: impl Transport,
        handler: impl Handler,
        change: impl FnOnce(WorkerBuilder) -> WorkerBuilder + Send + 'static,
    ) -> Self {
        self.shared_handler(Arc::new(transport), handler, change)
    }

    /// The same, for a transport that was chosen at run time.
    pub fn shared_handler(
        self,
        transport: Arc<dyn Transport>,
        handler: impl Handler,
        change: impl FnOnce(WorkerBuilder) -> WorkerBuilder + Send + 'static,
    ) -> Self {
        self.consumer(Source::Transport(transport), handler, change)
    }

    /// The events of this queue of the app's broker go to this handler. See [`App::connect`].
    pub fn queue(self, queue: impl Into<String>, handler: impl Handler) -> Self {
        self.queue_with(queue, handler, |worker| worker)
    }

    /// The same, with settings for this worker alone.
    pub fn queue_with(
        self,
        queue: impl Into<String>,
        handler: impl Handler,
        change: impl FnOnce(WorkerBuilder) -> WorkerBuilder + Send + 'static,
    ) -> Self {
        self.consumer(Source::Queue(queue.into()), handler, change)
    }

    fn consumer(
        mut self,
        source: Source,
        handler: impl Handler,
        change: impl FnOnce(WorkerBuilder) -> WorkerBuilder + Send + 'static,
    ) -> Self {
        self.consumers.push(Consumer {
            source,
            equip: Box::new(move |worker| change(worker.handler(handler))),
        });
        self
    }

    /// Serves the metrics of the process at `/metrics` of this address for as long as the app runs, and how its workers
    /// are at `/live` and `/ready`, each 200 where it is so of all of them:
    /// `.metrics(Prometheus::install()?, ([127, 0, 0, 1], 9464))`.
    #[cfg(feature = "prometheus")]
    pub fn metrics(mut self, prometheus: Prometheus, address: impl Into<SocketAddr>) -> Self {
        self.metrics = Some((prometheus, address.into()));
        self
    }

    /// Checks everything, and makes the workers.
    ///
    /// # Errors
    /// When a queue's transport cannot be had, a worker cannot be built, or two of them would take each other's events.
    pub async fn build(self) -> Result<Workers, AppError> {
        let mut consumers = Vec::with_capacity(self.consumers.len());
        for Consumer { source, equip } in self.consumers {
            let transport = match (source, &self.broker) {
                (Source::Transport(transport), _) => transport,
                (Source::Queue(queue), None) => return Err(AppError::NoBroker { queue }),
                (Source::Queue(queue), Some(broker)) => {
                    let timeout = self.connect_timeout;
                    let transport = connect::transport_within(timeout, broker, &queue).await;
                    transport.map_err(|error| AppError::Connect { queue, error })?
                }
            };
            consumers.push((transport, equip));
        }
        let mut workers = Vec::with_capacity(consumers.len());
        for (transport, equip) in consumers {
            let mut worker = Worker::builder().shared_transport(transport);
            if let Some(store) = &self.store {
                worker = worker.shared_store(Arc::clone(store));
            }
            let worker = self
                .every
                .iter()
                .fold(worker, |worker, change| change(worker));
            workers.push(equip(worker).build()?);
        }
        Ok(Workers::new(workers)?)
    }

    /// Runs until the process is asked to stop (Ctrl-C or SIGTERM); then all workers drain. See [`shutdown_signal`].
    ///
    /// # Errors
    /// As [`App::run_until`].
    pub async fn run(self) -> Result<(), AppError> {
        self.run_until(shutdown_signal()).await
    }

    /// Runs until `shutdown` is done; then all workers drain. Where one of them ends with an error, the others drain,
    /// too.
    ///
    /// # Errors
    /// As [`App::build`], and that of the worker that ended first.
    ///
    /// # Cancel safety
    /// Dropping the future is like a crash of all workers: see [`ordered_core::worker::Worker::run_until`].
    pub async fn run_until(
        #[cfg_attr(not(feature = "prometheus"), allow(unused_mut))] mut self,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), AppError> {
        #[cfg(feature = "prometheus")]
        let metrics = self.metrics.take();
        let workers = self.build().await?;
        #[cfg(feature = "prometheus")]
        let _server = match metrics {
            Some((prometheus, address)) => {
                let health = workers.health().into_iter();
                let prometheus = health.fold(prometheus, Prometheus::watch);
                let server = prometheus.serve(address).await?;
                tracing::info!(at = %format_args!("http://{}/metrics", server.address()), "metrics");
                Some(server)
            }
            None => None,
        };
        workers.run_until(shutdown).await?;
        Ok(())
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("consumers", &self.consumers.len())
            .finish_non_exhaustive()
    }
}

/// What it says, since it is what a `main` that returns it prints.
impl fmt::Debug for AppError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ordered_core::internal::write_with_causes(self, f)
    }
}
