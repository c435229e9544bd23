//! Tests on a private Postgres server.

mod migrating;
mod support;
