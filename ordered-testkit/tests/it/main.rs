//! The testkit itself.

mod documents;
mod memory_transport;
mod server;
mod simulation;
mod store;
