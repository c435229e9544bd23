use std::env;

use ordered_core::worker::{Settings, WorkerBuilder};

use crate::connect::{self, ConnectError};

/// Where a worker begins: [`builder`](Worker::builder), or [`from_env`](Worker::from_env) for a program that is told
/// by its environment where its events come from and where its state is.
#[derive(Debug)]
pub struct Worker;

impl Worker {
    /// The variable with the URL of the transport: `amqp://…`, `sqs://…`, `kafka://…`, `memory://…`.
    pub const TRANSPORT: &str = "ORDERED_TRANSPORT";
    /// The variable with the name of the queue.
    pub const QUEUE: &str = "ORDERED_QUEUE";
    /// The variable with the URL of the store: `redis://…`, `memory://…`.
    pub const STORE: &str = "ORDERED_STORE";

    /// A worker that is put together by hand.
    pub fn builder() -> WorkerBuilder {
        #[cfg(feature = "opentelemetry")]
        return WorkerBuilder::default().on_span(crate::opentelemetry::continue_trace);
        #[cfg(not(feature = "opentelemetry"))]
        WorkerBuilder::default()
    }

    /// A worker on these URLs, see [`transport`](crate::transport) and [`store`](crate::store): the same program works
    /// on another broker without an edit. Servers that are not up yet are waited for, as
    /// [`Settings::connect_timeout`] says.
    ///
    /// # Errors
    /// When a URL is wrong, or its part was not compiled in, or does not answer.
    pub async fn connect(
        transport: &str,
        queue: &str,
        store: &str,
    ) -> Result<WorkerBuilder, ConnectError> {
        Self::with_settings(Settings::default(), [transport, queue, store]).await
    }

    async fn with_settings(
        settings: Settings,
        [transport, queue, store]: [&str; 3],
    ) -> Result<WorkerBuilder, ConnectError> {
        let timeout = settings.connect_timeout;
        let transport = connect::transport_within(timeout, transport, queue).await?;
        let store = connect::store_within(timeout, store).await?;
        Ok(Self::builder()
            .settings(settings)
            .shared_store(store)
            .shared_transport(transport))
    }

    /// A worker on the URLs in `ORDERED_TRANSPORT`, `ORDERED_QUEUE` and `ORDERED_STORE`, with the settings that have a
    /// variable, such as `ORDERED_CONCURRENCY`: see [`Settings::from_env`]. What the builder says after this goes
    /// before it.
    ///
    /// # Errors
    /// When one of the three is not set, a variable cannot be read, and as [`Worker::connect`].
    pub async fn from_env() -> Result<WorkerBuilder, ConnectError> {
        let read = |name: &'static str| env::var(name).map_err(|_| ConnectError::NotSet { name });
        let urls = [
            read(Self::TRANSPORT)?,
            read(Self::QUEUE)?,
            read(Self::STORE)?,
        ];
        Self::with_settings(Settings::from_env()?, urls.each_ref().map(String::as_str)).await
    }
}
