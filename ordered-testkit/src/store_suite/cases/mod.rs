//! The promises of a store, one function each; [`store_suite!`](crate::store_suite!) makes tests of them.
#![allow(missing_docs, reason = "the name of a case is what it promises")]

pub mod admin;
pub mod holding;
pub mod hostile;
pub mod inspect;
pub mod leases;
pub mod once;
pub mod order;
pub mod sweep;
pub mod trouble;
