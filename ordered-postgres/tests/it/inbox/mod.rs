//! Exactly-once effects: handlers with a transaction, and transactions with a guard.

mod bad_setups;
mod batches;
mod crashes;
mod guard;
mod handlers;
mod metrics;
mod money;
mod positions;
#[cfg(feature = "sqlx")]
mod sqlx;
mod zombies;
