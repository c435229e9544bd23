//! The worker: takes deliveries from a transport, acquires their keys from the store, and runs the handler.
//!
//! The life of one event: a [`Delivery`](crate::transport::Delivery) is decoded and given to the
//! engine of the protocol. The engine acquires the event's key, runs the handler when it is the event's
//! turn, and saves what happened to it; only then the delivery is acknowledged. An event that comes too early is held
//! in the mailbox of its key, and so is one whose key another worker owns. The engine decides all this without I/O;
//! everything around it only carries its requests, runs and settlements.
//!
//! | about | there is |
//! |---|---|
//! | running | [`Worker`], made by a [`WorkerBuilder`] with [`Settings`]; [`Workers`] for several in one process; [`end_drains`] |
//! | errors | [`BuildError`], [`WorkerError`], [`WorkersError`] |
//! | how it is | [`Health`] gives a [`HealthReport`]: the [`WorkerPhase`], and each [`NotReadyReason`] |
//! | what happens | an [`Observer`] is told each [`WorkerEvent`] of an [`EventRef`] ([`DeferReason`]); a [`StuckHook`] of each [`StuckKey`] ([`StuckReason`]); a [`SpanHook`] of each run |
//! | metrics | [`METRICS`], each a [`Metric`] of a [`MetricKind`]; the [`Outcome`] of a delivery |
//! | missing events | [`Repair`] is asked for [`MissingEvents`] |
//! | what producers say | [`Control`], in the headers of [`control_header`] |

mod backoff;
mod breaker;
mod builder;
mod conflicts;
mod connect_retry;
mod control;
pub mod control_header;
mod deliveries;
mod drain;
mod environment;
mod error;
mod health;
mod hooks;
mod lease_keeper;
mod observe;
mod oversized;
mod pitfalls;
mod presence;
mod receiver;
mod repair;
mod reporter;
mod run;
mod run_input;
mod runner;
mod settings;
mod settler;
mod similar_keys;
mod span;
mod store_client;
mod store_clock;
mod tasks;
mod telemetry;
mod worker_loop;
mod workers;

pub use crate::protocol::engine::DeferReason;
pub use builder::WorkerBuilder;
#[doc(hidden)]
pub use connect_retry::ConnectRetry;
pub use control::Control;
pub use drain::end_drains;
pub use error::{BuildError, WorkerError};
pub use health::{Health, HealthReport, NotReadyReason, WorkerPhase};
pub use observe::{EventRef, Observer, StuckHook, StuckKey, StuckReason, WorkerEvent};
pub use repair::{MissingEvents, Repair};
pub use run::Worker;
pub use settings::Settings;
pub use span::SpanHook;
pub use telemetry::{METRICS, Metric, MetricKind, Outcome};
pub use workers::{Workers, WorkersError};
