//! Worker processes over a real Redis and a real RabbitMQ or Kafka, broken on purpose, and what happened held against
//! what is promised.
//!
//! `cargo run --release -p faults -- all` is the command; see `docs/internals/faults.md`.

mod catalog;
mod environment;
mod fault;
mod final_state;
mod injections;
mod journal;
pub mod money;
mod order;
mod orders;
pub mod report;
mod run;
mod schedule;
pub mod worker;

pub use catalog::faults;
pub use environment::Servers;
pub use fault::{Broker, Fault, Injection};
pub use orders::Sequencing;
pub use run::{Plan, run};

/// What may go wrong with the suite itself.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
