//! The Redis store against real servers.

#[cfg(feature = "cluster")]
mod cluster;
mod crew;
mod durability;
mod failover;
mod failures;
mod footprint;
mod late_calls;
mod model;
mod namespace;
mod next_ownership;
mod next_support;
mod refusals;
mod remembered;
mod sentinel;
mod suite;
mod talk;
#[cfg(feature = "tls")]
mod tls;
