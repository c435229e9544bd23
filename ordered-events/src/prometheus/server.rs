use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tracing::{debug, warn};

use ordered_core::worker::HealthReport;

use super::Prometheus;

/// The version of the text format that the page is in.
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

const PLAIN: &str = "text/plain; charset=utf-8";

/// Connections at a time. Prometheus needs one; the rest wait.
const CONNECTIONS: usize = 16;

/// How long a connection may take to ask, from its first byte or the last answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection may last. Prometheus makes another one.
const LIFETIME: Duration = Duration::from_secs(300);

/// Serves the page of metrics for as long as it lives; dropping it ends that.
#[derive(Debug)]
#[must_use = "dropping it ends the serving"]
pub struct MetricsServer {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl MetricsServer {
    pub(super) async fn bind(address: SocketAddr, source: Prometheus) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(accept(listener, source));
        Ok(Self { address, task })
    }

    /// Where the page is served.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for MetricsServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, source: Prometheus) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    // They end with this task.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok(permit) = Arc::clone(&room).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let source = source.clone();
                connections.spawn(async move {
                    converse(stream, source).await;
                    drop(permit);
                });
            }
            Err(error) => {
                // No file descriptors left, say. It passes, and must not turn into a busy loop.
                warn!(%error, "could not take a connection for metrics");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn converse(stream: TcpStream, source: Prometheus) {
    let service = service_fn(move |request| {
        let response = answer(&request, &source);
        async move { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    if let Ok(Err(error)) = tokio::time::timeout(LIFETIME, connection).await {
        debug!(%error, "a connection for metrics broke off");
    }
}

fn answer(request: &Request<Incoming>, source: &Prometheus) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refusal = text(
            StatusCode::METHOD_NOT_ALLOWED,
            PLAIN,
            "only GET and HEAD\n".into(),
        );
        refusal
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refusal;
    }
    match request.uri().path() {
        "/metrics" => text(StatusCode::OK, FORMAT, source.page()),
        "/live" => probe(&source.reports(), HealthReport::is_live, true),
        "/ready" => probe(&source.reports(), HealthReport::is_ready, false),
        _ => text(
            StatusCode::NOT_FOUND,
            PLAIN,
            "the metrics are at /metrics, and how the workers are at /live and /ready\n".into(),
        ),
    }
}

/// Whether all workers are so, with a line for each; `empty` where none is watched.
fn probe(
    reports: &[HealthReport],
    is_well: impl Fn(&HealthReport) -> bool,
    empty: bool,
) -> Response<Full<Bytes>> {
    let status = match reports.iter().all(is_well) && (empty || !reports.is_empty()) {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut lines: String = reports.iter().map(|report| format!("{report}\n")).collect();
    if lines.is_empty() {
        lines =
            "no worker is watched: say `prometheus.watch(worker.health())` before it is served\n"
                .into();
    }
    text(status, PLAIN, lines)
}

fn text(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
