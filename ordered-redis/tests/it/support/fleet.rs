//! Workers of one group over a broker in memory. A test decides which events wait or fail in their handler, and sees
//! every run and every delivery.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use ordered_core::event::{Envelope, EventId, Key, Seq};
use ordered_core::handler::{Context, Decoded, Handler, HandlerError, HandlerOptions, Malformed};
use ordered_core::store::{Group, Store};
use ordered_core::transport::{MemoryBroker, Publish};
use ordered_core::worker::{Worker, WorkerBuilder, WorkerError, WorkerEvent};
use ordered_testkit::{eventually_within, unique};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// How long a recovery may take on a machine that is busy with other things.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);
pub(crate) const LEASE: Duration = Duration::from_millis(900);
pub(crate) const HEARTBEAT: Duration = Duration::from_millis(300);
pub(crate) const SWEEP: Duration = Duration::from_millis(100);

/// An event, as a test names it.
pub(crate) type Name = (String, u64);

pub(crate) fn name(key: &str, seq: u64) -> Name {
    (key.to_owned(), seq)
}

/// A run of the handler.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) worker: String,
    pub(crate) event: Name,
    pub(crate) fence: u64,
    pub(crate) is_done: bool,
}

/// What happened so far.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// Every run, in the order in which they began.
    pub(crate) runs: Vec<Run>,
    /// Which worker committed which event, in that order.
    pub(crate) commits: Vec<(String, Name)>,
    /// How often each event was delivered.
    pub(crate) deliveries: HashMap<Name, u32>,
    /// How often each event is still to fail.
    fails: HashMap<Name, u32>,
}

#[derive(Clone)]
struct FleetHandler {
    options: HandlerOptions,
    record: Arc<Mutex<Record>>,
    blocked: watch::Sender<HashSet<Name>>,
}

impl Handler for FleetHandler {
    type Event = ();

    fn options(&self) -> HandlerOptions {
        self.options.clone()
    }

    fn decode(&self, envelope: &Envelope) -> Result<Decoded<()>, Malformed> {
        let text =
            std::str::from_utf8(&envelope.body).map_err(|error| Malformed(error.to_string()))?;
        let (key, seq) = text.split_once(' ').ok_or(Malformed("no seq".into()))?;
        let seq: u64 = seq.parse().map_err(|_| Malformed("no number".into()))?;
        Ok(Decoded {
            key: Key::new(key)?,
            seq: Seq::new(seq)?,
            id: EventId::new(format!("{key}-{seq}"))?,
            event: (),
        })
    }

    async fn call(&self, (): (), context: Context) -> Result<(), HandlerError> {
        let event = name(context.key().as_str(), context.seq().get());
        let number = {
            let mut record = self.record.lock().unwrap();
            record.runs.push(Run {
                worker: context.worker().as_str().to_owned(),
                event: event.clone(),
                fence: context.fence().0,
                is_done: false,
            });
            record.runs.len() - 1
        };
        let mut blocked = self.blocked.subscribe();
        let free = blocked.wait_for(|blocked| !blocked.contains(&event)).await;
        drop(free);
        let mut record = self.record.lock().unwrap();
        if let Some(fails @ 1..) = record.fails.get_mut(&event) {
            *fails -= 1;
            return Err(HandlerError::transient("as the test wants"));
        }
        record.runs[number].is_done = true;
        Ok(())
    }
}

/// A group, its broker, and what its workers do.
pub(crate) struct Fleet {
    pub(crate) group: Group,
    pub(crate) options: HandlerOptions,
    broker: MemoryBroker,
    record: Arc<Mutex<Record>>,
    blocked: watch::Sender<HashSet<Name>>,
}

/// A worker that runs.
pub(crate) struct Member {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), WorkerError>>,
}

impl Fleet {
    pub(crate) fn new(text: &str) -> Self {
        let group = unique(text);
        Self {
            options: HandlerOptions::new(&group),
            group: Group::new(&group, Default::default()),
            broker: MemoryBroker::new(),
            record: Arc::default(),
            blocked: watch::Sender::default(),
        }
    }

