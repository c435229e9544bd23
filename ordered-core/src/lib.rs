//! The core of `ordered`: the ordering [protocol], the [`Store`](store::Store) and
//! [`Transport`](transport::Transport) traits with their in-memory versions, and the [`worker`] that joins them.
//!
//! Applications depend on `ordered-events`, which re-exports what they need of this crate; authors of stores and
//! transports depend on this crate.
//!
//! | who | needs |
//! |---|---|
//! | writes handlers without the macro | [`handler`], [`event`] |
//! | runs workers | [`worker`]; [`clock`] for tests |
//! | writes a store | [`store`], and the [`Policy`](protocol::Policy) of a group |
//! | writes a transport | [`transport`], [`publish`], [`credentials`] |
//! | sends events from several places | [`publish`], [`logical`] |
//! | writes tools for operators | `admin` and `explain` (the feature `admin`), and the verbs and views of [`protocol`] |
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
#[doc(hidden)]
pub mod internal;
pub mod logical;
pub mod protocol;
pub mod publish;
#[doc(hidden)]
pub mod readable;
pub mod store;
pub mod transport;
mod words;
pub mod worker;
