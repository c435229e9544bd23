use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use ordered_core::transport::{
    ConsumeOptions, Delivery, MemoryTransport, Settlement, TransportError, TransportStatus,
};
use ordered_events::prometheus::{Prometheus, PrometheusError};
use ordered_events::{App, MemoryBroker, MemoryStore, Transport, Worker};
use ordered_testkit::server::Port;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::support::load::Load;
use super::support::page::prometheus;

/// Asks, and gives back the whole answer.
pub(crate) async fn ask(address: SocketAddr, method: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("{method} {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn the_page_is_served_on_loopback_with_the_text_that_says_what_is_what() {
    let prometheus = prometheus();
    let group = ordered_testkit::unique("served");
    let worker = Worker::builder()
        .store(MemoryStore::new())
        .transport(MemoryBroker::new().consumer())
        .handler(Load::new(&group));
    // It looks its metrics up when it starts, whatever it then has to do.
    worker.run_until(async {}).await.unwrap();
    let server = prometheus.serve_locally(0).await.unwrap();
    assert!(server.address().ip().is_loopback());
    let answer = ask(server.address(), "GET", "/metrics").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(
        answer.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"),
        "{answer}"
    );
    for line in [
        "# HELP ordered_deliveries_total Deliveries by their outcomes.",
        "# TYPE ordered_deliveries_total counter",
        "# TYPE ordered_unsettled gauge",
        "# TYPE ordered_handler_seconds histogram",
        // What has not happened is a zero, not an absence: else its first time would be no increase.
        &format!("ordered_deliveries_total{{group=\"{group}\",outcome=\"conflict\"}} 0"),
    ] {
        assert!(answer.contains(line), "no {line} in {answer}");
    }
}

#[tokio::test]
async fn other_pages_and_methods_are_refused() {
    let server = prometheus().serve_locally(0).await.unwrap();
    let status = async |method: &str, path: &str| {
        let answer = ask(server.address(), method, path).await.unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!(status("GET", "/").await, "404");
    assert_eq!(status("GET", "/metrics/more").await, "404");
    assert_eq!(status("POST", "/metrics").await, "405");
    assert_eq!(status("HEAD", "/metrics").await, "200");
    assert_eq!(status("GET", "/metrics?name=x").await, "200");
}

#[tokio::test]
async fn a_dropped_server_frees_its_port() {
    let server = prometheus().serve_locally(0).await.unwrap();
    let address = server.address();
    drop(server);
    ordered_testkit::eventually("the port is free", async || {
        prometheus().serve(address).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_done_is_said() {
    let first = prometheus().serve_locally(0).await.unwrap();
    let refused = prometheus().serve(first.address()).await.unwrap_err();
    let start = format!("cannot serve metrics at {}: ", first.address());
    assert!(refused.to_string().starts_with(&start), "{refused}");
    assert!(matches!(
        Prometheus::install(),
        Err(PrometheusError::Installed)
    ));
    let outside = std::thread::spawn(Prometheus::install).join().unwrap();
    assert!(matches!(outside, Err(PrometheusError::NoRuntime)));
}

#[tokio::test]
async fn probes_are_answered_with_what_the_watched_workers_do() {
    let group = ordered_testkit::unique("probed");
    let worker = Worker::builder()
        .store(MemoryStore::new())
        .transport(MemoryBroker::new().consumer())
        .handler(Load::new(&group))
        .build()
        .unwrap();
    let server = prometheus().clone().watch(worker.health());
    let server = server.serve_locally(0).await.unwrap();
    let asked = async |path: &str| ask(server.address(), "GET", path).await.unwrap();
    let starting = asked("/ready").await;
    assert!(starting.starts_with("HTTP/1.1 503"), "{starting}");
    assert!(starting.contains("it does not consume yet"), "{starting}");
    assert!(asked("/live").await.starts_with("HTTP/1.1 200"));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(worker.run_until(async {
        let _ = stopped.await;
    }));
    ordered_testkit::eventually("it consumes", async || {
        let ready = asked("/ready").await;
        ready.starts_with("HTTP/1.1 200") && ready.contains(&format!("group {group}, worker "))
    })
    .await;
    assert!(asked("/live").await.starts_with("HTTP/1.1 200"));
    drop(stop);
    running.await.unwrap().unwrap();
    for path in ["/ready", "/live"] {
        let ended = asked(path).await;
        assert!(ended.starts_with("HTTP/1.1 503"), "{ended}");
        assert!(ended.contains("it has ended"), "{ended}");
    }
}

/// A transport whose broker can be said to be unavailable.
struct Shaky {
    inner: MemoryTransport,
    is_down: Arc<AtomicBool>,
}

#[async_trait]
impl Transport for Shaky {
    fn status(&self) -> TransportStatus {
        if !self.is_down.load(Ordering::Relaxed) {
            return self.inner.status();
        }
        TransportStatus::Unavailable {
            lasts: Duration::from_secs(7),
            error: "no route".into(),
        }
    }

    async fn start(&self, options: ConsumeOptions) -> Result<(), TransportError> {
        self.inner.start(options).await
    }

    async fn receive(&self, max: usize) -> Result<Vec<Delivery>, TransportError> {
        self.inner.receive(max).await
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<(), TransportError> {
        self.inner.settle(settlements).await
    }

    async fn close(&self) -> Result<(), TransportError> {
        self.inner.close().await
    }
}

#[tokio::test]
async fn an_app_serves_how_all_of_its_workers_are() {
    let port = Port::claim().unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], port.number()));
    let groups = ["orders", "payments"].map(ordered_testkit::unique);
    let is_down = Arc::new(AtomicBool::new(false));
    let payments = Shaky {
        inner: MemoryBroker::new().consumer(),
        is_down: Arc::clone(&is_down),
    };
    let app = App::new()
        .store(MemoryStore::new())
        .handler(MemoryBroker::new().consumer(), Load::new(&groups[0]))
        .handler(payments, Load::new(&groups[1]))
        .metrics(prometheus().clone(), address);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(app.run_until(async {
        let _ = stopped.await;
    }));
    let asked = async |path: &str| ask(address, "GET", path).await.unwrap_or_default();
    let names_both = |page: &str, before: &str| {
        let named = |group: &String| page.contains(&format!("{before}{group}"));
        groups.iter().all(named)
    };
    ordered_testkit::eventually("both consume", async || {
        asked("/ready").await.starts_with("HTTP/1.1 200")
    })
    .await;
    for path in ["/ready", "/live"] {
        let page = asked(path).await;
        assert!(page.starts_with("HTTP/1.1 200"), "{page}");
        assert!(names_both(&page, "group "), "{page}");
    }
    let page = asked("/metrics").await;
    let metric = "ordered_deliveries_total{group=\"";
    assert!(names_both(&page, metric), "{page}");
    // One of them is enough for the process not to be ready.
    is_down.store(true, Ordering::Relaxed);
    ordered_testkit::eventually("it is not ready", async || {
        let page = asked("/ready").await;
        page.starts_with("HTTP/1.1 503") && page.contains("no route")
    })
    .await;
    assert!(asked("/live").await.starts_with("HTTP/1.1 200"));
    is_down.store(false, Ordering::Relaxed);
    ordered_testkit::eventually("it is ready again", async || {
        asked("/ready").await.starts_with("HTTP/1.1 200")
    })
    .await;
    drop(stop);
    running.await.unwrap().unwrap();
    ordered_testkit::eventually("nobody serves the port", async || {
        ask(address, "GET", "/live").await.is_err()
    })
    .await;
}

#[tokio::test]
async fn without_a_watched_worker_nothing_is_ready() {
    let server = prometheus().serve_locally(0).await.unwrap();
    let ready = ask(server.address(), "GET", "/ready").await.unwrap();
    assert!(ready.starts_with("HTTP/1.1 503"), "{ready}");
    assert!(
        ready.contains("prometheus.watch(worker.health())"),
        "{ready}"
    );
    let live = ask(server.address(), "GET", "/live").await.unwrap();
    assert!(live.starts_with("HTTP/1.1 200"), "{live}");
}
