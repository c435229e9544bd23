//! Postgres for `ordered`: the outbox with its relay, and the inbox.

mod error;
pub mod inbox;
mod migrate;

pub use error::{PostgresError, PostgresErrorKind};
pub use inbox::{Inbox, Tx};
pub use migrate::{TABLES_VERSION, check_tables, migrate, migrations};
