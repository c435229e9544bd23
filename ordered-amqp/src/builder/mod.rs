mod validate;

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use lapin::types::ShortString;
use ordered_core::credentials::{CredentialSource, SharedCredentials};
use ordered_core::internal::REFUSED_FOR;
use ordered_core::transport::TransportError;

use crate::address::{Address, OwnParameters};
use crate::broker::Broker;
use crate::dead_letters::AmqpDeadLetters;
use crate::exchange::{Argument, ExchangeKind};
use crate::names;
use crate::publisher::{AmqpPublisher, Route, RoutingKey};
use crate::queues::{self, AmqpQueue};
use crate::topology::QueueKind;
use crate::transport::Amqp;

const NAME: &str = "ordered";
const REBALANCE_INTERVAL: Duration = Duration::from_secs(5);
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));

/// The address of a broker; [`queue`](AmqpAddress::queue) says what to consume there.
#[derive(Clone)]
#[must_use = "call `.queue(…)` to say what to consume"]
pub struct AmqpAddress {
    url: String,
}

impl AmqpAddress {
    pub(crate) fn new(url: String) -> Self {
        Self { url }
    }

    /// The queue to consume.
    pub fn queue(self, queue: impl Into<String>) -> AmqpBuilder {
        AmqpBuilder {
            url: self.url,
            queue: queue.into(),
            kind: None,
            declare: true,
            dead_letters: None,
            dead_letter_exchange: None,
            arguments: Vec::new(),
            exchanges: Vec::new(),
            bindings: Vec::new(),
            partitions: None,
            partition_key: None,
            rebalance_interval: REBALANCE_INTERVAL,
            defer_prefix: None,
            consumer_tag: String::new(),
            name: NAME.to_owned(),
            certificates: None,
            backoff: BACKOFF,
            credentials: None,
            refused_for: REFUSED_FOR,
            strict: false,
        }
    }

    /// A publisher to an exchange, which has to exist; it is connected when this returns. The routing key is a text,
    /// the same for all events, or [`RoutingKey::OfEvent`].
    ///
    /// # Errors
    /// When the broker cannot be reached or refuses, with what to do about it.
    pub async fn exchange(
        self,
        exchange: impl Into<String>,
        routing_key: impl Into<RoutingKey>,
    ) -> Result<AmqpPublisher, TransportError> {
        let (exchange, routing_key) = (exchange.into(), routing_key.into());
        if exchange.len() > names::MAX_NAME {
            return Err(TransportError::fatal("`exchange` is longer than 255 bytes"));
        }
        let route = match routing_key {
            RoutingKey::OfEvent => Route::ByKey,
            RoutingKey::Fixed(key) => Route::Fixed(
                ShortString::try_new(key)
                    .map_err(|_| TransportError::fatal("`routing_key` is longer than 255 bytes"))?,
            ),
        };
        let address = Address::parse(&self.url)?;
        if *address.own() != OwnParameters::default() {
            return Err(TransportError::fatal(
                "`partitions` and `key` of the address are for a queue, and this publishes to an exchange: leave them \
                 out, or take the publisher of the queue",
            ));
        }
        let broker = Broker {
            address,
            name: NAME.to_owned(),
            certificates: None,
            backoff: BACKOFF,
            credentials: None,
            refused_for: REFUSED_FOR,
        };
        let publisher = AmqpPublisher::new(broker, exchange.into(), route, None);
        publisher.connected().await
    }
}

/// Settings of an [`Amqp`] transport. Awaiting it connects and checks the settings against the broker.
#[derive(Clone)]
#[must_use = "await it to connect"]
pub struct AmqpBuilder {
    url: String,
    queue: String,
    kind: Option<QueueKind>,
    declare: bool,
    dead_letters: Option<String>,
    dead_letter_exchange: Option<String>,
    arguments: Vec<(String, Argument)>,
    exchanges: Vec<(String, ExchangeKind)>,
    bindings: Vec<(String, String)>,
    partitions: Option<u16>,
    partition_key: Option<String>,
    rebalance_interval: Duration,
    defer_prefix: Option<String>,
    consumer_tag: String,
    name: String,
    certificates: Option<String>,
    backoff: (Duration, Duration),
    credentials: Option<SharedCredentials>,
    refused_for: Duration,
    strict: bool,
}

