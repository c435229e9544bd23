//! A whole worker in a test: events go in, and what happened to them comes out.

mod idle;
mod report;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use ordered_core::admin::Admin;
use ordered_core::clock::Clock;
use ordered_core::event::{Envelope, Key};
use ordered_core::handler::Handler;
use ordered_core::store::{Group, MemoryStore};
use ordered_core::transport::{MemoryBroker, Publish};
use ordered_core::worker::{Worker, WorkerBuilder, WorkerEvent};
use tokio::time::Instant;

pub use report::{TestDeadLetter, TestReport};

/// How long a run may take: beyond the hour for which an event whose handler fails is tried by default.
const TIMEOUT: Duration = Duration::from_secs(2 * 60 * 60);

/// A worker over a store and a broker in memory.
///
/// Put it into a test with paused time, `#[tokio::test(start_paused = true)]`, with the feature `test-util` of tokio:
/// backoffs, gaps and timeouts then take no time. It works without, and takes as long as they do.
///
/// ```
/// # use ordered_core::event::{Envelope, EventId, Key, Seq};
/// # use ordered_core::handler::{Context, Decoded, Handler, HandlerError, HandlerOptions, Malformed};
/// # struct ApplyOrder;
/// # impl Handler for ApplyOrder {
/// #     type Event = ();
/// #     fn options(&self) -> HandlerOptions { HandlerOptions::new("orders") }
/// #     fn decode(&self, envelope: &Envelope) -> Result<Decoded<()>, Malformed> {
/// #         let seq: u64 = std::str::from_utf8(&envelope.body).unwrap().parse().map_err(|_| Malformed("no seq".into()))?;
/// #         Ok(Decoded { key: Key::new("order-1")?, seq: Seq::new(seq)?, id: EventId::new(seq.to_string())?, event: () })
/// #     }
/// #     async fn call(&self, (): (), _: Context) -> Result<(), HandlerError> { Ok(()) }
/// # }
/// # let apply_order = ApplyOrder;
/// # let event = |seq: u64| seq.to_string();
/// use ordered_testkit::TestWorker;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let report = TestWorker::new(apply_order)
///     .publish(event(2))
///     .publish(event(1))
///     .publish(event(1))
///     .publish(event(4))
///     .run_until_idle()
///     .await;
/// assert_eq!(report.handled("order-1"), [1, 2]);
/// assert_eq!(report.held("order-1"), [4]);
/// # });
/// ```
#[must_use = "nothing is handled before it runs"]
pub struct TestWorker<H> {
    handler: Arc<H>,
    changes: Vec<Box<dyn Fn(WorkerBuilder) -> WorkerBuilder + Send>>,
    store: MemoryStore,
    broker: MemoryBroker,
    published: Vec<Envelope>,
    seen: Arc<Mutex<Seen>>,
    timeout: Duration,
}

/// What the worker has told.
#[derive(Default)]
struct Seen {
    keys: BTreeSet<Key>,
    /// Key and seq, in order.
    committed: Vec<(String, u64)>,
    duplicates: Vec<(String, u64)>,
    occurrences: u64,
}

impl<H: Handler> TestWorker<H> {
    /// A worker with this handler, which may be a router of several.
    pub fn new(handler: H) -> Self {
        Self {
            handler: Arc::new(handler),
            changes: Vec::new(),
            store: MemoryStore::with_clock(Clock::tokio()),
            broker: MemoryBroker::new(),
            published: Vec::new(),
            seen: Arc::default(),
            timeout: TIMEOUT,
        }
    }

    /// Application state for the handler; one value per type.
    pub fn state<T: Clone + Send + Sync + 'static>(self, value: T) -> Self {
        self.worker(move |worker| worker.state(value.clone()))
    }

    /// What the worker is given besides: options, middleware, observers. Store and transport are the test's.
    pub fn worker(
        mut self,
        change: impl Fn(WorkerBuilder) -> WorkerBuilder + Send + 'static,
    ) -> Self {
        self.changes.push(Box::new(change));
        self
    }

    /// Puts an event with this body into the queue: commonly JSON, as text. The queue delivers in the order of these
    /// calls.
    pub fn publish(self, body: impl Into<Bytes>) -> Self {
        self.publish_envelope(Envelope::new(body))
    }

    /// The same, of an event with headers.
    pub fn publish_envelope(mut self, event: Envelope) -> Self {
        self.published.push(event);
        self
    }

    /// How long a run may take at the most. Default: two hours.
    pub fn timeout(mut self, longest: Duration) -> Self {
        self.timeout = longest;
        self
    }

    /// Runs a worker until there is nothing to do for it: the queue is empty, nothing waits to be tried again, and no
    /// key waits for the end of its `gap_timeout`. A key may be halted, and may wait for an event that has not come.
    /// Can be called again after more events were published: the state of the keys stays.
    ///
    /// # Panics
    /// When the worker cannot be built or ends with an error, and when it is not idle after its
    /// [`timeout`](Self::timeout).
    pub async fn run_until_idle(&mut self) -> TestReport {
        let published = std::mem::take(&mut self.published);
        let taken = self.broker.publish(published).await;
        taken.expect("a queue in memory takes everything");
        let seen = Arc::clone(&self.seen);
        let worker = Worker::builder()
            .store(self.store.clone())
            .transport(self.broker.consumer())
            .handler(Arc::clone(&self.handler))
            .observe(move |worker_event| lock(&seen).note(worker_event));
        let changes = self.changes.iter();
        let worker = changes.fold(worker, |worker, change| change(worker));
        let worker = worker
            .build()
            .unwrap_or_else(|error| panic!("the worker cannot be built: {error}"));
        let group = Group::new(&worker.options().group, worker.options().policy.clone());
        let until = Instant::now() + self.timeout;
        let (idle, timeout) = (idle::wait(self, group.clone(), until), self.timeout);
        let ended = worker.run_until(async {
            if let Err(why) = idle.await {
                panic!("the worker is not idle after {timeout:?}: {why}");
            }
        });
        ended
            .await
            .unwrap_or_else(|error| panic!("the worker has ended: {error}"));
        self.report(&group).await
    }

    async fn report(&self, group: &Group) -> TestReport {
        let keys = lock(&self.seen).keys.clone();
        let admin = self.admin();
        let mut views = Vec::with_capacity(keys.len());
        for key in &keys {
            let view = admin.inspect(group, key).await;
            views.extend(view.expect("a store in memory answers"));
        }
        let seen = lock(&self.seen);
        TestReport::new(
            seen.committed.clone(),
            seen.duplicates.clone(),
            views,
            self.broker.dead_letters(),
        )
    }

    fn admin(&self) -> Admin {
        Admin::new(Arc::new(self.store.clone()))
    }
}

impl Seen {
    fn note(&mut self, worker_event: &WorkerEvent<'_>) {
        self.occurrences += 1;
        match worker_event {
            WorkerEvent::Received { event, .. } => {
                self.keys.insert(event.key.clone());
            }
            WorkerEvent::Controlled { key, .. } => {
                self.keys.insert((*key).clone());
            }
            WorkerEvent::Committed { event, .. } => {
                let place = (event.key.to_string(), event.seq.get());
                self.committed.push(place);
            }
            WorkerEvent::Duplicate { event } => {
                let place = (event.key.to_string(), event.seq.get());
                self.duplicates.push(place);
            }
            _ => {}
        }
    }
}

/// A panic of the observer is caught by the worker, and leaves what was noted.
fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
