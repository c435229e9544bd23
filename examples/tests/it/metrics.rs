//! The page of a worker process.

use std::io::{Read, Write};
use std::net::TcpStream;

use ordered_testkit::eventually;
use ordered_testkit::server::{RabbitServer, RedisServer};

use crate::support::load::Load;
use crate::support::processes::Setting;

/// What a page says at an address `127.0.0.1:9464`.
pub(crate) fn ask(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The page of metrics.
fn fetch(address: &str) -> String {
    let answer = ask(address, "/metrics");
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    answer
}

/// Where a worker that has said so much serves its pages.
pub(crate) fn address(said: &str) -> Option<&str> {
    let (_, rest) = said.split_once("http://")?;
    Some(rest.split_once("/metrics")?.0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_serves_what_it_did() {
    let (rabbit, redis) = (
        RabbitServer::shared().await.unwrap(),
        RedisServer::shared().await.unwrap(),
    );
    let setting = Setting::new("page", rabbit.url(), redis.url());
    let worker = setting.work("w1", &["--metrics", "127.0.0.1:0"]);
    let load = Load {
        keys: 20,
        events: 10,
        seed: 1,
    };
    // Without duplicates, so that what was received is known.
    let arguments = ["--keys", "20", "--events", "10", "--shuffle", "50"].map(str::to_owned);
    let producer = setting.begin_to_produce_with(&arguments);
    producer.finished().await;
    setting.finished(&load).await;
    let output = setting.output("w1");
    let address = address(&output).unwrap_or_else(|| panic!("no address in {output}"));
    let group = &setting.group;
    let line = |step: &str, count: u64| {
        format!("ordered_events_total{{group=\"{group}\",step=\"{step}\"}} {count}\n")
    };
    // The line in the log comes before the commit.
    eventually("200 are committed", async || {
        fetch(address).contains(&line("committed", 200))
    })
    .await;
    let page = fetch(address);
    assert!(page.contains(&line("started", 200)), "{page}");
    assert!(page.contains(&line("halted", 0)), "{page}");
    assert!(
        page.contains(&format!(
            "ordered_received_total{{group=\"{group}\"}} 200\n"
        )),
        "{page}"
    );
    worker.stop().await;
}
