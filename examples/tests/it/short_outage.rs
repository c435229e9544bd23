//! What the handler depends on is unavailable for a moment.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use deadpool_postgres::{Manager, Pool};
use ordered_events::{
    Admin, Amqp, Envelope, HandlerError, Publish, RedisStore, State, Worker, WorkerEvent,
    ordered_handler,
};
use ordered_testkit::server::{PostgresServer, RabbitServer, RedisServer};
use ordered_testkit::{eventually_within, unique};
use serde::Deserialize;
use tokio::sync::oneshot;
use tokio_postgres::NoTls;

use crate::support::processes::TIMEOUT;

const KEYS: usize = 2_000;
/// The database is unavailable for so many of these, the subject of the test and no way to wait for something: three
/// seconds.
const TICKS: usize = 20;
const TICK: Duration = Duration::from_millis(150);

#[derive(Deserialize)]
struct Order {
    order_id: String,
    seq: i64,
}

#[ordered_handler(key = "order_id", seq = "seq")]
async fn note(order: Order, State(pool): State<Pool>) -> Result<(), HandlerError> {
    let client = pool.get().await?;
    let insert = "insert into noted values ($1, $2)";
    client
        .execute(insert, &[&order.order_id, &order.seq])
        .await?;
    Ok(())
}

/// People saw: all defaults, the handler's database unavailable for 15 seconds, 200 events a second, and 2,000 of 2,000
/// keys halted permanently, each given up after less than a second.
#[tokio::test(flavor = "multi_thread")]
async fn a_short_outage_of_the_handlers_database_halts_no_key() {
    let (rabbit, redis, mut postgres) = tokio::try_join!(
        RabbitServer::shared(),
        RedisServer::shared(),
        PostgresServer::start()
    )
    .unwrap();
    let database = postgres.database().await.unwrap();
    let manager = Manager::new(database.parse().unwrap(), NoTls);
    let pool = Pool::builder(manager).max_size(16).build().unwrap();
    let table = "create table noted (key text, seq bigint)";
    pool.get()
        .await
        .unwrap()
        .batch_execute(table)
        .await
        .unwrap();
    let (queue, prefix) = (unique("outage"), unique("outage"));
    let store = RedisStore::builder(redis.url()).prefix(&prefix);
    let store = store.connect().await.unwrap();
    let failed = Arc::new(AtomicUsize::new(0));
    let failures = Arc::clone(&failed);
    // All defaults.
    let worker = Worker::builder()
        .store(store.clone())
        .transport(Amqp::connect(rabbit.url()).queue(&queue).await.unwrap())
        .handler(note)
        .state(pool.clone())
        .observe(move |worker_event| {
            if let WorkerEvent::Retrying { .. } = worker_event {
                failures.fetch_add(1, Ordering::Relaxed);
            }
        });
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(worker.run_until(async {
        let _ = stopped.await;
    }));
    let publisher = Amqp::connect(rabbit.url())
        .queue(&queue)
        .publisher()
        .await
        .unwrap();
    postgres.stop().await.unwrap();
    let order = |key: usize| Envelope::new(format!(r#"{{"order_id":"order-{key}","seq":1}}"#));
    for tick in 0..TICKS {
        let keys = (0..KEYS).filter(|key| key % TICKS == tick);
        publisher.publish(keys.map(order).collect()).await.unwrap();
        tokio::time::sleep(TICK).await;
    }
    let (admin, group) = (Admin::new(Arc::new(store)), "note");
    let group = admin.group(group).await.unwrap().unwrap();
    let view = admin.overview(&group).await.unwrap();
    assert_eq!((view.keys.halted, view.dead_events), (0, 0), "{view:?}");
    postgres.start_again().await.unwrap();
    let noted = async || {
        let client = pool.get().await.ok()?;
        let rows = client.query("select key from noted", &[]).await.ok()?;
        Some(rows.iter().map(|row| row.get(0)).collect::<Vec<String>>())
    };
    eventually_within(TIMEOUT, "all are noted", async || {
        noted().await.is_some_and(|noted| noted.len() >= KEYS)
    })
    .await;
    let _ = stop.send(());
    running.await.unwrap().unwrap();
    let noted = noted().await.unwrap();
    assert_eq!(noted.len(), KEYS);
    assert_eq!(
        noted.iter().collect::<BTreeSet<_>>().len(),
        noted.len(),
        "each once"
    );
    let view = admin.overview(&group).await.unwrap();
    assert_eq!((view.keys.halted, view.dead_events), (0, 0), "{view:?}");
    let failed = failed.load(Ordering::Relaxed);
    assert!((1..KEYS / 2).contains(&failed), "{failed} runs were paced");
}
