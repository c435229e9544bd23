//! The example as its users run it: real processes, a real RabbitMQ and a real Redis.

mod ahead;
mod bad_input;
mod handled;
mod killed;
mod load;
#[cfg(feature = "prometheus")]
mod metrics;
mod orders;
mod outages;
mod payments;
mod poison;
mod secrets;
#[cfg(feature = "sqs")]
mod sqs;
mod steady;
mod workers;
