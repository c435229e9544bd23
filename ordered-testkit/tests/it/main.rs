//! The testkit itself.

mod documents;
mod memory_publisher;
mod memory_transport;
mod proxy;
mod server;
mod simulation;
mod store;
mod test_worker;
