//! What tests need that use `ordered`: private [servers](server), and the conformance suites with which the author of a
//! transport or a store certifies it.

mod eventually;
#[cfg(feature = "server")]
pub mod server;
pub mod store_suite;
pub mod transport_suite;
mod unique;

pub use eventually::{eventually, eventually_within};
pub use unique::unique;
