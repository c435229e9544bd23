//! Tests on a private Postgres server.

mod addresses;
mod bad_setups;
mod deriving;
mod failing_keys;
mod gaps;
mod inbox;
mod late_rows;
mod migrating;
mod numbering;
mod relaying;
mod repairing;
mod staging;
mod support;
mod takeover;
#[cfg(feature = "tls")]
mod tls;
