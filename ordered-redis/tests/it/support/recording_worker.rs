//! A worker over a broker in memory, whose handler writes down what it is given.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ordered_core::event::{Envelope, EventId, Key, Seq};
use ordered_core::handler::{Context, Decoded, Handler, HandlerError, HandlerOptions, Malformed};
use ordered_core::transport::{MemoryBroker, Publish};
use ordered_core::worker::{Worker, WorkerError};
use ordered_redis::RedisStore;
use ordered_testkit::{eventually_within, unique};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long a recovery may take on a machine that is busy with other things.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Handles the events of one key; an event is its seq.
#[derive(Clone)]
struct RecordingHandler {
    group: String,
    handled: Arc<Mutex<Vec<u64>>>,
}

impl Handler for RecordingHandler {
    type Event = ();

    fn options(&self) -> HandlerOptions {
        HandlerOptions::new(&self.group)
    }

    fn decode(&self, envelope: &Envelope) -> Result<Decoded<()>, Malformed> {
        let text =
            std::str::from_utf8(&envelope.body).map_err(|error| Malformed(error.to_string()))?;
        let seq: u64 = text.parse().map_err(|_| Malformed("no number".into()))?;
        Ok(Decoded {
            key: Key::new("key")?,
            seq: Seq::new(seq)?,
            id: EventId::new(format!("id-{seq}"))?,
            event: (),
        })
    }

    async fn call(&self, (): (), context: Context) -> Result<(), HandlerError> {
        self.handled.lock().unwrap().push(context.seq().get());
        Ok(())
    }
}

/// A worker that runs, and what is sent to it.
pub(crate) struct RecordingWorker {
    broker: MemoryBroker,
    handled: Arc<Mutex<Vec<u64>>>,
    stop: oneshot::Sender<()>,
    worker: JoinHandle<Result<(), WorkerError>>,
}

impl RecordingWorker {
    pub(crate) fn start(store: RedisStore) -> Self {
        let (broker, handled) = (MemoryBroker::new(), Arc::default());
        let group = unique("worker");
        let worker = Worker::builder()
            .store(store)
            .transport(broker.consumer())
            .handler(RecordingHandler {
                group,
                handled: Arc::clone(&handled),
            })
            .build()
            .unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let worker = tokio::spawn(worker.run_until(async move {
            let _ = stopped.await;
        }));
        Self {
            broker,
            handled,
            stop,
            worker,
        }
    }

    pub(crate) async fn publish(&self, seqs: &[u64]) {
        let events = seqs.iter().map(|seq| Envelope::new(seq.to_string()));
        self.broker.publish(events.collect()).await.unwrap();
    }

    /// Waits until these were handled, in order and once, and are acknowledged; says how long it took.
    pub(crate) async fn handles(&self, seqs: &[u64], after: &str) {
        let began = Instant::now();
        eventually_within(TIMEOUT, after, async || {
            assert!(!self.worker.is_finished(), "the worker has ended");
            self.broker.backlog() == 0 && *self.handled.lock().unwrap() == seqs
        })
        .await;
        println!("{after}: {:?}", began.elapsed());
    }

    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        self.worker.await.unwrap().unwrap();
    }
}
