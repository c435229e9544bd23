//! Several handlers in one process, on a real RabbitMQ and a real Redis.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{Arc, Mutex};

use ordered_events::core::transport::shuffle_within;
use ordered_events::{Amqp, App, Envelope, RedisStore, Router, State, Unhandled, ordered_handler};
use ordered_testkit::server::{RabbitServer, RedisServer};
use ordered_testkit::{eventually, unique};
use serde::Deserialize;

use crate::support::processes::program_named;

#[tokio::test(flavor = "multi_thread")]
async fn the_example_handles_orders_and_payments_in_order() {
    let (rabbit, redis) = (
        RabbitServer::shared().await.unwrap(),
        RedisServer::shared().await.unwrap(),
    );
    let (rabbit, redis) = (rabbit.url(), redis.url());
    for arguments in [vec![], vec![rabbit, redis]] {
        let ended = tokio::task::spawn_blocking(move || {
            Command::new(program_named("shop")).args(arguments).output()
        });
        let ended = ended.await.unwrap().unwrap();
        let (said, errors) = (
            String::from_utf8(ended.stdout).unwrap(),
            String::from_utf8(ended.stderr).unwrap(),
        );
        assert!(ended.status.success(), "{said}{errors}");
        let mut by_key = BTreeMap::<&str, Vec<&str>>::new();
        for line in said.lines() {
            if let Some((event, what)) = line.split_once(": ") {
                let (key, seq) = event.split_once(" #").unwrap();
                let what = what.split([',', ' ']).next().unwrap();
                by_key.entry(key).or_default().extend([seq, what]);
            }
        }
        assert_eq!(by_key.len(), 4, "{said}");
        for (key, lines) in by_key {
            if key.starts_with("order") {
                assert_eq!(lines, ["1", "created", "3", "shipped"], "{said}");
            } else {
                assert_eq!(lines, ["1", "100", "2", "200", "3", "300"], "{said}");
            }
        }
    }
}

/// Key, seq, and which handler ran.
type Log = Arc<Mutex<Vec<(String, u64, &'static str)>>>;

#[derive(Deserialize)]
struct Event {
    key: String,
    seq: u64,
}

#[ordered_handler(
    key = "key",
    seq = "seq",
    on = "Created",
    event_type = "header:amqp.type"
)]
async fn created(event: Event, State(log): State<Log>) {
    log.lock().unwrap().push((event.key, event.seq, "created"));
}

#[ordered_handler(
    key = "key",
    seq = "seq",
    on = "Shipped",
    event_type = "header:amqp.type"
)]
async fn shipped(event: Event, State(log): State<Log>) {
    log.lock().unwrap().push((event.key, event.seq, "shipped"));
}

#[ordered_handler(key = "key", seq = "seq")]
async fn paid(event: Event, State(log): State<Log>) {
    log.lock().unwrap().push((event.key, event.seq, "paid"));
}

fn of_type(seq: u64) -> &'static str {
    ["Created", "Shipped", "Rated"][usize::try_from(seq % 3).unwrap()]
}

fn events(keys: u64, last: u64) -> Vec<Envelope> {
    let seqs = (1..=last).flat_map(|seq| (0..keys).map(move |key| (key, seq)));
    let mut events: Vec<Envelope> = seqs
        .map(|(key, seq)| {
            let mut event = Envelope::new(format!(r#"{{"key": "k{key}", "seq": {seq}}}"#));
            event
                .headers
                .insert("amqp.type".into(), of_type(seq).into());
            event
        })
        .collect();
    shuffle_within(&mut events, 50, &mut fastrand::Rng::with_seed(17));
    events
}

/// What the property `type` of the message says decides; one connection of Redis serves all.
#[tokio::test(flavor = "multi_thread")]
async fn an_app_with_a_router_shares_one_connection_to_redis() {
    const KEYS: u64 = 20;
    const LAST: u64 = 30;
    let rabbit = RabbitServer::shared().await.unwrap();
    let redis = RedisServer::start().await.unwrap();
    let (orders, payments) = (unique("orders"), unique("payments"));
    for queue in [&orders, &payments] {
        let publisher = ordered_events::publisher(&rabbit.url(), queue).await;
        publisher
            .unwrap()
            .publish(events(KEYS, LAST))
            .await
            .unwrap();
    }
    let log = Log::default();
    let queue = async |name: &str| Amqp::connect(rabbit.url()).queue(name).await.unwrap();
    let router = || {
        Router::new()
            .group("orders")
            .handler(created)
            .handler(shipped)
            .unhandled(Unhandled::Ignore)
    };
    let clients = async || {
        let clients = redis.info("clients").await.unwrap();
        let connected = clients
            .lines()
            .find_map(|line| line.strip_prefix("connected_clients:"));
        connected.unwrap().trim().parse::<u32>().unwrap()
    };
    let app = App::new()
        .store(RedisStore::connect(redis.url()).await.unwrap())
        .state(Arc::clone(&log))
        .handler(queue(&orders).await, router())
        .handler(queue(&payments).await, paid);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(app.run_until(async {
        let _ = stopped.await;
    }));
    let handled = usize::try_from(KEYS * LAST + KEYS * LAST * 2 / 3).unwrap();
    eventually("all is handled", async || {
        log.lock().unwrap().len() == handled
    })
    .await;
    let of_the_app_and_who_asks = async || clients().await == 2;
    eventually("one connection to Redis", of_the_app_and_who_asks).await;
    stop.send(()).unwrap();
    running.await.unwrap().unwrap();
    let log = log.lock().unwrap();
    for key in (0..KEYS).map(|key| format!("k{key}")) {
        let by = |is_paid: bool| {
            let of_key = log
                .iter()
                .filter(|(of, _, by)| *of == key && (*by == "paid") == is_paid);
            of_key.map(|(_, seq, by)| (*seq, *by)).collect::<Vec<_>>()
        };
        let expected = (1..=LAST).map(|seq| (seq, "paid"));
        assert_eq!(by(true), expected.collect::<Vec<_>>(), "{key}");
        let expected = (1..=LAST).filter_map(|seq| match of_type(seq) {
            "Created" => Some((seq, "created")),
            "Shipped" => Some((seq, "shipped")),
            _ => None,
        });
        assert_eq!(by(false), expected.collect::<Vec<_>>(), "{key}");
    }
}
