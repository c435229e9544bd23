//! Tests on a private Postgres server.

mod inbox;
mod migrating;
mod support;
