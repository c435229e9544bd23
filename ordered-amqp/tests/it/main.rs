//! The RabbitMQ transport against real servers.

mod broken_promises;
mod closing;
mod credentials;
mod faults;
mod hostile;
mod messages;
mod partitions;
mod publisher_suite;
mod queues;
mod redrive;
mod settling;
mod start;
mod suite;
mod support;
#[cfg(feature = "tls")]
mod tls;
mod topology;
