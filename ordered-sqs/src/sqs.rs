use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use ordered_core::transport::{
    ConsumeOptions, Delivery, DeliveryOrder, Settlement, Transport, TransportError,
    TransportStatus, WorkerProfile,
};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::warn;

use crate::builder::SqsBuilder;
use crate::consumer::Consumer;
use crate::link::Link;
use crate::publisher::SqsPublisher;
use crate::settling;
use crate::{heartbeat, polling};

/// How much longer than its wait the last call for messages may take.
const LAST_ANSWER: Duration = Duration::from_secs(2);

/// A consumer of a queue of SQS.
///
/// See the [crate's page](crate) for what it does with the queue.
#[derive(Debug)]
pub struct Sqs {
    link: Arc<Link>,
    /// Who is going to consume, where somebody has said so.
    worker: OnceLock<WorkerProfile>,
    running: OnceLock<Running>,
}

#[derive(Debug)]
struct Running {
    consumer: Arc<Consumer>,
    polling: Mutex<Option<JoinHandle<()>>>,
    heartbeat: JoinHandle<()>,
}

impl Sqs {
    /// Begins to connect to the queue of a URL such as `sqs://order-events?region=eu-central-1`; `.await` the answer.
    /// See the [crate](crate) for the form.
    pub fn connect(url: impl Into<String>) -> SqsBuilder {
        SqsBuilder::url(url)
    }

    /// Begins to connect with a client of the application's own, for what a URL cannot say. Add
    /// [`queue`](SqsBuilder::queue).
    pub fn with_client(client: aws_sdk_sqs::Client) -> SqsBuilder {
        SqsBuilder::client(client)
    }

    pub(crate) fn new(link: Arc<Link>) -> Self {
        Self {
            link,
            worker: OnceLock::new(),
            running: OnceLock::new(),
        }
    }

    /// A publisher to the same queue.
    #[must_use]
    pub fn publisher(&self) -> SqsPublisher {
        SqsPublisher::new(Arc::clone(&self.link))
    }

    /// Whether it is a FIFO queue: their names, and no others, end with `.fifo`.
    #[must_use]
    pub fn is_fifo(&self) -> bool {
        self.link.is_fifo()
    }

    /// Waits for the end of the call for messages that is under way, or cuts it off.
    async fn last_answer(&self, mut polling: JoinHandle<()>) {
        let options = &self.link.options;
        let limit = options.close_within.unwrap_or(options.wait + LAST_ANSWER);
        if timeout(limit, &mut polling).await.is_ok() {
            return;
        }
        polling.abort();
        // The last entries that it has made are among the unsettled ones once it has ended.
        let _ = polling.await;
        let queue = &self.link.queue;
        if options.close_within.is_none() {
            warn!(
                queue,
                "SQS does not answer; what it would have given comes again"
            );
        }
    }

    fn running(&self) -> Result<&Running, TransportError> {
        let running = self.running.get();
        running.ok_or_else(|| TransportError::fatal("SQS: the consumer has not been started"))
    }
}

#[async_trait]
impl Transport for Sqs {
    fn set_worker_profile(&self, worker: WorkerProfile) {
        // A second worker would fail to start, and the first one's words stand.
        let _ = self.worker.set(worker);
    }

    fn source(&self) -> Option<String> {
        Some(self.link.url.clone())
    }

    fn delivery_order(&self) -> DeliveryOrder {
        if self.link.is_fifo() {
            DeliveryOrder::PerMessageGroup
        } else {
            DeliveryOrder::None
        }
    }

    fn status(&self) -> TransportStatus {
        let running = self.running.get();
        running.map_or(TransportStatus::Consuming, |running| {
            running.consumer.status()
        })
    }

    /// Reads the queue's attributes, says in the log what they mean, and finds or makes the queue for dead letters.
    async fn start(&self, options: ConsumeOptions) -> Result<(), TransportError> {
        let link = Arc::clone(&self.link);
        let worker = self.worker.get().copied();
        let consumer = Arc::new(Consumer::open(link, options, worker).await?);
        let polling = Arc::clone(&consumer);
        let heartbeat = Arc::clone(&consumer);
        let running = Running {
            polling: Mutex::new(Some(tokio::spawn(async move {
                polling::receive(&polling).await;
            }))),
            heartbeat: tokio::spawn(async move { heartbeat::extend(&heartbeat).await }),
            consumer,
        };
        let started = self.running.set(running);
        started.map_err(|_| TransportError::fatal("SQS: the consumer has been started before"))
    }

    /// # Cancel safety
    /// A dropped future loses no delivery: what comes is kept for the next call.
    async fn receive(&self, max: usize) -> Result<Vec<Delivery>, TransportError> {
        let unsettled = &self.running()?.consumer.unsettled;
        let _waiting = unsettled.wait();
        loop {
            let arrived = unsettled.arrived.notified();
            tokio::pin!(arrived);
            arrived.as_mut().enable();
            let deliveries = unsettled.take(max);
            if !deliveries.is_empty() || max == 0 {
                return Ok(deliveries);
            }
            if let Some(why) = unsettled.fatal() {
                return Err(TransportError::fatal(why));
            }
            arrived.await;
        }
    }

    /// # Cancel safety
    /// What a dropped future had not settled yet is delivered again.
    async fn settle(&self, settlements: Vec<Settlement>) -> Result<(), TransportError> {
        settling::settle(&self.running()?.consumer, settlements).await
    }

    /// Shows others at once what is not settled, then waits for the call for messages that is under way, as long as
    /// [`close_within`](SqsBuilder::close_within) says, and shows what that has brought.
    async fn close(&self) -> Result<(), TransportError> {
        let Some(running) = self.running.get() else {
            return Ok(());
        };
        let consumer = &running.consumer;
        consumer.unsettled.close();
        // Between two rounds, so that no extension comes after this.
        let no_round = consumer.extending.lock().await;
        running.heartbeat.abort();
        drop(no_round);
        let shown = consumer.give_back(consumer.unsettled.drain()).await;
        if let Some(polling) = running.take_polling() {
            self.last_answer(polling).await;
        }
        let shown_last = consumer.give_back(consumer.unsettled.drain()).await;
        shown.and(shown_last).map_err(|failure| {
            TransportError::unavailable(format!(
                "SQS: could not give back what is unsettled; it comes again after {:?}: {}",
                consumer.visibility(),
                failure.words
            ))
        })
    }
}

impl Running {
    fn take_polling(&self) -> Option<JoinHandle<()>> {
        let mut polling = self.polling.lock().unwrap_or_else(PoisonError::into_inner);
        polling.take()
    }
}

/// As in a crash: what is unsettled comes again after the visibility timeout.
impl Drop for Running {
    fn drop(&mut self) {
        self.heartbeat.abort();
        if let Some(polling) = self.take_polling() {
            polling.abort();
        }
    }
}
