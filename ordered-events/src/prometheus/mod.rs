//! The metrics of the workers of this process as a page for Prometheus, and how the workers are: as text, or served
//! over HTTP.
//!
//! ```no_run
//! use ordered_events::prometheus::Prometheus;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let prometheus = Prometheus::install()?; // Before the worker runs.
//! let server = prometheus.serve_locally(9464).await?;
//! println!("http://{}/metrics", server.address());
//! # Ok(())
//! # }
//! ```
//!
//! With [`Prometheus::watch`] the server also answers the probes of an orchestrator: `/live` and `/ready`.
//!
//! Metrics of the application itself, made with the macros of the crate `metrics`, are on the same page. An application
//! that has a recorder of its own, or serves its own pages, takes [`builder`] or [`Prometheus::page`].

mod server;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use ordered_core::publish;
use ordered_core::worker::{Health, HealthReport, METRICS, MetricKind};

pub use self::server::MetricsServer;

/// How often what was measured is put into its buckets, where nobody fetches the page.
const UPKEEP: Duration = Duration::from_secs(5);

/// The metrics of this process. Clones are the same.
#[derive(Debug, Clone)]
pub struct Prometheus {
    handle: PrometheusHandle,
    watched: Vec<Health>,
}

/// Why the metrics of this process cannot be recorded.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum PrometheusError {
    /// There is a recorder already.
    #[error(
        "this process has a recorder of metrics already: make one recorder for all, \
         with `ordered_events::prometheus::builder` where it is to be this one"
    )]
    Installed,
    /// It was not called from within tokio's runtime, which does its upkeep.
    #[error("`Prometheus::install` must be called within tokio's runtime")]
    NoRuntime,
    /// The port cannot be had.
    #[error("cannot serve metrics at {address}: {error}")]
    Bind {
        /// What was asked for.
        address: SocketAddr,
        /// Why not.
        error: std::io::Error,
    },
}

/// The builder of the recorder, with buckets that fit the histograms of the worker; for an application that wants to
/// add to it. Who builds a recorder by hand also calls `run_upkeep` of its handle every few seconds.
///
/// # Panics
/// Never: a histogram of the worker has buckets.
#[must_use]
pub fn builder() -> PrometheusBuilder {
    let all = METRICS.iter().chain(publish::METRICS);
    let histograms = all.filter_map(|metric| match metric.kind {
        MetricKind::Histogram { buckets } => Some((metric.name, buckets)),
        _ => None,
    });
    histograms.fold(PrometheusBuilder::new(), |builder, (name, buckets)| {
        builder
            .set_buckets_for_metric(Matcher::Full(name.into()), buckets)
            .expect("each histogram has buckets")
    })
}

impl Prometheus {
    /// Records the metrics of this process from now on. Call it before the first worker runs: a worker looks its
    /// metrics up once.
    ///
    /// # Errors
    /// When there is a recorder already, and outside of tokio's runtime.
    pub fn install() -> Result<Self, PrometheusError> {
        let runtime =
            tokio::runtime::Handle::try_current().map_err(|_| PrometheusError::NoRuntime)?;
        let recorder = builder().build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).map_err(|_| PrometheusError::Installed)?;
        let this = Self::from(handle);
        runtime.spawn(this.clone().keep_up());
        Ok(this)
    }

    /// From the next [`serve`](Self::serve) on, `/live` and `/ready` tell how this worker is, too:
    /// `.watch(worker.health())`.
    ///
    /// - `/ready` answers 200 while all watched workers consume, and 503 with the reason while one does not: it starts
    ///   or drains, its store or its broker is unavailable, its lease is over, or it has ended. Without a watched
    ///   worker it is 503.
    /// - `/live` answers 503 where a watched worker does not go on by itself: it has ended, or its loop stands still.
    #[must_use]
    pub fn watch(mut self, worker: Health) -> Self {
        self.watched.push(worker);
        self
    }

    /// The page, in Prometheus' text format.
    #[must_use]
    pub fn page(&self) -> String {
        self.handle.render()
    }

    fn reports(&self) -> Vec<HealthReport> {
        self.watched.iter().map(Health::report).collect()
    }

    /// Serves the page at `/metrics` on this port of the loopback interface; port 0 is any that is free.
    ///
    /// # Errors
    /// When the port cannot be had.
    pub async fn serve_locally(&self, port: u16) -> Result<MetricsServer, PrometheusError> {
        self.serve((Ipv4Addr::LOCALHOST, port).into()).await
    }

    /// Serves the page at `/metrics` of this address. Whoever can reach it can read it: it tells the names of the
    /// groups and how much they do, and nothing of their events.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn serve(&self, address: SocketAddr) -> Result<MetricsServer, PrometheusError> {
        MetricsServer::bind(address, self.clone())
            .await
            .map_err(|error| PrometheusError::Bind { address, error })
    }

    async fn keep_up(self) {
        loop {
            tokio::time::sleep(UPKEEP).await;
            self.handle.run_upkeep();
        }
    }
}

/// For a recorder that the application made itself.
impl From<PrometheusHandle> for Prometheus {
    fn from(handle: PrometheusHandle) -> Self {
        Self {
            handle,
            watched: Vec::new(),
        }
    }
}

impl std::fmt::Debug for PrometheusError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        ordered_core::internal::write_with_causes(self, f)
    }
}
