//! The testkit itself.

mod documents;
mod history;
mod memory_publisher;
mod memory_transport;
mod proxy;
mod server;
mod simulation;
mod store;
mod test_worker;
