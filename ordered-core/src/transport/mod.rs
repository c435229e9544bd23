//! Where events come from and where they are settled.

mod dead_letters;
mod error;
mod memory;
mod publish;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

pub use dead_letters::{BrokerDeadLetter, DeadLetters, dead_letter_header};
pub use error::{TransportError, TransportErrorKind};
pub use memory::{Faults, MemoryBroker, MemoryTransport, shuffle_within};
pub use publish::{Flow, Publish};

use crate::event::Envelope;

/// The header of an event that the group had settled before, and that was made to come again on purpose: a transport
/// adds it where it knows that it reads a part of its queue anew, and who publishes old events again may add it, with
/// any value.
///
/// A worker takes such an event as any other. Where it is [stale](ReasonKind::Stale), that is what was to be expected:
/// it is acknowledged and counted apart, whatever `on_stale` says.
pub const REWOUND: &str = "x-ordered-rewound";

/// Names one delivery to the transport that made it. A transport never gives the same token twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// An event as it came in, with the token to settle it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// To settle it by.
    pub token: Token,
    /// The event.
    pub envelope: Envelope,
    /// Whether the broker says that it delivered the event before.
    pub redelivered: bool,
}

/// What happens to a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// Which delivery.
    pub token: Token,
    /// What happens to it.
    pub disposition: Disposition,
}

/// What happens to a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disposition {
    /// The broker may forget it.
    Ack,
    /// The broker delivers it again, not before this time has passed.
    Defer(Duration),
    /// It is dead-lettered for a person to look at, with the reason.
    DeadLetter(Reason),
}

/// Why an event was dead-lettered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The kind, for counting.
    pub kind: ReasonKind,
    /// A sentence for a person.
    pub text: String,
}

/// The kinds of reasons for which a delivery is dead-lettered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReasonKind {
    /// It cannot be read as an event of the handler, or lacks a valid key, seq or id.
    Malformed,
    /// Another event has its seq.
    Conflict,
    /// It came after its seq was passed over.
    Late,
    /// Its seq was committed before, under an id that is not remembered.
    Stale,
}

impl ReasonKind {
    /// The word for headers, logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Conflict => "conflict",
            Self::Late => "late",
            Self::Stale => "stale",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.as_str(), self.text)
    }
}

/// What the worker asks of a transport when it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsumeOptions {
    /// How many deliveries may be unsettled at a time, over all.
    pub max_unsettled: usize,
}

/// In which order a transport hands deliveries over, for groups whose order is `arrival`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeliveryOrder {
    /// It is not known.
    Unknown,
    /// All of them in the order in which they were published, as long as one worker consumes the queue. Several
    /// consumers of one queue get them in no order.
    OneQueue,
    /// One worker at a time gets them, in the order in which they were published.
    OneConsumer,
    /// Those of one partition in their order, to one worker at a time.
    PerPartition,
    /// Those of one message group in their order, one at a time.
    PerMessageGroup,
    /// In any order.
    None,
}

impl DeliveryOrder {
    /// As a sentence for the log of a worker that starts.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Unknown => "the transport does not say in which order it hands events over",
            Self::OneQueue => {
                "the queue hands events over as they were published while one worker consumes it: with several, there \
                 is no order between what different workers are handed, nor for what is delivered again"
            }
            Self::OneConsumer => {
                "one worker at a time consumes the queue, and is handed its events as they were published"
            }
            Self::PerPartition => {
                "the events of one partition are handed over as they were published: those of one key, for as long as \
                 they are put into one partition"
            }
            Self::PerMessageGroup => {
                "the events of one message group are handed over as they were sent: those of one key, if it is their \
                 message group"
            }
            Self::None => {
                "the queue hands events over in any order: each runs once and alone, and that is all that `arrival` \
                 can promise"
            }
        }
    }

    /// Whether there is an order to keep, whatever the number of workers.
    #[must_use]
    pub const fn is_ordered(self) -> bool {
        matches!(
            self,
            Self::OneConsumer | Self::PerPartition | Self::PerMessageGroup
        )
    }
}

