//! Workers whose handlers write down what they did.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ordered_core::event::{Envelope, EventId, Key, Seq};
use ordered_core::handler::{Context, Decoded, Handler, HandlerError, HandlerOptions, Malformed};
use ordered_core::store::MemoryStore;
use ordered_core::worker::{Worker, WorkerBuilder, WorkerError};
use ordered_sqs::names;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::support::queue::Queue;

/// Handles `key seq id`, or takes the key from the message group where there is none in the body.
#[derive(Clone, Default)]
pub(crate) struct RecordingHandler {
    pub(crate) log: Arc<Mutex<Vec<(String, u64)>>>,
    pub(crate) work: Duration,
}

impl Handler for RecordingHandler {
    type Event = ();

    fn options(&self) -> HandlerOptions {
        HandlerOptions::new("test")
    }

    fn decode(&self, envelope: &Envelope) -> Result<Decoded<()>, Malformed> {
        let text =
            std::str::from_utf8(&envelope.body).map_err(|error| Malformed(error.to_string()))?;
        let words: Vec<&str> = text.split(' ').collect();
        let header = |name| envelope.headers.get(name).map_or("", String::as_str);
        let (key, seq, id) = match words[..] {
            [key, seq, id] => (key, seq, id),
            [seq] => (
                header(names::MESSAGE_GROUP_ID),
                seq,
                header(names::MESSAGE_DEDUPLICATION_ID),
            ),
            _ => return Err(Malformed("not `key seq id`".into())),
        };
        let seq: u64 = seq
            .parse()
            .map_err(|_| Malformed("seq is not a number".into()))?;
        Ok(Decoded {
            key: Key::new(key)?,
            seq: Seq::new(seq)?,
            id: EventId::new(id)?,
            event: (),
        })
    }

    async fn call(&self, (): (), context: Context) -> Result<(), HandlerError> {
        tokio::time::sleep(self.work).await;
        let line = (context.key().to_string(), context.seq().get());
        self.log.lock().unwrap().push(line);
        Ok(())
    }
}

impl RecordingHandler {
    pub(crate) fn handled(&self) -> usize {
        self.log.lock().unwrap().len()
    }

    /// For every key 1..=events, in order, once.
    pub(crate) fn assert_in_order_once(&self, keys: usize, events: u64) {
        let mut by_key = BTreeMap::<String, Vec<u64>>::new();
        for (key, seq) in self.log.lock().unwrap().iter() {
            by_key.entry(key.clone()).or_default().push(*seq);
        }
        assert_eq!(by_key.len(), keys);
        for (key, seqs) in by_key {
            assert_eq!(seqs, (1..=events).collect::<Vec<_>>(), "{key}");
        }
    }

    pub(crate) async fn start(
        &self,
        queue: &Queue,
        store: &MemoryStore,
        change: impl FnOnce(WorkerBuilder) -> WorkerBuilder,
    ) -> Running {
        let worker = Worker::builder()
            .store(store.clone())
            .transport(queue.connect().await.unwrap())
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
