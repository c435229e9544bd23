//! Tests on a private Postgres server.

mod bad_setups;
mod migrating;
mod numbering;
mod staging;
mod support;
