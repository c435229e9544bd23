//! A worker over a store and a broker in memory, with a database of its own.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use deadpool_postgres::{Manager, Pool, Runtime};
use ordered_core::event::{Envelope, EventId, Key, Seq};
use ordered_core::handler::{Context, ContextParts, Handler, States};
use ordered_core::protocol::{Fence, WorkerId};
use ordered_core::store::{
    Exchange, Group, Heartbeat, MemoryStore, Request, Session, Store, StoreError, WrapStore,
};
use ordered_core::transport::{MemoryBroker, Publish};
use ordered_core::worker::{Worker, WorkerBuilder, WorkerError};
use ordered_postgres::inbox::Inbox;
use ordered_postgres::inbox::TokioPostgres;
use ordered_testkit::{eventually, unique};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};

use crate::support::{connect, database};

/// Long enough for a machine that is busy, short enough for a test that waits for it.
pub(crate) const LEASE: Duration = Duration::from_millis(600);

/// What a handler of these tests takes.
#[derive(serde::Deserialize)]
pub(crate) struct Step {
    pub(crate) key: String,
    pub(crate) seq: i64,
}

pub(crate) fn event(key: &str, seq: u64) -> Envelope {
    let id = format!("{key}-{seq}");
    Envelope::new(format!(
        r#"{{"key": "{key}", "seq": {seq}, "event_id": "{id}"}}"#
    ))
}

pub(crate) fn pool(url: &str, connections: usize) -> Pool {
    let manager = Manager::new(url.parse().unwrap(), NoTls);
    Pool::builder(manager)
        .max_size(connections)
        .runtime(Runtime::Tokio1)
        .build()
        .unwrap()
}

pub(crate) struct Fixture {
    pub(crate) url: String,
    pub(crate) group: String,
    pub(crate) broker: MemoryBroker,
    pub(crate) store: MemoryStore,
    pub(crate) inbox: Inbox<TokioPostgres>,
    /// Looks on.
    pub(crate) client: Client,
}

impl Fixture {
    /// With the tables of `ordered`, and one in which handlers write down what they do, as often as they do it.
    pub(crate) async fn new() -> Self {
        let url = database().await;
        let client = connect(&url).await;
        let effects = "create table effects (key text, seq bigint)";
        client.batch_execute(effects).await.unwrap();
        Self {
            inbox: Inbox::open(pool(&url, 8)).await.unwrap(),
            group: unique("inbox"),
            broker: MemoryBroker::new(),
            store: MemoryStore::new(),
            client,
            url,
        }
    }

    pub(crate) async fn publish(&self, keys: u64, seqs: std::ops::RangeInclusive<u64>) {
        let all = seqs.flat_map(|seq| (0..keys).map(move |key| event(&format!("k{key}"), seq)));
        self.broker.publish(all.collect()).await.unwrap();
    }

    pub(crate) fn worker(&self, name: &str, handler: impl Handler) -> WorkerBuilder {
        Worker::builder()
            .store(self.store.clone())
            .transport(self.broker.consumer())
            .handler(handler)
            .group(&self.group)
            .state(self.inbox.clone())
            .id(name)
            .concurrency(4)
            .lease(LEASE)
            .sweep_interval(Duration::from_millis(100))
            .lane_backoff(Duration::from_millis(20))
            .backoff(ordered_core::handler::Backoff {
                base: Duration::from_millis(5),
                cap: Duration::from_millis(20),
            })
    }

    /// How often each effect is there, by key and seq.
    pub(crate) async fn effects(&self) -> BTreeMap<(String, i64), i64> {
        let sql = "select key, seq, count(*) from effects group by key, seq";
        let rows = self.client.query(sql, &[]).await.unwrap();
        rows.iter()
            .map(|row| ((row.get(0), row.get(1)), row.get(2)))
            .collect()
    }

    /// The last seq of a key in `ordered_progress`, 0 where it has no row.
    pub(crate) async fn recorded(&self, key: &str) -> i64 {
        let sql = "select last_seq from ordered_progress where group_name = $1 and key = $2";
        let row = self.client.query_opt(sql, &[&self.group, &key]).await;
        row.unwrap().map_or(0, |row| row.get(0))
    }

    pub(crate) async fn settled(&self) {
        eventually("everything is settled", async || self.broker.backlog() == 0).await;
    }

    /// Every effect of these is there, once.
    pub(crate) async fn assert_once(&self, keys: u64, events: i64) {
        let all =
            (0..keys).flat_map(|key| (1..=events).map(move |seq| ((format!("k{key}"), seq), 1)));
        assert_eq!(self.effects().await, all.collect());
    }

    /// The context of a run without a worker.
    pub(crate) fn context(&self, key: &str, seq: u64, fence: u64) -> Context {
        let mut states = States::default();
        states.insert(self.inbox.clone());
        Context::new(ContextParts {
            group: self.group.as_str().into(),
            worker: WorkerId::new("by hand"),
            key: Key::new(key).unwrap(),
            epoch: 0,
            seq: Seq::new(seq).unwrap(),
            id: EventId::new(format!("{key}-{seq}")).unwrap(),
            attempt: 1,
            fence: Fence(fence),
            received_at: 0,
            envelope: event(key, seq),
            states: Arc::new(states),
        })
    }
}

pub(crate) struct Running {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), WorkerError>>,
}

impl Running {
    pub(crate) fn start(worker: WorkerBuilder) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let worker = worker.build().unwrap();
        let task = tokio::spawn(worker.run_until(async move {
            let _ = stopped.await;
        }));
        Self { stop, task }
    }

    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        self.task.await.unwrap().unwrap();
    }

    /// As a crash would.
    pub(crate) async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

/// A store whose wires can be cut.
#[derive(Clone)]
pub(crate) struct Wire {
    store: MemoryStore,
    pub(crate) beats: Arc<AtomicBool>,
    /// The saves that say that something was handled do not arrive.
    pub(crate) saves: Arc<AtomicBool>,
    pub(crate) cut_saves: Arc<Mutex<u64>>,
}

impl Wire {
    pub(crate) fn new(store: &MemoryStore) -> Self {
        Self {
            store: store.clone(),
            beats: Arc::new(AtomicBool::new(true)),
            saves: Arc::new(AtomicBool::new(true)),
            cut_saves: Arc::default(),
        }
    }
}

#[async_trait::async_trait]
impl WrapStore for Wire {
    type Inner = MemoryStore;

    fn inner(&self) -> &MemoryStore {
        &self.store
    }

    async fn exchange(
        &self,
        group: &Group,
        session: &Session,
        requests: &[Request],
    ) -> Result<Exchange, StoreError> {
        let saves = requests
            .iter()
            .filter(|request| matches!(request, Request::Save(save) if !save.remember.is_empty()));
        let saves = saves.count() as u64;
        if saves > 0 && !self.saves.load(Ordering::Relaxed) {
            *self.cut_saves.lock().unwrap() += saves;
            std::future::pending::<()>().await;
        }
        self.store.exchange(group, session, requests).await
    }

    async fn heartbeat(
        &self,
        group: &Group,
        session: &Session,
        lease: Duration,
    ) -> Result<Heartbeat, StoreError> {
        if !self.beats.load(Ordering::Relaxed) {
            return Err(StoreError::unavailable("the wire is cut"));
        }
        self.store.heartbeat(group, session, lease).await
    }
}
