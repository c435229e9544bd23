//! What operators see and do, over the store in memory.

mod ownership;
mod stage;
mod store;
mod verbs;
mod views;
