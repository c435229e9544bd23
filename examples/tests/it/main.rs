//! The example as its users run it: real processes, a real RabbitMQ and a real Redis.

mod bad_input;
mod orders;
mod outages;
mod steady;
mod workers;
