//! The Redis store against real servers.

#[cfg(feature = "cluster")]
mod cluster;
mod crew;
mod durability;
mod failover;
mod footprint;
mod late_calls;
mod namespace;
mod ownership;
mod refusals;
mod remembered;
mod sentinel;
mod suite;
mod support;
mod sweep;
#[cfg(feature = "tls")]
mod tls;
