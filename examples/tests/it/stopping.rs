//! A process that is asked to stop once, twice and three times, and what it says of itself meanwhile.

use ordered_testkit::eventually;
use ordered_testkit::server::{RabbitServer, RedisServer};

use crate::metrics::{address, ask};
use crate::support::processes::{Setting, Worker};

/// Longer than any test waits.
const WORK_MS: &str = "600000";

/// A worker whose handler is at work on an event, and where its pages are.
async fn busy(setting: &Setting) -> (Worker, String) {
    // So that neither waits for the other to make the queue.
    setting.declare().await;
    let more = ["--metrics", "127.0.0.1:0", "--work-ms", WORK_MS];
    let worker = setting.work("w1", &more);
    let arguments = ["--keys", "1", "--events", "1"].map(str::to_owned);
    setting.begin_to_produce_with(&arguments).finished().await;
    let mut place = String::new();
    eventually("the pages are served", async || {
        place = address(&setting.output("w1"))
            .unwrap_or_default()
            .to_owned();
        !place.is_empty()
    })
    .await;
    let group = &setting.group;
    let started = format!("ordered_events_total{{group=\"{group}\",step=\"started\"}} 1\n");
    eventually("the handler is at work", async || {
        ask(&place, "/metrics").contains(&started)
    })
    .await;
    (worker, place)
}

async fn until_logged(setting: &Setting, words: &str) {
    eventually(words, async || setting.output("w1").contains(words)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_request_to_stop_ends_the_drain() {
    let (rabbit, redis) = (
        RabbitServer::shared().await.unwrap(),
        RedisServer::shared().await.unwrap(),
    );
    let setting = Setting::new("twice", rabbit.url(), redis.url());
    let (mut worker, place) = busy(&setting).await;
    let ready = ask(&place, "/ready");
    assert!(ready.starts_with("HTTP/1.1 200"), "{ready}");
    assert!(ready.contains("consuming"), "{ready}");
    worker.signal("TERM");
    until_logged(&setting, "the worker drains").await;
    let ready = ask(&place, "/ready");
    assert!(ready.starts_with("HTTP/1.1 503"), "{ready}");
    assert!(ready.contains("it drains"), "{ready}");
    let live = ask(&place, "/live");
    assert!(live.starts_with("HTTP/1.1 200"), "{live}");
    worker.signal("TERM");
    assert_eq!(worker.code().await, Some(0));
    until_logged(&setting, "the process was asked again to stop").await;
    assert!(!setting.output("w1").contains("the drain timeout is over"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_third_request_ends_the_process() {
    let rabbit = RabbitServer::shared().await.unwrap();
    let redis = RedisServer::start().await.unwrap();
    let setting = Setting::new("thrice", rabbit.url(), redis.url());
    let (mut worker, _) = busy(&setting).await;
    // So that no drain comes to its end by itself.
    redis.pause();
    worker.signal("TERM");
    until_logged(&setting, "the worker drains").await;
    worker.signal("TERM");
    until_logged(&setting, "asked a second time to stop").await;
    worker.signal("TERM");
    assert_eq!(worker.code().await, Some(130));
    redis.resume();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_store_is_unavailable_is_not_ready_and_says_why() {
    let rabbit = RabbitServer::shared().await.unwrap();
    let redis = RedisServer::start().await.unwrap();
    let setting = Setting::new("unready", rabbit.url(), redis.url());
    let (_worker, place) = busy(&setting).await;
    redis.pause();
    eventually("it is not ready", async || {
        let ready = ask(&place, "/ready");
        ready.starts_with("HTTP/1.1 503") && ready.contains("the store is unavailable for")
    })
    .await;
    assert!(ask(&place, "/live").starts_with("HTTP/1.1 200"));
    redis.resume();
    eventually("it is ready again", async || {
        ask(&place, "/ready").starts_with("HTTP/1.1 200")
    })
    .await;
}
