//! The Redis store against real servers.

#[cfg(feature = "cluster")]
mod cluster;
mod crew;
mod durability;
mod failover;
mod footprint;
mod late_calls;
mod ownership;
mod refusals;
mod remembered;
mod sentinel;
mod suite;
mod support;
#[cfg(feature = "tls")]
mod tls;
