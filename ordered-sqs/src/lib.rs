//! Amazon SQS as a transport of `ordered`, for standard and FIFO queues.
//!
//! ```no_run
//! # async fn example() -> Result<(), ordered_core::transport::TransportError> {
//! use ordered_sqs::Sqs;
//!
//! // Region, credentials and endpoint as every tool of AWS finds them: environment, profile, role.
//! let orders = Sqs::connect("sqs://order-events").await?;
//!
//! // A producer, with all said for an emulator.
//! let producer = Sqs::connect("sqs://test:test@order-events.fifo?region=us-east-1&endpoint=http://127.0.0.1:4566")
//!     .message_group("order_id")
//!     .publisher()
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! # The URL
//!
//! `sqs://[KEY:SECRET@]QUEUE[?region=…][&endpoint=…][&account=…][&message_group=…]`, with everything optional: the
//! queue may be given with [`SqsBuilder::queue`], `account` is that of a queue of somebody else, `message_group` is
//! what [`SqsBuilder::message_group`] says, and key and secret (percent-encoded) are meant for emulators. Elsewhere
//! leave them to the [usual chain][chain], which also knows `AWS_ENDPOINT_URL_SQS`. Profiles of `aws sso login` need
//! this crate's feature `sso`.
//!
//! # What happens to an event
//!
//! | the worker says | here |
//! |---|---|
//! | acknowledge | `DeleteMessageBatch`, ten at a time; what fails in a batch is deleted alone |
//! | defer | `ChangeMessageVisibility`, in whole seconds rounded up, and [twelve hours][visibility] since the receive at the most |
//! | dead letter | sent to the target of the queue's redrive policy, else to `<queue>-dead` (`<queue>-dead.fifo`), which is created where that is allowed; then deleted |
//! | nothing yet | its visibility timeout is extended when a third has passed, counted from the call that received it |
//!
//! A receipt that has expired is [no longer good][receipt]: nothing is done with it, and the event comes again.
//!
//! A message is text of [certain characters][message], at least one and at most 1 MiB with all its attributes. A body
//! that is not, such as bytes or nothing at all, is sent in base64 and says so in an [attribute](names::ENCODING).
//! Headers are message attributes; SQS allows ten, and the rest go into [one of JSON](names::HEADERS).
//!
//! # Attributes that break a promise
//!
//! At the start a line of the log says of each attribute of the queue what it breaks and what to do: a visibility
//! timeout of less than ten seconds, a redrive policy with fewer than 100 receives, a retention of less than a day, a
//! delay that is longer than the handler's `gap_timeout`, content-based deduplication where key, seq or id are
//! attributes, and a handler that may take longer than SQS keeps a message out of sight. With
//! [`strict`](SqsBuilder::strict) such a queue is refused.
//!
//! # FIFO queues
//!
//! An event has its message group, its deduplication id and its place in the queue as headers, under the [`names`]
//! given here, so that a handler can take its key from the group and its id from the deduplication id. A queue delivers
//! [no more of a group][fifo] while one of its messages is out, so the worker, which stores what came too early and
//! acknowledges it, blocks a group for a moment only. An event that is deferred does block its group; what this
//! consumer has received of the group but not handed out yet is given back, so that it does not overtake.
//!
//! # Looking at dead letters
//!
//! [`SqsBuilder::dead_letters`] reads the queue of dead letters and puts them back, as `ordered dead` and
//! `ordered redrive` do. What is read is out of sight of others for two minutes at the most. Of a FIFO queue it sees no
//! more than ten of a message group at a time.
//!
//! # Permissions
//!
//! A consumer needs `sqs:GetQueueUrl`, `GetQueueAttributes`, `ReceiveMessage`, `DeleteMessage` and
//! `ChangeMessageVisibility` on its queue, and `GetQueueUrl`, `SendMessage` and, unless it exists, `CreateQueue` on the
//! one for dead letters; to look at dead letters and to put them back, what a consumer needs, on the one for dead
//! letters, and `SendMessage` on the queue; a producer needs `GetQueueUrl` and `SendMessage`.
//!
//! [chain]: https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
//! [visibility]: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
//! [receipt]: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-identifiers.html
//! [message]: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
//! [fifo]: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html
#![cfg_attr(docsrs, feature(doc_cfg))]

mod address;
mod builder;
mod calls;
mod client;
mod consumer;
mod dead_letters;
mod failure;
mod heartbeat;
#[cfg(test)]
mod hostile;
mod link;
mod message;
pub mod names;
mod options;
mod polling;
mod publish;
mod publisher;
mod queue_attributes;
mod queue_check;
mod redrive;
mod settling;
mod sqs;
mod unsettled;
mod visibility;

pub use builder::SqsBuilder;
pub use publisher::SqsPublisher;
pub use redrive::SqsDeadLetters;
pub use sqs::Sqs;
