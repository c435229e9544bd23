//! Exactly-once effects: handlers with a transaction, and transactions with a guard.

mod bad_setups;
mod batches;
mod crashes;
mod guard;
mod handlers;
mod positions;
mod sqlx;
mod support;
mod zombies;
