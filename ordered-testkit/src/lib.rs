//! What tests need that use `ordered`: private [servers](server), a [proxy](proxy::Proxy) that breaks connections, the
//! conformance suites with which the author of a transport or a store certifies it, and the [simulation], in which an
//! application's handler meets every fault.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "suites")]
mod eventually;
#[cfg(feature = "history")]
pub mod history;
#[cfg(feature = "server")]
pub mod proxy;
#[cfg(feature = "suites")]
pub mod publisher_suite;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "simulation")]
pub mod simulation;
#[cfg(feature = "suites")]
pub mod store_suite;
#[cfg(feature = "suites")]
mod test_worker;
#[cfg(feature = "suites")]
mod texts;
#[cfg(feature = "suites")]
pub mod transport_suite;
#[cfg(feature = "suites")]
mod unique;

#[cfg(feature = "suites")]
pub use eventually::{eventually, eventually_within};
#[cfg(feature = "suites")]
pub use test_worker::{TestDeadLetter, TestReport, TestWorker};
#[cfg(feature = "suites")]
pub use unique::unique;

/// The examples of the guide are tests.
#[cfg(all(doctest, feature = "simulation"))]
#[doc = include_str!("../../docs/testing-your-handlers.md")]
struct Guide;
