//! Structs of the application's own as events.

use std::sync::{Arc, Mutex};

use ordered_core::store::MemoryStore;
use ordered_core::transport::MemoryBroker;
use ordered_core::worker::Worker;
use ordered_events::{Context, OrderedEvent, State, ordered_handler};
use ordered_postgres::{Outbox, PostgresErrorKind, Relay};
use ordered_testkit::eventually;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::support::{Running, connect, database};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, OrderedEvent)]
#[ordered(key = "order_id", event_type = "field:kind", id = "event_id")]
struct OrderEvent {
    order_id: String,
    kind: String,
    event_id: u64,
    #[ordered(header = "tenant")]
    tenant: u32,
    #[ordered(header = "coupon")]
    coupon: Option<String>,
}

/// Generic, of a tuple, and with nothing but the key.
#[derive(Serialize, OrderedEvent)]
#[ordered(key = "0", aggregate_type = "thing", crate = "ordered_events")]
struct Plain<T>(u64, T)
where
    T: Serialize;

fn placed(order_id: &str, event_id: u64, coupon: Option<&str>) -> OrderEvent {
    OrderEvent {
        order_id: order_id.into(),
        kind: "placed".into(),
        event_id,
        tenant: 7,
        coupon: coupon.map(str::to_owned),
    }
}

type Handled = Arc<Mutex<Vec<(OrderEvent, u64, String)>>>;

#[ordered_handler(
    key = "order_id",
    seq = "header:x-ordered-seq",
    id = "header:x-ordered-id",
    group = "orders"
)]
async fn apply(event: OrderEvent, context: Context, State(handled): State<Handled>) {
    let (seq, id) = (context.seq().get(), context.event_id().to_string());
    handled.lock().unwrap().push((event, seq, id));
}

#[tokio::test]
async fn the_struct_that_is_staged_is_the_struct_that_the_handler_reads() {
    let url = database().await;
    let mut client = connect(&url).await;
    let mut tx = client.transaction().await.unwrap();
    let first = placed("order-1", 11, Some("ten"));
    let staged = Outbox::stage(&mut tx, &first).await.unwrap();
    assert_eq!(
        (staged.key.as_str(), staged.seq.get(), staged.id.as_str()),
        ("order-1", 1, "11")
    );
    let more = [placed("order-1", 12, None), placed("order-2", 13, None)];
    let seqs = Outbox::stage_all(&mut tx, &more).await.unwrap();
    assert_eq!(seqs.map_seq(), [2, 1]);
    tx.commit().await.unwrap();

    let broker = MemoryBroker::new();
    let _relay = Running::start(Relay::builder(&url, Arc::new(broker.clone())));
    let handled = Handled::default();
    let worker = Worker::builder()
        .store(MemoryStore::new())
        .transport(broker.consumer())
        .handler(apply)
        .state(Arc::clone(&handled));
    let (stop, stopped) = oneshot::channel::<()>();
    let work = tokio::spawn(worker.run_until(async {
        let _ = stopped.await;
    }));
    eventually("all are handled", async || {
        handled.lock().unwrap().len() == 3
    })
    .await;
    drop(stop);
    work.await.unwrap().unwrap();
    let mut handled = handled.lock().unwrap().clone();
    handled.sort_by_key(|(event, ..)| event.event_id);
    let expected = [
        (first, 1, "11".to_owned()),
        (more[0].clone(), 2, "12".to_owned()),
        (more[1].clone(), 1, "13".to_owned()),
    ];
    assert_eq!(handled, expected);
}

trait Seqs {
    fn map_seq(&self) -> Vec<u64>;
}

impl Seqs for Vec<ordered_postgres::Staged> {
    fn map_seq(&self) -> Vec<u64> {
        self.iter().map(|staged| staged.seq.get()).collect()
    }
}

#[tokio::test]
async fn the_options_become_columns_and_the_rest_has_defaults() {
    let url = database().await;
    let mut client = connect(&url).await;
    let mut tx = client.transaction().await.unwrap();
    Outbox::stage(&mut tx, &placed("order-1", 11, Some("ten")))
        .await
        .unwrap();
    Outbox::stage(&mut tx, &placed("order-1", 12, None))
        .await
        .unwrap();
    Outbox::stage(&mut tx, &Plain(5, "x")).await.unwrap();
    tx.commit().await.unwrap();
    let rows = "select aggregate_type, aggregate_id, event_type, headers::text, payload::text, id from ordered_outbox \
        order by position";
    let rows = client.query(rows, &[]).await.unwrap();
    let texts = |row: usize, column: usize| rows[row].get::<_, Option<&str>>(column);
    let of = |row: usize| [0, 1, 2, 3].map(|column| texts(row, column));
    let headers = Some(r#"{"coupon": "ten", "tenant": "7"}"#);
    assert_eq!(
        of(0),
        [Some("order"), Some("order-1"), Some("placed"), headers]
    );
    assert_eq!(texts(1, 3), Some(r#"{"tenant": "7"}"#));
    assert_eq!(of(2), [Some("thing"), Some("5"), Some("Plain"), None]);
    assert_eq!(texts(2, 4), Some(r#"[5,"x"]"#));
    // Without an id it gets one of its own.
    assert_eq!(texts(2, 5).map(str::len), Some(36));
}

#[tokio::test]
async fn an_event_with_an_empty_key_is_refused_and_the_transaction_goes_on() {
    let url = database().await;
    let mut client = connect(&url).await;
    let mut tx = client.transaction().await.unwrap();
    let error = Outbox::stage(&mut tx, &placed("", 1, None))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), PostgresErrorKind::Invalid);
    assert!(error.to_string().contains("key"), "{error}");
    Outbox::stage(&mut tx, &placed("k", 1, None)).await.unwrap();
    tx.commit().await.unwrap();
}
