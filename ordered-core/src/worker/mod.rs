//! The worker: takes deliveries from a transport, asks the store, and runs the handler.
//!
//! The life of one event: a [`Delivery`](crate::transport::Delivery) is decoded and *offered* to the store. If it may
//! run, it joins the *lane* of its key, a queue that runs serially; else it is *held* by the store, or settled at once.
//! When its handler is done it is *committed*, and only then acknowledged; the commit hands back the events that were
//! held behind it. A run of the handler is one event, or several that follow one another where the handler takes a batch; with
//! a commit window the next run begins while commits are on their way. The engine decides all this without I/O; everything around it only carries its
//! commands, runs and settlements.

mod asking;
mod backoff;
mod builder;
mod control;
mod engine;
mod error;
mod heartbeat;
mod hooks;
mod intake;
mod observe;
mod run;
mod running;
mod settings;
mod settler;
mod span;
mod tasks;
mod telemetry;

pub use builder::WorkerBuilder;
pub use control::{AT, CONTROL, Control, EPOCH, FROM, KEY, TO};
pub use error::{BuildError, WorkerError};
pub use observe::{Deferral, Observer, Occurrence, Place, StuckBecause, StuckHook, StuckKey};
pub use run::Worker;
pub use settings::Settings;
pub use span::SpanHook;
pub use telemetry::{METRICS, Metric, MetricKind, Outcome};
