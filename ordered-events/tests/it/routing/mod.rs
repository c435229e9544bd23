//! Several handlers for the events of one queue, chosen by the type of the event.

mod beginning;
mod unhandled;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ordered_core::clock::Clock;
use ordered_core::protocol::{KeyView, Policy};
use ordered_core::store::Group;
use ordered_core::transport::Faults;
use ordered_events::{
    Admin, Context, Envelope, Handler, HandlerError, Key, MemoryBroker, MemoryStore, Publish,
    Router, State, Worker, WorkerBuilder, WorkerError, ordered_handler,
};
use serde::Deserialize;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Which handler ran: key, seq, and its name.
type Log = Arc<Mutex<Vec<(String, u64, &'static str)>>>;

#[derive(Deserialize)]
struct Created {
    amount: u64,
}

#[derive(Deserialize)]
struct Shipped {
    carrier: String,
}

#[derive(Deserialize)]
struct Event<P> {
    order_id: String,
    seq: u64,
    payload: P,
}

#[ordered_handler(key = "order_id", seq = "seq", on = "OrderCreated")]
async fn order_created(event: Event<Created>, State(log): State<Log>, context: Context) {
    assert_eq!(event.payload.amount, 5);
    assert_eq!(context.group(), "orders");
    let mut log = log.lock().unwrap();
    log.push((event.order_id, event.seq, "created"));
}

#[ordered_handler(key = "order_id", seq = "seq", on = ["OrderShipped", "OrderSent"])]
async fn order_shipped(event: Event<Shipped>, State(log): State<Log>) -> Result<(), HandlerError> {
    assert_eq!(event.payload.carrier, "post");
    let mut log = log.lock().unwrap();
    log.push((event.order_id, event.seq, "shipped"));
    Ok(())
}

/// A handler that names no types.
#[ordered_handler(key = "order_id", seq = "seq", group = "orders")]
async fn any_order(event: Event<serde_json::Value>, State(log): State<Log>) {
    assert!(event.payload.is_object());
    log.lock().unwrap().push((event.order_id, event.seq, "any"));
}

fn orders() -> Router {
    Router::new()
        .group("orders")
        .handler(order_created)
        .handler(order_shipped)
}

fn event(key: &str, seq: u64, of_type: &str) -> Envelope {
    let content = match of_type {
        "OrderCreated" => r#""amount": 5"#,
        _ => r#""carrier": "post""#,
    };
    Envelope::new(format!(
        r#"{{"order_id":"{key}","seq":{seq},"payload":{{"type":"{of_type}",{content}}}}}"#
    ))
}

struct Fixture {
    store: MemoryStore,
    broker: MemoryBroker,
    log: Log,
}

struct Running {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), WorkerError>>,
}

impl Running {
    async fn stop(self) {
        let _ = self.stop.send(());
        self.task.await.unwrap().unwrap();
    }
}

impl Fixture {
    fn new(faults: Faults) -> Self {
        Self {
            store: MemoryStore::with_clock(Clock::tokio()),
            broker: MemoryBroker::with_faults(faults),
            log: Log::default(),
        }
    }

    async fn publish(&self, events: Vec<Envelope>) {
        self.broker.publish(events).await.unwrap();
    }

    fn worker(&self, handler: impl Handler) -> WorkerBuilder {
        Worker::builder()
            .store(self.store.clone())
            .transport(self.broker.consumer())
            .handler(handler)
            .state(Arc::clone(&self.log))
    }

    fn start(&self, handler: impl Handler) -> Running {
        self.run(self.worker(handler))
    }

    fn run(&self, worker: WorkerBuilder) -> Running {
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(worker.run_until(async {
            let _ = stopped.await;
        }));
        Running { stop, task }
    }

    /// Waits, in paused time, until the queue is empty.
    async fn settled(&self) {
        let settled = async {
            while self.broker.backlog() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(600), settled).await;
        in_time.expect("the queue is empty in the end");
    }

