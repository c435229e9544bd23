//! Postgres for `ordered`: the outbox with its relay, and the inbox.

mod error;
mod migrate;

pub use error::{PostgresError, PostgresErrorKind};
pub use migrate::{TABLES_VERSION, check_tables, migrate, migrations};
