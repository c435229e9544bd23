//! The Redis store against real servers.

mod clock_steps;
#[cfg(feature = "cluster")]
mod cluster;
mod crash_loop;
mod credentials;
mod durability;
mod failover;
mod footprint;
mod late_calls;
mod namespace;
mod ownership;
mod refusals;
mod remembered;
mod sentinel;
mod sequencer;
mod state_loss;
mod suite;
mod support;
mod sweep;
#[cfg(feature = "tls")]
mod tls;
