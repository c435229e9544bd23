//! The Redis store against real servers.

#[cfg(feature = "cluster")]
mod cluster;
mod durability;
mod failures;
mod footprint;
mod late_calls;
mod model;
mod namespace;
#[cfg(feature = "cluster")]
mod next_cluster;
mod next_footprint;
mod next_late_calls;
mod next_namespace;
mod next_ownership;
mod next_refusals;
mod next_remembered;
mod next_support;
mod next_sweep;
mod refusals;
mod remembered;
mod suite;
mod talk;
#[cfg(feature = "tls")]
mod tls;