/// What a worker does with deliveries, as far as it may not fit the settings of a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerProfile {
    /// How long the handler may take for one event.
    pub handler_timeout: Duration,
    /// How many workers may die while they run one event: it may be delivered once more for each of them.
    pub max_crashes: u32,
    /// After how long something is done about an event that does not come.
    pub gap_timeout: Option<Duration>,
    /// The key, the seq or the id of an event is read from its headers.
    pub reads_headers: bool,
}

impl WorkerProfile {
    /// These, and no others.
    #[must_use]
    pub const fn new(handler_timeout: Duration, max_crashes: u32) -> Self {
        Self {
            handler_timeout,
            max_crashes,
            gap_timeout: None,
            reads_headers: false,
        }
    }

    /// With this [gap timeout](WorkerProfile::gap_timeout).
    #[must_use]
    pub const fn with_gap_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.gap_timeout = timeout;
        self
    }

    /// Whether the handler [reads headers](WorkerProfile::reads_headers).
    #[must_use]
    pub const fn with_headers(mut self, are_read: bool) -> Self {
        self.reads_headers = are_read;
        self
    }
}

/// Whether deliveries can come.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportStatus {
    /// They can, as far as is known.
    Consuming,
    /// They cannot at the moment; the transport tries to reach the broker again.
    Unavailable {
        /// For how long.
        lasts: Duration,
        /// What the last attempt said.
        error: String,
    },
}

/// A source of events: a queue of a broker.
///
/// A transport delivers at least once, in any order it likes, and never decides about order itself. It reconnects by
/// itself, forever, with backoff; the tokens of a lost connection stay valid as names, and settling them does nothing.
/// It never hands a delivery back to the queue's head as a way to hold it.
///
/// Certified by the transport suite of `ordered-testkit`.
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a transport",
    note = "use `MemoryTransport`, the `Amqp` of the feature `amqp`, or implement `ordered_core::transport::Transport`"
)]
pub trait Transport: Send + Sync + 'static {
    /// Is called before `start` with what the worker does. A transport that knows the settings of the broker logs those
    /// that do not fit; it changes nothing else.
    fn set_worker_profile(&self, _worker: WorkerProfile) {}

    /// Names the queue, the same in every process that consumes from it; nothing where there is no such name.
    fn source(&self) -> Option<String> {
        None
    }

    /// In which order it hands deliveries over, as far as it knows after [`start`](Transport::start). It reports this
    /// and decides nothing about it.
    fn delivery_order(&self) -> DeliveryOrder {
        DeliveryOrder::Unknown
    }

    /// Whether deliveries can come, for the worker's health. Called often: it does not ask the broker.
    fn status(&self) -> TransportStatus {
        TransportStatus::Consuming
    }

    /// Begins to consume. Called before the first `receive`, until it succeeds once.
    ///
    /// # Errors
    /// When it cannot work as configured, with what to do about it. A broker that is unavailable at start is an error
    /// too, so that a wrong address is noticed; the worker calls this again for as long as its `connect_timeout` says.
    async fn start(&self, options: ConsumeOptions) -> Result<(), TransportError>;

    /// Waits for at least one delivery and returns those that are there, `max` at most.
    ///
    /// # Errors
    /// Only [`TransportErrorKind::Fatal`]: what passes is waited out inside.
    ///
    /// # Cancel safety
    /// A dropped future loses no delivery.
    async fn receive(&self, max: usize) -> Result<Vec<Delivery>, TransportError>;

    /// Settles deliveries, in any order. When it returns, dead letters and deferred deliveries are safe with the
    /// broker; acknowledgements may still be on their way, and one that is lost makes the broker deliver again.
    ///
    /// # Errors
    /// What could not be settled is delivered again by the broker; the caller does not repeat the call.
    async fn settle(&self, settlements: Vec<Settlement>) -> Result<(), TransportError>;

    /// Stops consuming: what is not settled goes back to the broker, which delivers it elsewhere.
    ///
    /// # Errors
    /// When the broker is unavailable; it then notices by itself.
    async fn close(&self) -> Result<(), TransportError>;
}