    fn handled(&self, key: &str) -> Vec<(u64, &'static str)> {
        let log = self.log.lock().unwrap();
        let of_key = log.iter().filter(|(of_key, ..)| of_key == key);
        of_key.map(|(_, seq, by)| (*seq, *by)).collect()
    }

    async fn view(&self, key: &str) -> KeyView {
        let admin = Admin::new(Arc::new(self.store.clone()));
        let group = Group::new("orders", Policy::default());
        let view = admin.inspect(&group, &Key::new(key).unwrap()).await;
        view.unwrap().unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn the_events_of_a_key_have_one_order_whichever_handler_they_are_for() {
    let fixture = Fixture::new(Faults {
        seed: 7,
        shuffle: 20,
        duplicate: 20,
        delay: Duration::from_millis(200),
        ..Faults::default()
    });
    let of_type = |seq: u64| match seq % 3 {
        0 => "OrderCreated",
        1 => "OrderShipped",
        _ => "OrderSent",
    };
    let keys: Vec<String> = (0..10).map(|number| format!("order-{number}")).collect();
    for key in &keys {
        let events = (1..=20).map(|seq| event(key, seq, of_type(seq)));
        fixture.publish(events.collect()).await;
    }
    let workers = [fixture.start(orders()), fixture.start(orders())];
    fixture.settled().await;
    for worker in workers {
        worker.stop().await;
    }
    let expected: Vec<_> = (1..=20)
        .map(|seq| match of_type(seq) {
            "OrderCreated" => (seq, "created"),
            _ => (seq, "shipped"),
        })
        .collect();
    for key in &keys {
        assert_eq!(fixture.handled(key), expected, "{key}");
    }
    assert_eq!(fixture.broker.dead_letters().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn runs_of_several_events_go_to_each_handler_in_its_turn() {
    /// How many came together.
    type Runs = Arc<Mutex<Vec<(&'static str, Vec<u64>)>>>;

    #[derive(Deserialize)]
    struct Step {
        seq: u64,
    }

    #[ordered_handler(key = "/key", seq = "seq", group = "steps", batch = 10, on = "a")]
    async fn of_a(steps: Vec<Step>, State(runs): State<Runs>) {
        let seqs = steps.iter().map(|step| step.seq).collect();
        runs.lock().unwrap().push(("a", seqs));
    }

    #[ordered_handler(key = "/key", seq = "seq", group = "steps", batch = 10, on = "b")]
    async fn of_b(steps: Vec<Step>, State(runs): State<Runs>, context: Context) {
        let seqs: Vec<u64> = steps.iter().map(|step| step.seq).collect();
        assert_eq!(context.seqs(), seqs[0]..=seqs[seqs.len() - 1]);
        runs.lock().unwrap().push(("b", seqs));
    }

    let fixture = Fixture::new(Faults::default());
    let step = |(seq, of_type): (u64, &str)| {
        Envelope::new(format!(r#"{{"key":"k","seq":{seq},"type":"{of_type}"}}"#))
    };
    // The first comes last, so that the others are there together.
    let events = [(2, "a"), (3, "b"), (4, "b"), (5, "a"), (6, "a"), (1, "a")];
    fixture.publish(events.map(step).to_vec()).await;
    let runs = Runs::default();
    let router = Router::new().handler(of_a).handler(of_b);
    let worker = fixture.run(fixture.worker(router).state(Arc::clone(&runs)));
    fixture.settled().await;
    worker.stop().await;
    let mut by_handler = BTreeMap::<_, Vec<u64>>::new();
    let runs = runs.lock().unwrap();
    for (by, seqs) in runs.iter() {
        by_handler.entry(*by).or_default().extend(seqs);
    }
    assert_eq!(by_handler["a"], [1, 2, 5, 6]);
    assert_eq!(by_handler["b"], [3, 4]);
    let all: Vec<u64> = runs.iter().flat_map(|(_, seqs)| seqs.clone()).collect();
    assert_eq!(all, [1, 2, 3, 4, 5, 6]);
    assert!(runs.contains(&("b", vec![3, 4])), "{runs:?}");
}
