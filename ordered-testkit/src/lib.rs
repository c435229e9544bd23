//! What tests need that use `ordered`: private [servers](server), a [proxy](proxy::Proxy) that breaks connections, the
//! conformance suites with which the author of a transport or a store certifies it, and the [simulation], in which an
//! application's handler meets every fault.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod eventually;
#[cfg(feature = "logs")]
mod log_capture;
#[cfg(feature = "server")]
pub mod proxy;
pub mod publisher_suite;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "simulation")]
pub mod simulation;
pub mod store_suite;
mod test_worker;
mod texts;
pub mod transport_suite;
mod unique;

#[cfg(feature = "simulation")]
pub use ordered_history as history;

pub use eventually::{eventually, eventually_within};
#[cfg(feature = "logs")]
pub use log_capture::LogCapture;
pub use test_worker::{TestDeadLetter, TestReport, TestWorker};
pub use unique::unique;

/// The examples of the guide are tests.
#[cfg(all(doctest, feature = "simulation"))]
#[doc = include_str!("../../docs/testing-your-handlers.md")]
struct Guide;
