//! Several groups, queues and transports in one process.

mod refused;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use ordered_core::clock::Clock;
use ordered_core::transport::{
    ConsumeOptions, Delivery, MemoryTransport, Settlement, TransportError,
};
use ordered_events::{
    App, AppError, Context, Envelope, HandlerError, MemoryBroker, MemoryStore, Next, Publish,
    State, Transport, WorkerError, ordered_handler,
};
use serde::Deserialize;
use tokio::sync::{Notify, oneshot};

/// What was handled, by whom.
type Log = Arc<Mutex<Vec<(&'static str, String, u64)>>>;

#[derive(Deserialize)]
struct Event {
    key: String,
    seq: u64,
}

#[ordered_handler(key = "key", seq = "seq")]
async fn apply_order(event: Event, State(log): State<Log>) {
    log.lock().unwrap().push(("order", event.key, event.seq));
}

#[ordered_handler(key = "key", seq = "seq")]
async fn apply_payment(event: Event, State(log): State<Log>) {
    log.lock().unwrap().push(("payment", event.key, event.seq));
}

/// Takes its time.
#[ordered_handler(key = "key", seq = "seq")]
async fn slow(event: Event, State(log): State<Log>, State(begun): State<Arc<Notify>>) {
    begun.notify_one();
    tokio::time::sleep(Duration::from_secs(3)).await;
    log.lock().unwrap().push(("slow", event.key, event.seq));
}

fn event(seq: u64) -> Envelope {
    Envelope::new(format!(r#"{{"key": "a", "seq": {seq}}}"#))
}

async fn queue_of(events: u64) -> MemoryBroker {
    let broker = MemoryBroker::new();
    // The last first.
    let events = (1..=events).rev().map(event);
    broker.publish(events.collect()).await.unwrap();
    broker
}

fn store() -> MemoryStore {
    MemoryStore::with_clock(Clock::tokio())
}

async fn settled(brokers: &[&MemoryBroker]) {
    let settled = async {
        while brokers.iter().any(|broker| broker.backlog() > 0) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(60), settled).await;
    in_time.expect("the queues are empty in the end");
}

/// What one handler did, in order.
fn by(log: &Log, handler: &str) -> Vec<u64> {
    let log = log.lock().unwrap();
    let of_handler = log.iter().filter(|(by, ..)| *by == handler);
    of_handler.map(|(.., seq)| *seq).collect()
}

#[tokio::test(start_paused = true)]
async fn two_groups_share_a_store_and_have_positions_of_their_own() {
    let (orders, payments, log) = (queue_of(20).await, queue_of(10).await, Log::default());
    let app = App::new()
        .store(store())
        .state(Arc::clone(&log))
        .handler(orders.consumer(), apply_order)
        .handler_with(payments.consumer(), apply_payment, |worker| {
            worker.group("payments").concurrency(1)
        });
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(app.run_until(async {
        let _ = stopped.await;
    }));
    settled(&[&orders, &payments]).await;
    stop.send(()).unwrap();
    running.await.unwrap().unwrap();
    assert_eq!(by(&log, "order"), (1..=20).collect::<Vec<_>>());
    assert_eq!(by(&log, "payment"), (1..=10).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn queues_by_their_names_are_on_the_broker_of_the_app() {
    let url = format!("memory://{}", ordered_testkit::unique("app"));
    let log = Log::default();
    let app = App::connect(&url, &url).await.unwrap();
    let app = app
        .state(Arc::clone(&log))
        .queue("orders", apply_order)
        .queue("payments", apply_payment);
    for (queue, events) in [("orders", 3), ("payments", 2)] {
        let publisher = ordered_events::publisher(&url, queue).await.unwrap();
        let events = (1..=events).map(event).collect();
        publisher.publish(events).await.unwrap();
    }
    let done = async {
        while log.lock().unwrap().len() < 5 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    app.run_until(done).await.unwrap();
    assert_eq!(by(&log, "order"), [1, 2, 3]);
    assert_eq!(by(&log, "payment"), [1, 2]);
}

/// A transport that fails permanently when it is told to.
struct Failing {
    inner: MemoryTransport,
    fails: Arc<Notify>,
}

#[async_trait]
impl Transport for Failing {
    async fn start(&self, options: ConsumeOptions) -> Result<(), TransportError> {
        self.inner.start(options).await
    }

    async fn receive(&self, max: usize) -> Result<Vec<Delivery>, TransportError> {
        tokio::select! {
            () = self.fails.notified() => Err(TransportError::fatal("the queue was deleted")),
            received = self.inner.receive(max) => received,
        }
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<(), TransportError> {
        self.inner.settle(settlements).await
    }

    async fn close(&self) -> Result<(), TransportError> {
        self.inner.close().await
    }
}

#[tokio::test(start_paused = true)]
async fn the_error_of_one_ends_all_in_order() {
    let (broken, other, log) = (MemoryBroker::new(), queue_of(1).await, Log::default());
    let (fails, begun) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let failing = Failing {
        inner: broken.consumer(),
        fails: Arc::clone(&fails),
    };
    let workers = App::new()
        .store(store())
        .state(Arc::clone(&log))
        .state(Arc::clone(&begun))
        .handler(failing, apply_order)
        .handler(other.consumer(), slow)
        .build()
        .await
        .unwrap();
    let health = workers.health();
    let running = tokio::spawn(workers.run_until(std::future::pending()));
    begun.notified().await;
    fails.notify_one();
    let error = running.await.unwrap().unwrap_err();
    assert_eq!(error.group, "apply_order");
    assert!(matches!(error.error, WorkerError::Transport(_)));
    let said = AppError::from(error).to_string();
    assert_eq!(
        said,
        "group `apply_order`: the transport: the queue was deleted"
    );
    // The handler that ran was finished, and what it did is committed.
    assert_eq!(by(&log, "slow"), [1]);
    assert_eq!(other.backlog(), 0);
    assert!(health.iter().all(|health| !health.report().is_live()));
}

#[tokio::test(start_paused = true)]
async fn every_worker_is_given_the_middleware() {
    type Around = Arc<Mutex<Vec<String>>>;

    async fn noted(context: Context, next: Next) -> Result<(), HandlerError> {
        let around = context.states().get::<Around>().unwrap().clone();
        let outcome = next.run().await;
        around.lock().unwrap().push(context.group().to_owned());
        outcome
    }

    let (orders, payments) = (queue_of(1).await, queue_of(1).await);
    let around = Around::default();
    let app = App::new()
        .store(store())
        .state(Log::default())
        .state(Arc::clone(&around))
        .worker(|worker| worker.middleware(noted))
        .handler(orders.consumer(), apply_order)
        .handler(payments.consumer(), apply_payment);
    app.run_until(settled(&[&orders, &payments])).await.unwrap();
    let mut around = around.lock().unwrap().clone();
    around.sort();
    assert_eq!(around, ["apply_order", "apply_payment"]);
}
