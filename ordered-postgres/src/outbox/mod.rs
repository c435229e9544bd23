//! Staging of events in the transaction that causes them.

mod columns;
mod counted;
mod event;
mod stage;
#[cfg(feature = "sqlx")]
mod with_sqlx;
#[cfg(feature = "tokio-postgres")]
mod with_tokio_postgres;

pub use columns::Columns;
pub use counted::Counted;
#[doc(hidden)]
pub use event::{HeaderValue, invalid_event, outbox_event};
pub use event::{OrderedEvent, OutboxEvent, Payload};
pub use stage::{CHANNEL, MAX_BATCH, Outbox, OutboxTransaction, Staged};
