//! The testkit itself.

mod server;
mod store;
