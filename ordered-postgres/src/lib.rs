//! Postgres for `ordered`: the outbox with its relay, and the inbox.
//!
//! An application stages its events in the transaction that causes them; [`Outbox`] numbers them there. A relay
//! publishes what is committed, in order per key. `docs/outbox.md` is the guide.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod error;
pub mod inbox;
mod migrate;
pub mod outbox;
mod pool;
pub mod relay;
pub mod repair;
pub mod status;
mod tls;

pub use error::{PostgresError, PostgresErrorKind};
pub use inbox::{Inbox, Tx};
pub use migrate::{TABLES_VERSION, check_tables, migrate, migrations};
pub use outbox::{OrderedEvent, Outbox, OutboxEvent, Payload, Staged};
pub use pool::connect;
pub use relay::{Relay, RelayBuilder};
pub use repair::OutboxRepair;
