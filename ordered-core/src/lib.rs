//! The core of `ordered`: the ordering [protocol], the [`Store`](store::Store) and
//! [`Transport`](transport::Transport) traits with their in-memory versions, and the [`worker`] that joins them.
//!
//! Applications depend on `ordered-events`, which re-exports what they need of this crate; authors of stores and
//! transports depend on this crate.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "admin")]
pub mod admin;
pub mod clock;
pub mod credentials;
mod error_text;
pub mod event;
#[cfg(feature = "admin")]
pub mod explain;
pub mod handler;
pub mod logical;
pub mod protocol;
pub mod publish;
pub mod readable;
pub mod store;
pub mod transport;
mod words;
pub mod worker;

#[doc(hidden)]
pub use error_text::write_with_causes;
