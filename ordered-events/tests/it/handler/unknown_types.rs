//! A rolling deployment: the old version meets an event of a type that it does not know.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ordered_core::clock::Clock;
use ordered_core::protocol::Policy;
use ordered_core::store::Group;
use ordered_events::{
    Admin, Envelope, Handler, Key, MemoryBroker, MemoryStore, Publish, State, Worker,
    ordered_handler,
};
use serde::Deserialize;
use tokio::sync::oneshot;

type Log = Arc<Mutex<Vec<u64>>>;

#[derive(Deserialize)]
struct Event<P> {
    order_id: String,
    seq: u64,
    payload: P,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum OldPayload {
    OrderCreated,
    OrderShipped,
}

#[ordered_handler(key = "order_id", seq = "seq", group = "orders")]
async fn old_version(event: Event<OldPayload>, State(log): State<Log>) {
    let (OldPayload::OrderCreated | OldPayload::OrderShipped) = event.payload;
    assert_eq!(event.order_id, "a");
    log.lock().unwrap().push(event.seq);
}

#[ordered_handler(key = "order_id", seq = "seq", group = "orders")]
async fn new_version(event: Event<serde_json::Value>, State(log): State<Log>) {
    assert_eq!(
        (event.order_id.as_str(), event.payload.is_object()),
        ("a", true)
    );
    log.lock().unwrap().push(event.seq);
}

#[ordered_handler(key = "header:order", seq = "header:seq", id = "header:id")]
async fn of_headers(_event: OldPayload) {}

fn event(seq: u64, of_type: &str) -> Envelope {
    Envelope::new(format!(
        r#"{{"order_id":"a","seq":{seq},"event_id":"e{seq}","payload":{{"type":"{of_type}"}}}}"#
    ))
}

struct Fleet {
    store: MemoryStore,
    broker: MemoryBroker,
    log: Log,
}

impl Fleet {
    fn start(&self, handler: impl Handler) -> oneshot::Sender<()> {
        let worker = Worker::builder()
            .store(self.store.clone())
            .transport(self.broker.consumer())
            .handler(handler)
            .state(Arc::clone(&self.log))
            .build()
            .unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(worker.run_until(async {
            let _ = stopped.await;
        }));
        stop
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_of_an_unknown_type_waits_in_its_place_for_a_newer_version() {
    let fleet = Fleet {
        store: MemoryStore::with_clock(Clock::tokio()),
        broker: MemoryBroker::new(),
        log: Log::default(),
    };
    let events = vec![
        event(1, "OrderCreated"),
        event(2, "Refunded"),
        event(3, "OrderShipped"),
    ];
    fleet.broker.publish(events).await.unwrap();
    let old = fleet.start(old_version);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(*fleet.log.lock().unwrap(), [1]);
    assert_eq!(fleet.broker.dead_letters().len(), 0);
    assert_eq!(fleet.broker.backlog(), 0, "both are held");
    let group = Group::new("orders", Policy::default());
    let admin = Admin::new(Arc::new(fleet.store.clone()));
    let key = Key::new("a").unwrap();
    let view = admin.inspect(&group, &key).await.unwrap().unwrap();
    assert_eq!((view.phase.as_str(), view.last_seq), ("backing_off", 1));
    let error = view.last_error.unwrap().error;
    assert!(
        error.contains("cannot read the event") && error.contains("Refunded"),
        "{error}"
    );
    // A worker of the newer version comes, and the old one goes.
    let new = fleet.start(new_version);
    let _ = old.send(());
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(*fleet.log.lock().unwrap(), [1, 2, 3]);
    drop(new);
}

#[test]
fn the_place_of_an_unreadable_event() {
    let place = |body: &str| {
        let place = old_version.place(&Envelope::new(body.to_owned()))?;
        Some((place.key.to_string(), place.seq.get(), place.id.to_string()))
    };
    let there = r#"{"order_id":"a","seq":2,"event_id":"e","payload":7}"#;
    assert_eq!(place(there), Some(("a".into(), 2, "e".into())));
    for nowhere in [
        r#"{"order_id":"a","payload":7}"#,
        r#"{"order_id":"","seq":2}"#,
        r#"{"order_id":"a","seq":-1}"#,
        "no JSON",
        "",
    ] {
        assert_eq!(place(nowhere), None, "{nowhere}");
    }
    let mut envelope = Envelope::new("no JSON");
    for (name, value) in [("order", "a"), ("seq", "7"), ("id", "x")] {
        envelope.headers.insert(name.into(), value.into());
    }
    let beside = of_headers.place(&envelope).unwrap();
    assert_eq!((beside.key.as_str(), beside.seq.get()), ("a", 7));
}
