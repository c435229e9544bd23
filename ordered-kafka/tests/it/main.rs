//! The transport against a real broker.

mod committing;
mod dead_letters;
mod deferring;
mod outage;
mod publisher_suite;
mod publishing;
mod rebalance;
mod redrive;
mod rewind;
mod start;
mod suite;
mod support;
#[cfg(feature = "tls")]
mod tls;
mod worker;
