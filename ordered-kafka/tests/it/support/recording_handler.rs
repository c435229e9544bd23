//! Workers whose handlers write down what they did.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use ordered_core::event::{Envelope, EventId, Key, Seq};
use ordered_core::handler::{Context, Decoded, Handler, HandlerError, HandlerOptions, Malformed};
use ordered_core::store::MemoryStore;
use ordered_core::worker::{Worker, WorkerBuilder, WorkerError};
use ordered_kafka::{KafkaBuilder, names};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Handles events with `seq` in the body, of the key that is the record's.
#[derive(Clone, Default)]
pub(crate) struct RecordingHandler(Arc<Mutex<BTreeMap<String, Vec<u64>>>>);

impl Handler for RecordingHandler {
    type Event = ();

    fn options(&self) -> HandlerOptions {
        HandlerOptions::new("test")
    }

    fn decode(&self, envelope: &Envelope) -> Result<Decoded<()>, Malformed> {
        let text = str::from_utf8(&envelope.body).map_err(|error| Malformed(error.to_string()))?;
        let seq: u64 = text
            .parse()
            .map_err(|_| Malformed("seq is not a number".into()))?;
        let key = envelope.headers.get(names::KEY);
        let key = key.ok_or_else(|| Malformed("the record has no key".into()))?;
        Ok(Decoded {
            key: Key::new(key)?,
            seq: Seq::new(seq)?,
            id: EventId::new(format!("{key}-{seq}"))?,
            event: (),
        })
    }

    async fn call(&self, (): (), context: Context) -> Result<(), HandlerError> {
        let mut log = self.0.lock().unwrap();
        let handled = log.entry(context.key().to_string()).or_default();
        handled.push(context.seq().get());
        Ok(())
    }
}

impl RecordingHandler {
    /// What was handled of this key.
    pub(crate) fn handled(&self, key: &str) -> Vec<u64> {
        self.0.lock().unwrap().get(key).cloned().unwrap_or_default()
    }

    /// How many events were handled of all keys.
    pub(crate) fn total(&self) -> usize {
        self.0.lock().unwrap().values().map(Vec::len).sum()
    }

    pub(crate) async fn start(
        &self,
        builder: KafkaBuilder,
        store: &MemoryStore,
        change: impl FnOnce(WorkerBuilder) -> WorkerBuilder,
    ) -> Running {
        let worker = Worker::builder()
            .store(store.clone())
            .transport(builder.await.unwrap())
            .handler(self.clone());
        let worker = change(worker).build().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(worker.run_until(async move {
            let _ = stopped.await;
        }));
        Running { stop, task }
    }
}

pub(crate) struct Running {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), WorkerError>>,
}

impl Running {
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        self.task.await.unwrap().unwrap();
    }
}
