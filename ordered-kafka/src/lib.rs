//! Apache Kafka as a transport of `ordered`.
//!
//! ```no_run
//! # async fn example() -> Result<(), ordered_core::transport::TransportError> {
//! use ordered_kafka::Kafka;
//!
//! let orders = Kafka::connect("kafka://broker-1:9092,broker-2:9092?group=billing")
//!     .topic("order-events")
//!     .await?;
//!
//! // A producer: events of one order go to one partition.
//! let producer = Kafka::connect("kafka://localhost")
//!     .topic("order-events")
//!     .key("order_id")
//!     .publisher()
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! # The URL
//!
//! `kafka://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]…][?PARAMETERS]`, with the port 9092 where there is none. User and
//! password are percent-encoded.
//!
//! | parameter | |
//! |---|---|
//! | `group` | the consumer group of Kafka; default: the name of the topic |
//! | `security` | `plaintext`, `ssl`, `sasl_plaintext` or `sasl_ssl`. Default: `plaintext`, and `sasl_ssl` with a user. `ssl` and `sasl_ssl` need the feature `tls` |
//! | `mechanism` | how the password is given: `PLAIN` (default), or with the feature `tls` `SCRAM-SHA-256`, `SCRAM-SHA-512` or `OAUTHBEARER` |
//! | `key` | what [`KafkaBuilder::key`] says |
//! | `properties` | a file with properties of the client, `name=value` on each line |
//! | a name with a dot | that [property of the client][properties], such as `ssl.ca.location` or `session.timeout.ms` |
//!
//! # What happens to an event
//!
//! | the worker says | here |
//! |---|---|
//! | acknowledge | its offset is settled. What is settled without a hole is committed, [five times a second](KafkaBuilder::commit_interval), and once more when a partition is given up or the worker closes |
//! | defer | it waits in memory and is delivered again. A partition of which [too many](KafkaBuilder::max_deferred) wait is paused |
//! | dead letter | written to `<topic>.dead` by an idempotent producer; its offset is settled once all replicas in sync have it |
//! | nothing yet | nothing behind it is committed. A partition that is read [too far ahead](KafkaBuilder::max_uncommitted) of it is paused |
//!
//! Nothing is committed of a partition after it was given up, and what was read of it before settles nothing any more:
//! whoever has the partition then is given it again, and the store recognises what is done.
//!
//! Partitions are paused, and the poll is not: a worker that has no room for more stays a member of its group.
//!
//! # Headers
//!
//! The headers of a record that are text are those of the event; of two with one name the last one counts. Beside them
//! an event has the key of its record, its partition, its offset and its time, under the [`names`] given here, so that
//! a handler can take its key from there: `key = "header:kafka.key"`.
//!
//! # Rights
//!
//! A worker needs DESCRIBE and READ on its topic, READ on its group and on
//! [`<group>.settled`](KafkaBuilder::settled_group), which it can do without, and DESCRIBE, WRITE and, unless it
//! exists, CREATE on the topic for dead letters; with DESCRIBE_CONFIGS on the topic and the cluster it says at the
//! start what they promise. To look at dead letters and to put them back takes what a worker needs, for the topic of
//! dead letters and the group of that name, and WRITE on the topic. A producer needs DESCRIBE and WRITE.
//!
//! [properties]: https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md
#![cfg_attr(docsrs, feature(doc_cfg))]

mod address;
mod builder;
mod config;
mod context;
mod dead_letters;
mod failure;
mod group;
#[cfg(test)]
mod hostile;
mod kafka;
mod link;
pub mod names;
mod offset_window;
mod options;
mod poll_loop;
mod properties;
mod publisher;
mod record;
mod redrive;
mod redrive_progress;
mod settled_offsets;
mod topic_check;
mod topic_description;
mod unsettled;

pub use builder::KafkaBuilder;
pub use kafka::Kafka;
pub use publisher::KafkaPublisher;
pub use redrive::KafkaDeadLetters;
