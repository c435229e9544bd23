//! One file a command, or a few that are alike.

pub(crate) mod audit;
pub(crate) mod broker_dead;
pub(crate) mod completions;
pub(crate) mod dead;
pub(crate) mod edit;
pub(crate) mod errors;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod held;
pub(crate) mod import;
pub(crate) mod keys;
#[cfg(feature = "postgres")]
pub(crate) mod outbox;
pub(crate) mod pause;
pub(crate) mod queues;
pub(crate) mod redrive;
#[cfg(feature = "postgres")]
pub(crate) mod relay;
pub(crate) mod replay;
pub(crate) mod show;
pub(crate) mod status;
pub(crate) mod verbs;
pub(crate) mod verify;
pub(crate) mod workers;

mod broker_letters;
mod effect;
#[cfg(feature = "postgres")]
mod import_postgres;
mod many;
mod many_report;
mod operate;
#[cfg(feature = "postgres")]
mod outbox_requests;
mod positions;
