// The README shows them all together, and its examples are tests.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    all(feature = "macros", feature = "redis", feature = "amqp"),
    doc = include_str!("../README.md")
)]
#![cfg_attr(
    not(all(feature = "macros", feature = "redis", feature = "amqp")),
    doc = "Consume events in order per key, and once, from transports that guarantee neither."
)]

mod app;
mod connect;
#[cfg(feature = "opentelemetry")]
pub mod opentelemetry;
#[cfg(feature = "prometheus")]
pub mod prometheus;
mod signal;
mod worker;

pub use app::{App, AppError};
pub use connect::{ConnectError, publisher, store, transport};
pub use signal::shutdown_signal;
pub use worker::Worker;

#[cfg(feature = "admin")]
pub use ordered_core::admin::{Admin, OperateError, OperateOptions};
pub use ordered_core::event::{Envelope, EventId, Key, Seq};
#[cfg(feature = "admin")]
pub use ordered_core::explain::{Explanation, explain};
pub use ordered_core::handler::{
    Backoff, CloudEvent, Context, ContextParts, Decode, FromContext, Handler, HandlerError,
    Malformed, Next, OnExhausted, OnPassed, OnRepeat, OnStateLoss, Permanent, RetryAfter, Router,
    State, Unhandled,
};
pub use ordered_core::protocol::{Fence, GapPolicy, Order, Start, WorkerId};
pub use ordered_core::store::{MemoryStore, Store};
pub use ordered_core::transport::{MemoryBroker, MemoryTransport, Publish, Transport};
pub use ordered_core::worker::{
    BuildError, Control, Health, HealthReport, Settings, StuckBecause, StuckKey, WorkerBuilder,
    WorkerError, WorkerEvent, Workers, WorkersError, end_drains,
};

/// The parts for those who extend the framework: the protocol, and the traits of stores and transports.
pub use ordered_core as core;

/// Makes a handler of an async function; a unit test calls it as the function it was.
///
/// ```
/// use ordered_events::{Handler, HandlerError, Permanent, State, ordered_handler};
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct OrderEvent {
///     order_id: String,
///     seq: u64,
///     amount: String,
/// }
///
/// /// The prices of the shop, say.
/// type Db = std::collections::HashMap<String, u32>;
///
/// #[ordered_handler(key = "order_id", seq = "seq", give_up_after = "2h", dedup_ttl = "7d")]
/// async fn apply_order(event: OrderEvent, State(db): State<Db>) -> Result<(), HandlerError> {
///     let amount: u32 = event.amount.parse().permanent()?; // No further try will fix it.
///     let price = db.get(&event.order_id).ok_or("the price is not known yet")?; // Tried again later.
///     println!("order {} #{}: {}", event.order_id, event.seq, amount * price);
///     Ok(())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let event = OrderEvent { order_id: "order-123".into(), seq: 1, amount: "two".into() };
/// let error = apply_order(event, State(Db::new())).await.unwrap_err();
/// assert!(error.is_permanent());
///
/// assert_eq!(apply_order.options().group, "apply_order");
/// # }
/// ```
#[cfg(feature = "macros")]
pub use ordered_macros::ordered_handler;

pub use ordered_core::publish::{
    AfterReport, HeldUp, InvalidEvent, NewEvent, NotPublished, NotPublishedKind, OrderedEvent,
    Outgoing, Payload, Publisher, PublisherBuilder, PublisherStatus, Receipt, StampedEvent,
};
/// Makes a struct an event that can be published, staged in the outbox, or numbered by a `Sequencer`.
///
/// ```
/// use ordered_events::{HandlerError, MemoryBroker, OrderedEvent, Publisher, ordered_handler};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, OrderedEvent)]
/// #[ordered(key = "account_id", id = "payment_id", event_type = "debited")]
/// struct Debited {
///     account_id: String,
///     payment_id: String,
///     seq: u64,
///     cents: i64,
///     #[ordered(header = "x-tenant")]
///     tenant: String,
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // In the service. The broker is one in memory here:
/// let publisher = Publisher::builder(MemoryBroker::new()).build()?;
/// let event = Debited {
///     account_id: "account-17".into(),
///     payment_id: "payment-5".into(),
///     seq: 1,
///     cents: 500,
///     tenant: "acme".into(),
/// };
/// publisher.publish(&event).await?;
///
/// // In the worker:
/// #[ordered_handler(key = "account_id", seq = "seq", id = "payment_id")]
/// async fn apply(event: Debited) -> Result<(), HandlerError> {
///     println!("{} cents", event.cents);
///     Ok(())
/// }
/// # Ok(())
/// # }
/// ```
///
/// Where several producers send events of one key, its fields take what the clock of the producer says
/// ([`StampedEvent`]):
///
/// ```
/// use ordered_events::core::logical::VectorClock;
/// use ordered_events::{OrderedEvent, StampedEvent};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, OrderedEvent)]
/// #[ordered(key = "post", producer = "author", clock = "vector")]
/// struct Comment {
///     post: String,
///     author: String,
///     vector: VectorClock,
///     text: String,
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut bob: VectorClock = serde_json::from_str(r#"{"ada": 2}"#)?; // What he has read below this post.
/// let mut reply = Comment {
///     post: "holidays".into(),
///     author: "bob".into(),
///     vector: VectorClock::default(),
///     text: "to the sea!".into(),
/// };
/// assert!(reply.to_event().is_err(), "it is not stamped");
/// reply.stamp(&mut bob)?;
/// assert_eq!(serde_json::to_string(&reply.vector)?, r#"{"ada":2,"bob":1}"#);
/// assert_eq!(reply.to_event()?.key.as_str(), "holidays");
/// # Ok(())
/// # }
/// ```
#[cfg(feature = "macros")]
pub use ordered_macros::OrderedEvent;

#[cfg(feature = "amqp")]
pub use ordered_amqp::{Amqp, Argument, ExchangeKind, QueueKind, RoutingKey};
#[cfg(feature = "kafka")]
pub use ordered_kafka::Kafka;
/// The outbox with its relay, and the inbox, on Postgres.
#[cfg(feature = "postgres")]
pub use ordered_postgres as postgres;
#[cfg(feature = "postgres")]
pub use ordered_postgres::{Inbox, Tx};
#[cfg(feature = "redis")]
pub use ordered_redis::{RedisStore, Sequencer, sequencer};
#[cfg(feature = "sqs")]
pub use ordered_sqs::Sqs;

/// What the code generated by the macro names. Not for use by hand.
#[doc(hidden)]
pub mod __private;

/// The examples of the guides are tests.
#[cfg(all(doctest, feature = "macros"))]
#[doc = include_str!("../../docs/several-handlers.md")]
struct SeveralHandlers;

#[cfg(all(doctest, feature = "macros"))]
#[doc = include_str!("../../docs/other-formats.md")]
struct OtherFormats;

#[cfg(all(doctest, feature = "macros"))]
#[doc = include_str!("../../docs/moving-an-existing-consumer.md")]
struct MovingAnExistingConsumer;

#[cfg(all(doctest, feature = "macros", feature = "prometheus"))]
#[doc = include_str!("../../docs/deploying.md")]
struct Deploying;
