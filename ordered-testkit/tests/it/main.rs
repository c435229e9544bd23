//! The testkit itself.

mod memory_transport;
mod server;
mod simulation;
mod store;
