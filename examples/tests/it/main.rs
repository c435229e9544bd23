//! The example as its users run it: real processes, a real RabbitMQ and a real Redis.

mod ahead;
mod arrival;
mod bad_input;
mod causal;
mod clocks;
#[cfg(feature = "kafka")]
mod kafka;
mod log;
#[cfg(feature = "prometheus")]
mod metrics;
mod outages;
mod oversized;
mod partitions;
mod payments;
mod poison;
mod producers;
mod secrets;
mod shop;
mod short_outage;
mod snapshots;
#[cfg(feature = "sqs")]
mod sqs;
mod steady;
#[cfg(feature = "prometheus")]
mod stopping;
mod strategies;
mod support;
mod workers;
