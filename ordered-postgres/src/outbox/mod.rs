//! Staging of events in the transaction that causes them.

mod columns;
mod counted;
mod stage;
#[cfg(feature = "sqlx")]
mod with_sqlx;
#[cfg(feature = "tokio-postgres")]
mod with_tokio_postgres;

pub use columns::Columns;
pub use counted::Counted;
/// An event to be staged: what becomes a row of `ordered_outbox`.
pub use ordered_core::publish::NewEvent as OutboxEvent;
pub use ordered_core::publish::{OrderedEvent, Payload};
pub use stage::{CHANNEL, MAX_BATCH, Outbox, OutboxTransaction, Staged};