impl AmqpBuilder {
    /// Declares the queue as this kind, and fails if there is one with other arguments.
    ///
    /// Left out, a queue that is there is used as it is, and one that is not is declared as a quorum queue.
    pub fn kind(mut self, kind: QueueKind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Whether queues that are missing are declared: the queue, the one for its dead letters, and those for delays.
    /// The default is yes; without it, the user needs no permission to configure.
    pub fn declare(mut self, declare: bool) -> Self {
        self.declare = declare;
        self
    }

    /// Whether to refuse a queue whose arguments break a promise, such as a limit that drops the oldest events. The
    /// default is no: then the log says so when the transport starts.
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// Where dead letters go; the default is `<queue>.dead`.
    pub fn dead_letter_queue(mut self, queue: impl Into<String>) -> Self {
        self.dead_letters = Some(queue.into());
        self
    }

    /// Through which exchange dead letters go, those of the worker and those that RabbitMQ drops, with the name of the
    /// dead-letter queue as the routing key. The exchange is declared (as a direct one, unless
    /// [`exchange`](Self::exchange) says otherwise) and the dead-letter queue bound to it; others may bind queues of
    /// their own. Left out, they go to the queue directly.
    pub fn dead_letter_exchange(mut self, exchange: impl Into<String>) -> Self {
        self.dead_letter_exchange = Some(exchange.into());
        self
    }

    /// Declares an exchange of this kind, durable, and fails if there is one of another kind.
    pub fn exchange(mut self, exchange: impl Into<String>, kind: ExchangeKind) -> Self {
        self.exchanges.push((exchange.into(), kind));
        self
    }

    /// Binds the queue to an exchange. May be called several times. An exchange that is there is used as it is; one
    /// that is missing is declared as a topic exchange, unless [`exchange`](Self::exchange) says another kind. Bindings
    /// that were made before stay: RabbitMQ removes none by itself.
    pub fn bind(mut self, exchange: impl Into<String>, routing_key: impl Into<String>) -> Self {
        self.bindings.push((exchange.into(), routing_key.into()));
        self
    }

    /// Spreads the events by their keys over so many queues, 1 to 256, in place of one: `<queue>.0`, `<queue>.1` and so
    /// on, each of which the broker gives to one worker at a time. So nearly all events of a key come to the worker
    /// that has the key already, in order, and cost the store less. An exchange `<queue>.partitions` hashes the routing
    /// key, which is the key of the event; a [publisher](Self::publisher) with the same setting publishes there. The
    /// parameter `partitions` of the address says the same.
    ///
    /// The number may grow at any time, without draining: where the order is by seq, an event that comes to another
    /// worker waits for its turn. See `docs/partitions.md`.
    pub fn partitions(mut self, partitions: u16) -> Self {
        self.partitions = Some(partitions);
        self
    }

    /// Where a published event has the key that chooses its partition: the header of this name, or else the top-level
    /// field of its JSON. Left out, it is the key that the event is published with; an event without any goes to some
    /// partition. The parameter `key` of the address says the same.
    pub fn partition_key(mut self, name: impl Into<String>) -> Self {
        self.partition_key = Some(name.into());
        self
    }

    /// How often a worker that has more than its share of the partitions hands the others over, about. The default is 5
    /// seconds; [`Duration::MAX`] is never. What it has received of a partition by then is given as long again to be
    /// done.
    pub fn rebalance_interval(mut self, interval: Duration) -> Self {
        self.rebalance_interval = interval;
        self
    }

    /// An argument that the queue is declared with, such as `("x-max-length", 100_000)`; it goes before what is usual
    /// here. A queue that is there with other arguments is then an error.
    pub fn argument(mut self, name: impl Into<String>, value: impl Into<Argument>) -> Self {
        self.arguments.push((name.into(), value.into()));
        self
    }

    /// What the names of the queues of deferred events begin with; the default is `<queue>.defer`, which makes
    /// `<queue>.defer.<milliseconds>`.
    pub fn defer_queue_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.defer_prefix = Some(prefix.into());
        self
    }

    /// The consumer tag, as RabbitMQ's tools show it; left out, RabbitMQ makes one up.
    pub fn consumer_tag(mut self, tag: impl Into<String>) -> Self {
        self.consumer_tag = tag.into();
        self
    }

    /// The name of the connections, as RabbitMQ's tools show it.
    pub fn connection_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The first and the longest pause between attempts to reconnect; it doubles in between, and is shortened at
    /// random. The default is 100 milliseconds and 30 seconds.
    pub fn reconnect_backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.backoff = (first, longest);
        self
    }

    /// Who is asked for the password at each connection, and for the user where it says one, in place of those of the
    /// address: a closure `|| async { Ok(Credentials::password(…)) }`, or a
    /// [`PasswordFile`](ordered_core::credentials::PasswordFile).
    pub fn credentials(mut self, source: impl CredentialSource) -> Self {
        self.credentials = Some(SharedCredentials::new(source));
        self
    }

    /// How long RabbitMQ may refuse the login of a consumer that was connected before: until then it is tried again,
    /// and beyond it the worker ends with the error. The default is 5 minutes. A login that is refused at start is an
    /// error at once.
    pub fn refused_for(mut self, longest: Duration) -> Self {
        self.refused_for = longest;
        self
    }

    /// Certificates in PEM that are trusted besides those of the system, for `amqps://`.
    #[cfg(feature = "tls")]
    pub fn ca_certificates(mut self, pem: impl Into<String>) -> Self {
        self.certificates = Some(pem.into());
        self
    }

    /// A publisher to the queue, without a consumer; it is connected, and the queue declared, when this returns.
    ///
    /// # Errors
    /// When the broker cannot be reached or refuses, with what to do about it.
    pub async fn publisher(self) -> Result<AmqpPublisher, TransportError> {
        let (broker, topology, _) = self.validate()?;
        AmqpPublisher::to_queue(broker, topology).connected().await
    }

    /// The dead letters of the queue, to look at and to put back; it is connected when this returns. Nothing is
    /// declared.
    ///
    /// # Errors
    /// When the broker cannot be reached or refuses, or there is no queue of dead letters, with what to do about it.
    pub async fn dead_letters(self) -> Result<AmqpDeadLetters, TransportError> {
        let (broker, topology, _) = self.validate()?;
        AmqpDeadLetters::open(broker, topology.places).await
    }

    /// The queue, its partitions and the queue of its dead letters, with what waits in them and how many consume them.
    /// Nothing is declared; what does not exist is left out.
    ///
    /// # Errors
    /// When the broker cannot be reached or refuses, or there is no such queue, with what to do about it.
    pub async fn queues(self) -> Result<Vec<AmqpQueue>, TransportError> {
        let (broker, topology, _) = self.validate()?;
        queues::list(&broker, &topology).await
    }
}

/// How the queue, or its partitions, are consumed.
#[derive(Debug, Clone)]
pub(crate) struct ConsumerSettings {
    pub(crate) tag: String,
    pub(crate) rebalance_interval: Duration,
}

impl IntoFuture for AmqpBuilder {
    type Output = Result<Amqp, TransportError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(Amqp::open(self))
    }
}
