//! A little world for a test: a broker, a store, handlers that write down what they did, and workers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ordered_core::admin::Admin;
use ordered_core::clock::Clock;
use ordered_core::event::{Envelope, EventId, Key, Seq};
use ordered_core::handler::{Context, Decoded, Handler, HandlerError, HandlerOptions, Malformed};
use ordered_core::store::MemoryStore;
use ordered_core::transport::{Faults, MemoryBroker, Publish};
use ordered_core::worker::{Worker, WorkerBuilder, WorkerError};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) type Log = Arc<Mutex<Vec<(String, u64)>>>;

/// Handles `key seq id`; what the script says of an event happens.
#[derive(Clone)]
pub(crate) struct ScriptedHandler {
    pub(crate) log: Log,
    pub(crate) work: Duration,
    pub(crate) script: Arc<dyn Fn(&Context) -> Act + Send + Sync>,
}

pub(crate) enum Act {
    Succeed,
    Fail,
    FailPermanently,
    /// Fails, and says after which time it is to be tried again.
    FailFor(Duration),
    /// Fails permanently, at length.
    Rant,
    Panic,
    Hang,
}

impl Handler for ScriptedHandler {
    type Event = ();

    fn options(&self) -> HandlerOptions {
        HandlerOptions::new("test")
    }

    fn decode(&self, envelope: &Envelope) -> Result<Decoded<()>, Malformed> {
        let text =
            std::str::from_utf8(&envelope.body).map_err(|error| Malformed(error.to_string()))?;
        assert!(text != "panic", "asked to");
        let mut words = text.split(' ');
        let (Some(key), Some(seq), Some(id)) = (words.next(), words.next(), words.next()) else {
            return Err(Malformed("not `key seq id`".into()));
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
        if !self.work.is_zero() {
            tokio::time::sleep(self.work).await;
        }
        match (self.script)(&context) {
            Act::Succeed => {}
            Act::Fail => return Err(HandlerError::transient("no luck")),
            Act::FailFor(wait) => return Err(HandlerError::transient("busy").retry_after(wait)),
            Act::FailPermanently => return Err(HandlerError::permanent("never")),
            Act::Rant => return Err(HandlerError::permanent("never ".repeat(100_000))),
            Act::Panic => panic!("oh no"),
            Act::Hang => std::future::pending().await,
        }
        self.log
            .lock()
            .unwrap()
            .push((context.key().to_string(), context.seq().get()));
        Ok(())
    }
}

pub(crate) struct World {
    pub(crate) broker: MemoryBroker,
    pub(crate) store: MemoryStore,
    pub(crate) handler: ScriptedHandler,
}

impl World {
    pub(crate) fn new(faults: Faults) -> Self {
        Self {
            broker: MemoryBroker::with_faults(faults),
            store: MemoryStore::with_clock(Clock::tokio()),
            handler: ScriptedHandler {
                log: Log::default(),
                work: Duration::ZERO,
                script: Arc::new(|_| Act::Succeed),
            },
        }
    }

    pub(crate) fn script(
        mut self,
        script: impl Fn(&Context) -> Act + Send + Sync + 'static,
    ) -> Self {
        self.handler.script = Arc::new(script);
        self
    }

    pub(crate) async fn publish(&self, keys: u64, events: u64) {
        let all =
            (1..=events).flat_map(|seq| (0..keys).map(move |key| event(&format!("k{key}"), seq)));
        self.broker.publish(all.collect()).await.unwrap();
    }

    pub(crate) fn worker(&self) -> WorkerBuilder {
        Worker::builder()
            .store(self.store.clone())
            .transport(self.broker.consumer())
            .handler(self.handler.clone())
            .concurrency(8)
            .seed(7)
    }

    pub(crate) fn start(
        &self,
        name: &str,
        change: impl FnOnce(WorkerBuilder) -> WorkerBuilder,
    ) -> RunningWorker {
        RunningWorker::of(change(self.worker().id(name)).build().unwrap())
    }

    pub(crate) fn admin(&self) -> Admin {
        Admin::new(Arc::new(self.store.clone()))
    }

    pub(crate) fn handled(&self) -> usize {
        self.handler.log.lock().unwrap().len()
    }

    /// Waits, in paused time, until the condition holds.
    pub(crate) async fn until(&self, what: &str, condition: impl Fn(&Self) -> bool + Sync) {
        self.wait(what, &condition).await;
    }

    async fn wait(&self, what: &str, condition: &(dyn Fn(&Self) -> bool + Sync)) {
        let wait = async {
            while !condition(self) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(Duration::from_secs(600), wait)
            .await
            .is_err()
        {
            panic!(
                "never: {what}; {} handled, backlog {}",
                self.handled(),
                self.broker.backlog()
            );
        }
    }

    pub(crate) fn by_key(&self) -> BTreeMap<String, Vec<u64>> {
        let mut by_key = BTreeMap::<String, Vec<u64>>::new();
        for (key, seq) in self.handler.log.lock().unwrap().iter() {
            by_key.entry(key.clone()).or_default().push(*seq);
        }
        by_key
    }

    /// For every key 1..=events, in order, once.
    pub(crate) fn assert_in_order_once(&self, keys: usize, events: u64) {
        let by_key = self.by_key();
        assert_eq!(by_key.len(), keys);
        for (key, seqs) in by_key {
            assert_eq!(seqs, (1..=events).collect::<Vec<_>>(), "{key}");
        }
    }
}

pub(crate) struct RunningWorker {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), WorkerError>>,
}

impl RunningWorker {
    fn of(worker: Worker) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(worker.run_until(async move {
            let _ = stopped.await;
        }));
        Self { stop, task }
    }

    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        self.task.await.unwrap().unwrap();
    }

    pub(crate) async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

pub(crate) fn event(key: &str, seq: u64) -> Envelope {
    Envelope::new(format!("{key} {seq} {key}-{seq}"))
}
