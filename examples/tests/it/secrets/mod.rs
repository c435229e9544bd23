//! No password, and no part of one, in a log line, an error, or what a type shows of itself.

use std::error::Error;
use std::fmt::Debug;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use ordered_events::{
    Amqp, ConnectError, Context, Envelope, RedisStore, Worker, WorkerEvent, ordered_handler,
};
use ordered_testkit::server::{RabbitServer, RedisServer};
use ordered_testkit::{eventually, unique};
use serde::Deserialize;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::support::tracing_capture;

/// What must be seen nowhere. Around it there are characters that URLs write in another way.
const SECRET: &str = "S3CR3T";
const PASSWORD: &str = "p@S3CR3T/:x";
const IN_URLS: &str = "p%40S3CR3T%2F%3Ax";

#[derive(Deserialize)]
struct Step {
    key: String,
    seq: u64,
}

#[ordered_handler(key = "key", seq = "seq")]
async fn nothing(event: Step, _context: Context) {
    drop(event);
}

#[track_caller]
fn shows_nothing(what: &impl Debug) {
    let shown = format!("{what:?} {what:#?}");
    assert!(!shown.contains(SECRET), "{shown}");
}

/// The error, its causes, and what they show of themselves.
#[track_caller]
fn says_nothing(error: &(dyn Error + 'static)) {
    let mut said = format!("{error:?} {error:#?}");
    let mut cause = Some(error);
    while let Some(error) = cause {
        said += &format!(" {error} {error:?}");
        cause = error.source();
    }
    assert!(!said.contains(SECRET), "{said}");
}

async fn refused(transport: &str, store: &str) -> ConnectError {
    let taken = match ordered_events::store(store).await {
        Ok(_) => ordered_events::transport(transport, "a-queue")
            .await
            .map(drop),
        Err(error) => Err(error),
    };
    let error = taken.expect_err("they cannot be used");
    says_nothing(&error);
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn no_password_is_in_a_log_an_error_or_what_is_shown_of_a_type() {
    tracing_capture::start();
    let rabbit = RabbitServer::shared().await.unwrap();
    let mut redis = RedisServer::builder()
        .setting("requirepass", PASSWORD)
        .start()
        .await
        .unwrap();
    let user = unique("user");
    rabbit.ctl(&["add_user", &user, PASSWORD]).await.unwrap();
    let all = ["set_permissions", "-p", "/", &user, ".*", ".*", ".*"];
    rabbit.ctl(&all).await.unwrap();
    let amqp = format!("amqp://{user}:{IN_URLS}@127.0.0.1:{}/%2f", rabbit.port());
    let store = format!("redis://:{IN_URLS}@127.0.0.1:{}", redis.port());

    shows_nothing(&RedisStore::builder(&store));
    shows_nothing(&RedisStore::connect(&store).await.unwrap());
    let transport = Amqp::connect(&amqp).queue(unique("shown")).await.unwrap();
    shows_nothing(&transport);
    shows_nothing(&transport.publisher());

    works_and_outlives_its_store(&amqp, &store, &mut redis).await;
    redis.start_again().await.unwrap();

    // The secret is a wrong password, or there is nobody to tell it to.
    let memory = || "memory://".to_owned();
    let wrong = |url: &str| url.replace("p%40", "wrong");
    let nobody = store.replace("redis://:", "redis://nobody:");
    let mut refusals = JoinSet::new();
    for (transport, store) in [
        (wrong(&amqp), memory()),
        (memory(), wrong(&store)),
        (memory(), nobody),
    ] {
        refusals.spawn(async move { refused(&transport, &store).await });
    }
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_at = silent.local_addr().unwrap();
    for host in ["127.0.0.1:1", &silent_at.to_string()] {
        let amqp = format!("amqp://me:{IN_URLS}@{host}/%2f?connection_timeout=300");
        let store = format!("redis://me:{IN_URLS}@{host}");
        refusals.spawn(async move { refused(&amqp, "memory://").await });
        refusals.spawn(async move { refused("memory://", &store).await });
    }
    refusals.join_all().await;
    let captured = tracing_capture::captured();
    assert!(captured.contains("ordered_amqp") && captured.contains("TRACE ordered_core"));
    for line in captured.lines() {
        assert!(!line.contains(SECRET), "{line}");
    }
}

/// A worker handles an event, and then loses its Redis and is stopped: both say much.
async fn works_and_outlives_its_store(amqp: &str, store: &str, redis: &mut RedisServer) {
    let queue = unique("secrets");
    let event = Envelope::new(r#"{"key": "k", "seq": 1}"#);
    let publisher = ordered_events::publisher(amqp, &queue).await.unwrap();
    publisher.publish(vec![event]).await.unwrap();
    let (done, stop) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (committed, stopped) = (Arc::clone(&done), Arc::clone(&stop));
    let worker = Worker::connect(amqp, &queue, store)
        .await
        .unwrap()
        .group(unique("secrets"))
        .lease(Duration::from_secs(1))
        .drain_timeout(Duration::from_millis(100))
        .observe(move |worker_event| {
            if let WorkerEvent::Committed { .. } = worker_event {
                committed.notify_one();
            }
        })
        .handler(nothing)
        .build()
        .unwrap();
    let worker = tokio::spawn(worker.run_until(async move { stopped.notified().await }));
    done.notified().await;
    redis.kill();
    eventually("the worker notices", async || {
        tracing_capture::captured().contains("the store did not get the heartbeat")
    })
    .await;
    stop.notify_one();
    if let Err(error) = worker.await.unwrap() {
        says_nothing(&error);
    }
}

#[cfg(feature = "sqs")]
#[tokio::test(flavor = "multi_thread")]
async fn no_secret_key_of_sqs_is_in_a_log_an_error_or_what_is_shown_of_a_type() {
    use ordered_events::Sqs;
    use ordered_events::Transport;
    use ordered_events::core::transport::ConsumeOptions;
    use ordered_testkit::server::SqsServer;

    tracing_capture::start();
    let server = SqsServer::shared().await.unwrap();
    let queue = unique("secrets");
    server.create_queue(&queue, &[]).await.unwrap();
    let url = |endpoint: &str| {
        format!("sqs://AKIAEXAMPLE:{IN_URLS}@{queue}?region=us-east-1&endpoint={endpoint}")
    };
    let transport = Sqs::connect(url(&server.endpoint())).await.unwrap();
    let max_unsettled = 10;
    transport
        .start(ConsumeOptions { max_unsettled })
        .await
        .unwrap();
    shows_nothing(&transport);
    shows_nothing(&transport.publisher());
    transport.close().await.unwrap();
    // There is no such queue, and there is nobody.
    refused(&url(&server.endpoint()), "memory://").await;
    refused(&url("http://127.0.0.1:1"), "memory://").await;
    for line in tracing_capture::captured().lines() {
        assert!(!line.contains(SECRET), "{line}");
    }
}

#[tokio::test]
async fn no_address_that_cannot_be_used_is_quoted_with_its_password() {
    for scheme in ["amqp", "amqps", "redis", "rediss", "sqs", "http"] {
        for url in [
            "{s}://me:56/S3CR3T@127.0.0.1:1",
            "{s}://me:56?S3CR3T@127.0.0.1:1",
            "{s}://me:56#S3CR3T@127.0.0.1:1",
            "{s}://me:S3CR3T@127.0.0.1:99999",
            "{s}://me:S3CR3T@[::1",
            "{s}://me:S3CR3T%ff@127.0.0.1:1/%ff",
            "{s}:/me:S3CR3T@127.0.0.1",
            "{s}:me:S3CR3T@127.0.0.1",
            "me:S3CR3T@127.0.0.1",
            "me:S3CR3T@{s}://127.0.0.1",
            "//me:S3CR3T@127.0.0.1",
            "{s}://me:S3CR3T@127.0.0.1:1/not-a-number?protocol=S3CR3T",
            "{s}://me:a,S3CR3T@127.0.0.1:1,b",
        ] {
            let url = url.replace("{s}", scheme);
            refused(&url, "memory://").await;
            refused("memory://", &url).await;
        }
    }
}
