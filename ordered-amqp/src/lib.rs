//! RabbitMQ as a transport of `ordered`.
//!
//! ```no_run
//! # async fn example() -> Result<(), ordered_core::transport::TransportError> {
//! use ordered_amqp::Amqp;
//!
//! let transport = Amqp::connect("amqp://guest:guest@localhost/%2f").queue("order-events").await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Queues
//!
//! | queue | holds | declared as |
//! |---|---|---|
//! | `order-events` | the events | used as it is; if it is missing, a durable quorum queue |
//! | `order-events.dead` | dead letters | likewise |
//! | `order-events.defer.<ms>` | events deferred by so many milliseconds | a durable quorum queue, when first needed |
//!
//! A quorum queue that is declared here has `order-events.dead` as its dead-letter queue, because RabbitMQ 4 drops
//! what it has delivered [20 times](https://www.rabbitmq.com/docs/quorum-queues#poison-message-handling) otherwise.
//! Give one that you declare yourself a dead-letter queue too, or no delivery limit.
//!
//! A queue that is there and was declared otherwise is used as it is. What of its arguments breaks a promise, a limit
//! that drops the oldest events for instance, is told in the log when the transport starts, and refused with
//! [`strict`](AmqpBuilder::strict). What an operator has set by a policy is not seen.
//!
//! # Exchanges
//!
//! [`AmqpBuilder::bind`] binds the queue to an exchange, [`AmqpBuilder::exchange`] says of which kind the exchange is,
//! [`AmqpBuilder::argument`] gives the queue an argument, and [`AmqpBuilder::dead_letter_exchange`] lets dead letters
//! go through an exchange. All of it is declared when the transport starts, by a publisher of the queue too, and again
//! when the queue was deleted.
//!
//! # Partitions
//!
//! [`AmqpBuilder::partitions`] spreads the events over several queues by their keys, each of which the broker gives to
//! one worker at a time:
//!
//! | what | holds | declared as |
//! |---|---|---|
//! | the exchange `order-events.partitions` | | `x-consistent-hash`, or else `x-modulus-hash`: durable |
//! | `order-events.0`, `order-events.1`, … | the events of some of the keys | durable quorum queues with `x-single-active-consumer` |
//! | `order-events.workers` | nothing: its consumers are the workers, which are counted by it | a durable classic queue |
//! | the exchange `order-events.defer.<ms>` | | fanout, durable, before the queue of that name |
//!
//! A worker that gets the events of more partitions than its share hands some over, so that the workers come to have as
//! many each. How, and what it means to change their number: `docs/partitions.md`.
//!
//! # What happens to a delivery
//!
//! - *Acknowledged*: acknowledgements are coalesced, one frame for all that lie before the oldest unsettled delivery.
//!   Those behind it wait for it to be settled, for half a second at most, and go out earlier where they are more than
//!   three quarters of the prefetch.
//! - *Deferred*: a copy waits in a queue whose messages expire back into the original queue. The delay is rounded up:
//!   to 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3 600 or 21 600 seconds, beyond that to whole days, 49 at most.
//!   These queues stay when they are empty: RabbitMQ would delete an expiring queue [with its
//!   messages](https://www.rabbitmq.com/docs/ttl#queue-ttl).
//! - *Dead letter*: a copy goes to the queue of dead letters, with the headers `x-ordered-reason` (the kind),
//!   `x-ordered-reason-text`, `x-ordered-queue`, `x-ordered-exchange` and `x-ordered-routing-key`.
//!
//! A copy has the body, the headers and the properties of the original, except `expiration`, `user_id`, `CC` and
//! `BCC`, which would make it expire, be refused, or go elsewhere. Where the headers do not all fit into a frame with
//! those that are added, the largest are left out. The original is acknowledged once the broker has
//! confirmed the copy. Nothing is ever rejected or requeued.
//!
//! A copy that the broker does not take is sent again for as long as the original is out, and `settle` waits for it
//! (also when its future is dropped, it goes on). Acknowledgements in the same call do not wait.
//!
//! # Looking at dead letters
//!
//! [`AmqpBuilder::dead_letters`] reads the queue of dead letters and puts them back, as `ordered dead` and
//! `ordered redrive` do. To look at a message is a delivery, and RabbitMQ 4 drops a message of a quorum queue after
//! twenty. So a letter that was delivered ten times is put at the end of its queue as a new message when it is looked
//! at again.
//!
//! # Events
//!
//! Headers that are text, numbers or flags are in [`Envelope::headers`](ordered_core::event::Envelope), as text: of
//! every type of AMQP but tables, arrays, nothing, and bytes that are not UTF-8. So the key, the seq or the id may be
//! one: `seq = "header:version"`.
//!
//! The properties of a message are headers, too, with a prefix that is reserved for them:
//!
//! | header | property |
//! |---|---|
//! | `amqp.message_id` | `message_id` |
//! | `amqp.type` | `type` |
//! | `amqp.correlation_id` | `correlation_id` |
//! | `amqp.app_id` | `app_id` |
//! | `amqp.content_type` | `content_type` |
//! | `amqp.content_encoding` | `content_encoding` |
//! | `amqp.timestamp` | `timestamp`, in seconds; not where the header `timestamp_in_ms` says it more exactly |
//! | `amqp.routing_key` | the routing key that the producer published with, also of an event that was deferred or redriven; not where it published to no exchange, since it is the name of the queue then |
//!
//! `#[ordered_handler(key = "header:amqp.routing_key", seq = "header:version", id = "header:amqp.message_id")]` takes
//! all three from around the body. A publisher sends a reserved header as the property (the last two are not its to
//! say); a header that a producer names so is dropped.
//!
//! [`published_at`](ordered_core::event::Envelope) is the header `timestamp_in_ms`, else the property `timestamp`,
//! which has seconds.
//!
//! # Credentials that change
//!
//! [`AmqpBuilder::credentials`] asks a callback, or a file with
//! [`PasswordFile`](ordered_core::credentials::PasswordFile), at each connection. While RabbitMQ refuses the login, the
//! transport tries again, and the worker is not ready. Refused for longer than [`AmqpBuilder::refused_for`], it ends
//! with the error.
//!
//! # When the broker is unavailable
//!
//! Starting fails with what to do about it. Later on the transport reconnects for ever (unless the login is refused);
//! what was unsettled is delivered again, and tokens of the old connection settle nothing. Consuming and publishing
//! have a connection each, so that acknowledgements get through while a broker that is short of memory [takes
//! nothing](https://www.rabbitmq.com/docs/alarms#effects-on-publishers).
//!
//! # When a queue is deleted
//!
//! What was in it is gone; the transport declares it again and goes on. Two mistakes of RabbitMQ before 4.0 stand in
//! the way, and are worked around: the server may consume from the new quorum queue by itself, in the name of a
//! consumer of the old one, and then deliver to nobody (so the consumer asks to be cancelled instead, which an old
//! server refuses for a quorum queue, with an error in its log, and is then made to by a limit of the channel); and it
//! may never again read from a connection that was publishing to the queue (so a connection that owes a confirm for ten
//! seconds is replaced).
//!
//! RabbitMQ 3.10 or later.
//!
//! # Features
//!
//! - `tls`: `amqps://` addresses, with rustls and the certificates of the system.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod ack_window;
mod address;
mod backoff;
mod broker;
mod builder;
mod dead_letters;
mod declared_queue;
mod decoded_message;
mod delay;
mod envelope;
mod exchange;
mod failure;
mod frame;
mod headers;
#[cfg(test)]
mod hostile;
mod lapin_runtime;
mod leader;
mod names;
mod outgoing;
mod partitions;
mod properties;
mod publisher;
mod publisher_connection;
mod publisher_link;
mod queue_consumer;
mod queues;
mod rebalance;
mod received_message;
mod reconnect;
mod republish;
mod session;
mod shared;
mod subscribe;
mod topology;
mod transport;

pub use builder::{AmqpAddress, AmqpBuilder};
pub use dead_letters::AmqpDeadLetters;
pub use exchange::{Argument, ExchangeKind};
pub use publisher::{AmqpPublisher, RoutingKey};
pub use queues::{AmqpQueue, QueueRole};
pub use topology::QueueKind;
pub use transport::Amqp;
