//! The second edition of the protocol and of the store, beside the first until it takes its place.

pub mod admin;
pub mod protocol;
pub mod store;
