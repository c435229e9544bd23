//! Staging of events in the transaction that causes them.

mod columns;
mod event;
mod stage;
#[cfg(feature = "sqlx")]
mod with_sqlx;
#[cfg(feature = "tokio-postgres")]
mod with_tokio_postgres;

pub use columns::Columns;
pub use event::{OutboxEvent, Payload};
pub use stage::{CHANNEL, MAX_BATCH, Outbox, OutboxTransaction, Staged};