    /// Starts a worker with a name that begins with this.
    pub(crate) fn start(
        &self,
        worker: &str,
        store: impl Store,
        set: impl FnOnce(WorkerBuilder) -> WorkerBuilder,
    ) -> Member {
        let (record, me) = (Arc::clone(&self.record), unique(worker));
        let builder = Worker::builder()
            .id(&me)
            .store(store)
            .transport(self.broker.consumer())
            .handler(FleetHandler {
                options: self.options.clone(),
                record: Arc::clone(&self.record),
                blocked: self.blocked.clone(),
            })
            .lease(LEASE)
            .heartbeat(HEARTBEAT)
            .sweep_interval(SWEEP)
            .observe(move |worker_event| observe(&record, &me, worker_event));
        let worker = set(builder).build().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(worker.run_until(async move {
            let _ = stopped.await;
        }));
        Member { stop, task }
    }

    pub(crate) async fn publish(&self, key: &str, seqs: impl IntoIterator<Item = u64>) {
        let events = seqs
            .into_iter()
            .map(|seq| Envelope::new(format!("{key} {seq}")));
        self.broker.publish(events.collect()).await.unwrap();
    }

    /// From now on the handler of the event waits.
    pub(crate) fn block(&self, key: &str, seq: u64) {
        self.blocked
            .send_modify(|blocked| _ = blocked.insert(name(key, seq)));
    }

    pub(crate) fn unblock(&self, key: &str, seq: u64) {
        self.blocked
            .send_modify(|blocked| _ = blocked.remove(&name(key, seq)));
    }

    /// The next runs of the event fail.
    pub(crate) fn fail(&self, key: &str, seq: u64, times: u32) {
        self.record().fails.insert(name(key, seq), times);
    }

    pub(crate) fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap()
    }

    /// How many deliveries the broker waits for.
    pub(crate) fn backlog(&self) -> usize {
        self.broker.backlog()
    }

    /// Waits until it is so, and says how long it took.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Record) -> bool) -> Duration {
        let began = Instant::now();
        eventually_within(TIMEOUT, what, async || holds(&self.record())).await;
        began.elapsed()
    }

    /// Waits until the events of the key are committed up to this one, and says how long it took.
    pub(crate) async fn commits(&self, key: &str, seq: u64) -> Duration {
        let what = format!("{key} is committed up to {seq}");
        self.until(&what, |record| record.last_commit(key) == seq)
            .await
    }

    /// Waits until the handler of the event runs.
    pub(crate) async fn begins(&self, key: &str, seq: u64) {
        let what = format!("the handler of {key} {seq} begins");
        let event = name(key, seq);
        self.until(&what, |record| {
            record.runs.iter().any(|run| run.event == event)
        })
        .await;
    }
}

fn observe(record: &Mutex<Record>, me: &str, worker_event: &WorkerEvent<'_>) {
    let mut record = record.lock().unwrap();
    match worker_event {
        WorkerEvent::Received { event, .. } => {
            let event = name(event.key.as_str(), event.seq.get());
            *record.deliveries.entry(event).or_default() += 1;
        }
        WorkerEvent::Committed { event, .. } => {
            let event = name(event.key.as_str(), event.seq.get());
            record.commits.push((me.to_owned(), event));
        }
        _ => {}
    }
}

impl Record {
    /// The last event of the key that was committed; 0 if none was.
    pub(crate) fn last_commit(&self, key: &str) -> u64 {
        self.commits_of(key).last().copied().unwrap_or(0)
    }

    /// The committed seqs of a key, in order.
    pub(crate) fn commits_of(&self, key: &str) -> Vec<u64> {
        let commits = self.commits.iter().filter(|(_, (there, _))| there == key);
        commits.map(|(_, (_, seq))| *seq).collect()
    }

    /// The runs of the events of a key, in order.
    pub(crate) fn runs_of(&self, key: &str) -> Vec<&Run> {
        self.runs.iter().filter(|run| run.event.0 == key).collect()
    }

    /// No run of the key has a lower fence than one before it.
    pub(crate) fn assert_fences_rise(&self, key: &str) {
        let runs = self.runs_of(key);
        let rise = runs.is_sorted_by_key(|run| run.fence);
        assert!(rise, "the fences of {key} fall: {runs:#?}");
    }
}

impl Member {
    pub(crate) fn is_over(&self) -> bool {
        self.task.is_finished()
    }

    /// Ends it in the middle of what it does, as a crash would.
    pub(crate) async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.is_err(), "it had ended before");
    }

    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        self.task.await.unwrap().unwrap();
    }

    /// Why it ended by itself.
    pub(crate) async fn error(self) -> WorkerError {
        let ended = tokio::time::timeout(TIMEOUT, self.task).await;
        ended.expect("the worker ends").unwrap().unwrap_err()
    }
}
