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
//!
//! # The parts
//!
//! | to | there is |
//! |---|---|
//! | write a handler | `#[ordered_handler]`; its arguments [`Context`], [`State`] and what implements [`FromContext`]; its errors [`HandlerError`], [`Permanent`], [`RetryAfter`]; [`Router`] for several types of events; [`Decode`] for formats beside JSON, [`CloudEvent`] |
//! | say how events are handled | [`Order`], [`Start`], [`GapPolicy`], [`Backoff`], [`OnExhausted`], [`OnPassed`], [`OnRepeat`], [`OnStateLoss`], [`Unhandled`] |
//! | run workers | [`Worker`] with its [builder](WorkerBuilder), [`App`] and [`Workers`] for several in one process, [`Settings`] from the environment, [`shutdown_signal`] |
//! | watch them | [`Health`], [`WorkerEvent`], [`StuckKey`]; the features `prometheus` and `opentelemetry` |
//! | publish | `#[derive(OrderedEvent)]` or [`NewEvent`], [`Publisher`], [`Control`] for what a producer says about a key; clocks of several producers in [`logical`]; numbers from the `sequencer` of the feature `redis`, the outbox of the feature `postgres` |
//! | connect | [`store`](store()), [`transport`](transport()) and [`publisher`] by URL; the types of a broker with its feature (`Amqp`, `Sqs`, `Kafka`, `RedisStore`); [`MemoryStore`] and [`MemoryBroker`] for tests; passwords that change: [`credentials`] |
//! | operate | `Admin` and `explain`, with the feature `admin` |
//! | extend | [`core`]: the traits of stores, transports and publishers, and the views of operators |

mod app;
mod connect;
#[cfg(feature = "opentelemetry")]
pub mod opentelemetry;
#[cfg(feature = "prometheus")]
pub mod prometheus;
mod signal;
mod worker;

pub use connect::{ConnectError, publisher, store, transport};

// Workers.
pub use app::{App, AppError};
pub use ordered_core::protocol::{Fence, WorkerId};
pub use ordered_core::worker::{
    BuildError, Control, DeferReason, EventRef, Health, HealthReport, NotReadyReason, Settings,
    StuckKey, StuckReason, WorkerBuilder, WorkerError, WorkerEvent, WorkerPhase, Workers,
    WorkersError, end_drains,
};
pub use signal::shutdown_signal;
pub use worker::Worker;

// Handlers, and how their events are handled.
pub use ordered_core::event::{Envelope, EventId, Key, Seq};
pub use ordered_core::handler::{
    Backoff, CloudEvent, Context, ContextParts, Decode, FromContext, Handler, HandlerError,
    Malformed, Next, OnExhausted, OnPassed, OnRepeat, OnStateLoss, Permanent, RetryAfter, Router,
    State, Unhandled,
};
pub use ordered_core::protocol::{GapPolicy, Order, Start};

// Stores and transports.
pub use ordered_core::credentials;
pub use ordered_core::store::{MemoryStore, Store};
pub use ordered_core::transport::{MemoryBroker, MemoryTransport, Publish, Transport};

// Operators.
#[cfg(feature = "admin")]
pub use ordered_core::admin::{Admin, OperateError, OperateOptions};
#[cfg(feature = "admin")]
pub use ordered_core::explain::{Explanation, explain};

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

// Publishing.
pub use ordered_core::logical;
pub use ordered_core::publish::{
    InvalidEvent, NewEvent, NotPublished, NotPublishedKind, OnNotPublished, OrderedEvent, Outgoing,
    Payload, Publisher, PublisherBlocked, PublisherBuilder, PublisherStatus, Receipt, StampedEvent,
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
/// use ordered_events::logical::VectorClock;
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
