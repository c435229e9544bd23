//! The worker over the memory store and the memory transport, in paused time.

mod admin;
mod ahead;
mod backing_off;
mod batches;
mod blocking;
mod connecting;
mod failures;
mod faults;
mod gaps;
mod hooks;
mod hostile;
mod log;
mod operators;
mod orders;
mod outages;
mod pitfalls;
mod publishing;
mod purity;
mod refused;
mod repairing;
mod resources;
mod support;
