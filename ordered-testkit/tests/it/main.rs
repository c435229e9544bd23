//! The testkit itself.

mod server;
