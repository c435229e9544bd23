//! Bodies that are larger than the worker runs, over a real RabbitMQ and a real Redis.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ordered_events::core::transport::DeadLetters;
use ordered_events::{
    Admin, Amqp, Envelope, Key, Publish, RedisStore, State, Worker, ordered_handler,
};
use ordered_testkit::server::{RabbitServer, RedisServer};
use ordered_testkit::{eventually, unique};
use serde::Deserialize;

#[derive(Deserialize)]
struct Order {
    order_id: String,
    seq: u64,
    text: String,
}

type Log = Arc<Mutex<Vec<(u64, usize)>>>;

#[ordered_handler(key = "order_id", seq = "seq")]
async fn apply(order: Order, State(log): State<Log>) {
    assert_eq!(order.order_id, "a");
    log.lock().unwrap().push((order.seq, order.text.len()));
}

fn order(seq: u64, size: usize) -> Envelope {
    let text = "x".repeat(size);
    Envelope::new(format!(
        r#"{{"text":"{text}","order_id":"a","seq":{seq},"event_id":"e{seq}"}}"#
    ))
}

/// People saw: an event that was too large went to the dead-letter queue, and its key waited for it in a gap for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_halts_its_key_and_makes_no_gap() {
    let (rabbit, redis) = tokio::try_join!(RabbitServer::shared(), RedisServer::shared()).unwrap();
    let (queue, prefix) = (unique("oversized"), unique("oversized"));
    let store = RedisStore::builder(redis.url()).prefix(&prefix);
    let store = store.connect().await.unwrap();
    let log = Log::default();
    let amqp = || Amqp::connect(rabbit.url()).queue(&queue);
    let transport = amqp().await.unwrap();
    let worker = |transport: Amqp| {
        Worker::builder()
            .store(store.clone())
            .transport(transport)
            .handler(apply)
            .state(Arc::clone(&log))
            .sweep_interval(Duration::from_millis(50))
            .max_body_bytes(1_000)
            .max_kept_bytes(10_000)
    };
    let running = tokio::spawn(worker(transport).run_until(std::future::pending()));
    // One that is kept whole, and behind it one of which an excerpt is.
    let events = vec![order(1, 1), order(2, 5_000), order(3, 50_000), order(4, 1)];
    let publisher = amqp().publisher().await.unwrap();
    publisher.publish(events).await.unwrap();
    let (admin, key) = (Admin::new(Arc::new(store.clone())), Key::new("a").unwrap());
    let view = async || {
        let group = admin.group("apply").await.unwrap()?;
        admin.inspect(&group, &key).await.unwrap()
    };
    eventually("it backs off at the second", async || {
        view().await.is_some_and(|view| {
            view.phase == "backing_off" && view.last_seq == 1 && view.held_events == 3
        })
    })
    .await;
    running.abort();
    let _ = running.await;
    let transport = amqp().await.unwrap();
    let larger = worker(transport).max_body_bytes(10_000).id("larger");
    let running = tokio::spawn(larger.run_until(std::future::pending()));
    let group = admin.group("apply").await.unwrap().unwrap();
    // Its time to be tried again would come within 30 seconds.
    let operator = ordered_events::core::store::Operator {
        who: "anna".into(),
        why: String::new(),
    };
    let retry = ordered_events::core::protocol::Verb::Retry;
    let options = ordered_events::OperateOptions::default();
    let verdict = admin
        .operate(&group, &key, &retry, &operator, options)
        .await;
    verdict.unwrap();
    eventually("it is halted at the third", async || {
        view()
            .await
            .is_some_and(|view| view.phase == "halted" && view.last_seq == 2)
    })
    .await;
    assert_eq!(*log.lock().unwrap(), [(1, 1), (2, 5_000)]);
    let halted = view().await.unwrap();
    assert_eq!(halted.gap_since, None);
    assert!(
        halted
            .last_error
            .unwrap()
            .error
            .contains("the store has an excerpt")
    );
    assert!(halted.held_bytes < 2_000, "{}", halted.held_bytes);
    let letters = amqp().dead_letters().await.unwrap();
    let dead = letters.take(10).await.unwrap();
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].envelope.body, order(3, 50_000).body);
    letters.close().await.unwrap();
    running.abort();
}
