use std::env;

use ordered_core::worker::WorkerBuilder;

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
    /// on another broker without an edit.
    ///
    /// # Errors
    /// When a URL is wrong, or its part was not compiled in, or does not answer.
    pub async fn connect(
        transport: &str,
        queue: &str,
        store: &str,
    ) -> Result<WorkerBuilder, ConnectError> {
        Ok(Self::builder()
            .shared_store(connect::store(store).await?)
            .shared_transport(connect::transport(transport, queue).await?))
    }

    /// A worker on the URLs in `ORDERED_TRANSPORT`, `ORDERED_QUEUE` and `ORDERED_STORE`.
    ///
    /// # Errors
    /// When one of them is not set, and as [`Worker::connect`].
    pub async fn from_env() -> Result<WorkerBuilder, ConnectError> {
        let read = |name: &'static str| env::var(name).map_err(|_| ConnectError::NotSet { name });
        Self::connect(
            &read(Self::TRANSPORT)?,
            &read(Self::QUEUE)?,
            &read(Self::STORE)?,
        )
        .await
    }
}
