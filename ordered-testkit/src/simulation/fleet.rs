use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ordered_core::store::{MemoryStore, Store};
use ordered_core::transport::{MemoryBroker, Transport};
use ordered_core::worker::{Worker, WorkerBuilder, WorkerError, WorkerEvent};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

use super::app::App;
use super::recorder::Recorder;
use super::store::FaultyStore;
use super::transport::FaultyTransport;
use crate::history::{Event, Rules, What};

/// The leases of simulated workers: short, since time costs nothing.
pub(super) const LEASE: Duration = Duration::from_secs(3);

/// Whether a worker is frozen, as by SIGSTOP, or dead.
///
/// A `Notify` and not a `watch`, which wakes its waiters in an order that no seed decides.
#[derive(Clone)]
pub(super) struct ProcessState(Arc<(Mutex<State>, Notify)>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Alive,
    Frozen,
    Dead,
}

impl ProcessState {
    fn new() -> Self {
        Self(Arc::new((Mutex::new(State::Alive), Notify::new())))
    }

    fn state(&self) -> State {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, state: State) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = state;
        self.0.1.notify_waiters();
    }

    /// Waits while the worker is frozen.
    pub(super) async fn running(&self) {
        loop {
            let changed = self.0.1.notified();
            if self.state() != State::Frozen {
                return;
            }
            changed.await;
        }
    }

    pub(super) fn is_dead(&self) -> bool {
        self.state() == State::Dead
    }
}

/// One worker process.
pub(super) struct Process {
    name: String,
    process: ProcessState,
    transport: Arc<dyn Transport>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), WorkerError>>,
    recorder: Recorder,
}

/// What all workers are made of.
pub(super) struct Fleet {
    pub(super) app: App,
    pub(super) store: MemoryStore,
    pub(super) broker: MemoryBroker,
    pub(super) recorder: Recorder,
    /// Workers started so far, for their names.
    pub(super) started: u32,
    /// What the history is held against, by the options of the workers.
    pub(super) rules: Rules,
}

impl Fleet {
    pub(super) fn start(&mut self) -> Process {
        self.started += 1;
        let name = format!("w{}", self.started);
        let process = ProcessState::new();
        let mut store: Arc<dyn Store> = Arc::new(self.store.clone());
        if let Some(wrap) = &self.app.wrap_store {
            store = wrap(store);
        }
        let mut transport: Arc<dyn Transport> = Arc::new(self.broker.consumer());
        if let Some(wrap) = &self.app.wrap_transport {
            transport = wrap(transport);
        }
        let worker = self
            .equipped(Worker::builder())
            .store(FaultyStore::new(
                store,
                self.store.clone(),
                self.recorder.clone(),
                process.clone(),
            ))
            .transport(FaultyTransport {
                inner: Arc::clone(&transport),
                recorder: self.recorder.clone(),
                process: process.clone(),
            })
            .observe(record_late(self.recorder.clone()))
            .id(&name)
            .seed(self.recorder.number())
            .build()
            .expect("the application's workers can be built");
        self.rules.commit_window = worker.options().commit_window.into();
        self.rules.batch = worker.options().batch.into();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(worker.run_until(async move {
            let _ = stopped.await;
        }));
        Process {
            name,
            process,
            transport,
            stop,
            task,
            recorder: self.recorder.clone(),
        }
    }

    /// The application's group: the handler's own, since the simulation gives it none.
    pub(super) fn group(&self) -> &str {
        &self.app.group
    }

    fn equipped(&self, worker: WorkerBuilder) -> WorkerBuilder {
        let worker = worker
            .lease(LEASE)
            .sweep_interval(LEASE / 6)
            .timeout(LEASE)
            .drain_timeout(LEASE)
            .defer(LEASE / 6)
            // A key is not to be halted by faults that are none of its own.
            .give_up_after(None)
            .max_crashes(1_000_000);
        let worker = (self.app.equip)(worker, &self.recorder);
        let changes = self.app.changes.iter();
        changes.fold(worker, |worker, change| change(worker))
    }
}

/// That an event came late shows in no save, where it is dropped or dead-lettered at the broker.
fn record_late(recorder: Recorder) -> impl Fn(&WorkerEvent<'_>) + Send + Sync {
    move |worker_event| {
        if let WorkerEvent::Late { event } = worker_event {
            let event = Event {
                key: event.key.to_string(),
                seq: event.seq.get(),
                id: event.id.as_str().to_owned(),
            };
            recorder.write(What::Late { event });
        }
    }
}

impl Process {
    /// kill -9: nothing of it goes on, and the broker notices.
    pub(super) async fn kill(self) {
        self.process.set(State::Dead);
        self.task.abort();
        let _ = self.task.await;
        // What it still had to settle is lost with it.
        let _ = self.transport.close().await;
        self.recorder.gone(&self.name);
    }

    /// SIGTERM.
    pub(super) async fn stop(self) {
        self.freeze(false);
        let _ = self.stop.send(());
        let ended = self.task.await;
        self.recorder.gone(&self.name);
        ended.expect("no worker panics").expect("no worker fails");
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// SIGSTOP, and SIGCONT.
    pub(super) fn freeze(&self, frozen: bool) {
        self.process
            .set(if frozen { State::Frozen } else { State::Alive });
    }

    /// The broker takes the connection for lost, and delivers again what was not settled.
    pub(super) async fn cut(&self) {
        let _ = self.transport.close().await;
    }
}
