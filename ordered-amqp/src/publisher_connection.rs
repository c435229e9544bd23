use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{MaybeDone, maybe_done};
use futures_util::poll;
use lapin::options::BasicPublishOptions;
use lapin::types::ShortString;
use lapin::{Channel, Confirmation, Connection};
use tokio::time::timeout;

use crate::broker::{ANSWER, Broker, within};
use crate::frame::{HeaderLimit, TooLarge};
use crate::outgoing::Outgoing;
use crate::publisher_link::Link;
use crate::topology::Topology;

/// How many messages may wait for their confirms in one call.
const UNCONFIRMED: usize = 1_000;

/// A connection that only publishes, made when it is needed.
///
/// Apart from the one that consumes, because the broker stops reading from connections that publish while it is short
/// of memory or disk, and acknowledgements must get through
/// (<https://www.rabbitmq.com/docs/alarms#effects-on-publishers>).
#[derive(Debug)]
pub(crate) struct PublisherConnection {
    broker: Broker,
    /// Where delay queues lead back to; a publisher needs none.
    topology: Option<Topology>,
    purpose: &'static str,
    // tokio's mutex: it is held while connecting, so that many callers make one connection.
    link: tokio::sync::Mutex<Option<Arc<Link>>>,
}

/// Why a message was not taken.
#[derive(Debug, Clone)]
pub(crate) enum NotSent {
    /// The connection or the channel failed before the broker confirmed.
    Lost(lapin::Error),
    /// The broker was silent about it for too long; it may have taken it.
    Unconfirmed,
    /// No queue takes it.
    Unroutable,
    /// The broker refused it, as a full queue does.
    Refused,
    /// Its headers do not fit into a frame.
    TooLarge(TooLarge),
}

impl fmt::Display for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(error) => write!(f, "the connection failed: {error}"),
            Self::Unconfirmed => f.write_str(
                "RabbitMQ did not confirm in time; if that goes on, see whether the queue has a leader",
            ),
            Self::Unroutable => f.write_str("no queue takes the message"),
            Self::Refused => f.write_str("the queue refused the message"),
            Self::TooLarge(_) => f.write_str("its headers do not fit into a frame"),
        }
    }
}

impl PublisherConnection {
    pub(crate) fn new(broker: Broker, topology: Option<Topology>, purpose: &'static str) -> Self {
        Self {
            broker,
            topology,
            purpose,
            link: tokio::sync::Mutex::new(None),
        }
    }

    /// Takes a connection that has been made already.
    pub(crate) async fn adopt(&self, connection: Connection) {
        *self.link.lock().await = Some(Arc::new(Link::over(connection)));
    }

    /// Whether the connection that there is says that the broker takes nothing.
    pub(crate) async fn is_blocked(&self) -> bool {
        let link = self.link.lock().await;
        link.as_ref()
            .is_some_and(|link| link.is_connected() && link.is_blocked())
    }

    /// The same without waiting: false while a connection is being made.
    pub(crate) fn was_blocked(&self) -> bool {
        let link = self.link.try_lock();
        link.is_ok_and(|link| {
            link.as_ref()
                .is_some_and(|link| link.is_connected() && link.is_blocked())
        })
    }

    /// Publishes, in order, and waits for all the confirms; says of each what happened to it.
    pub(crate) async fn send(&self, messages: &[Outgoing]) -> Vec<Result<(), NotSent>> {
        match self.try_send(messages).await {
            Ok(outcomes) => outcomes,
            Err(error) => messages
                .iter()
                .map(|_| Err(NotSent::Lost(error.clone())))
                .collect(),
        }
    }

    async fn try_send(&self, messages: &[Outgoing]) -> lapin::Result<Vec<Result<(), NotSent>>> {
        let link = self.link().await?;
        let channel = match within(ANSWER, self.channel_on(&link, messages)).await {
            Ok(channel) => channel,
            Err(error) => {
                // One that owes an answer is not asked again; one that is short of resources is waited for.
                if !link.is_blocked() {
                    self.give_up(&link).await;
                }
                return Err(error);
            }
        };
        let outcomes = send_all(&link, &channel, messages).await;
        if outcomes
            .iter()
            .any(|outcome| matches!(outcome, Err(NotSent::Unconfirmed)))
        {
            self.give_up(&link).await;
        } else {
            link.give_back(channel);
        }
        let returned: HashSet<Route> = outcomes
            .iter()
            .filter_map(|outcome| outcome.as_ref().ok()?.clone())
            .collect();
        if !returned.is_empty() {
            self.repair().await;
        }
        let outcomes = messages.iter().zip(outcomes).map(|(message, outcome)| {
            outcome?;
            // By the route and not by the confirm: lapin hands a returned message to whichever confirm comes next.
            let route = (message.exchange.clone(), message.routing_key.clone());
            if returned.contains(&route) {
                return Err(NotSent::Unroutable);
            }
            Ok(())
        });
        Ok(outcomes.collect())
    }

    /// A channel, with the delay queues that the messages need declared.
    async fn channel_on(&self, link: &Link, messages: &[Outgoing]) -> lapin::Result<Channel> {
        let channel = link.channel().await?;
        for delay in messages.iter().filter_map(|message| message.delay) {
            if let Some(topology) = &self.topology {
                link.ensure(&channel, delay, topology).await?;
            }
        }
        Ok(channel)
    }

    /// The next call makes a connection of its own: RabbitMQ may have stopped to read this one permanently, as it does
    /// when a quorum queue is deleted while more than a few messages for it are unconfirmed
    /// (<https://github.com/rabbitmq/rabbitmq-server/pull/1883>).
    async fn give_up(&self, link: &Arc<Link>) {
        let mut current = self.link.lock().await;
        if current
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, link))
        {
            *current = None;
        }
    }

    /// Somebody has deleted a queue, perhaps: the next attempt finds it declared.
    async fn repair(&self) {
        let Some(topology) = &self.topology else {
            return;
        };
        let address = &self.broker.address;
        let link = match self.link().await {
            Ok(link) => link,
            Err(error) => {
                tracing::warn!(%error, "cannot look whether a queue is missing");
                return;
            }
        };
        link.forget_declared();
        if let Err(error) = topology.ensure(link.connection(), address).await {
            tracing::warn!(%error, "a queue is missing");
            self.give_up(&link).await;
        }
    }

    async fn link(&self) -> lapin::Result<Arc<Link>> {
        let mut link = self.link.lock().await;
        if let Some(link) = link.as_ref().filter(|link| link.is_connected()) {
            return Ok(Arc::clone(link));
        }
        let connection = self.broker.connect(self.purpose).await?;
        Ok(Arc::clone(link.insert(Arc::new(Link::over(connection)))))
    }

    /// Says goodbye, if there is anybody to say it to.
    pub(crate) async fn close(&self) {
        let link = self.link.lock().await.take();
        if let Some(link) = link {
            link.close().await;
        }
    }
}

type Route = (ShortString, ShortString);
/// Confirmed, perhaps with a message that came back.
type SendOutcome = Result<Option<Route>, NotSent>;

async fn send_all(link: &Link, channel: &Channel, messages: &[Outgoing]) -> Vec<SendOutcome> {
    let mut outcomes = Vec::with_capacity(messages.len());
    let mut waiting = VecDeque::new();
    let room = link.room_for_headers();
    let mut given_up = false;
    for message in messages {
        if waiting.len() == UNCONFIRMED
            && let Some(oldest) = waiting.pop_front()
        {
            outcomes.push(confirmed(link, oldest, &mut given_up).await);
        }
        if given_up {
            outcomes.extend(waiting.drain(..).map(|_| Err(NotSent::Unconfirmed)));
            outcomes.push(Err(NotSent::Unconfirmed));
            continue;
        }
        let mut published = Box::pin(maybe_done(publish(channel, message, room)));
        // The first poll puts the frames in line, which keeps the order; nobody waits until they are on the wire.
        let _ = poll!(published.as_mut());
        waiting.push_back(published);
    }
    for published in waiting {
        outcomes.push(confirmed(link, published, &mut given_up).await);
    }
    outcomes
}

/// Waits for one confirm; once one was given up, those behind it are not waited for either.
async fn confirmed(
    link: &Link,
    mut published: std::pin::Pin<Box<MaybeDone<impl Future<Output = SendOutcome>>>>,
    given_up: &mut bool,
) -> SendOutcome {
    let limit = if *given_up { Duration::ZERO } else { ANSWER };
    while timeout(limit, published.as_mut()).await.is_err() {
        if *given_up || !link.is_blocked() {
            if !*given_up {
                tracing::warn!(
                    "RabbitMQ has not confirmed for {ANSWER:?}; what it owes is given up"
                );
            }
            *given_up = true;
            return Err(NotSent::Unconfirmed);
        }
        tracing::warn!("RabbitMQ is short of resources and has not confirmed yet; waiting");
    }
    let outcome = published.as_mut().take_output();
    outcome.expect("it is done, and its output is taken once")
}

async fn publish(channel: &Channel, message: &Outgoing, room: HeaderLimit) -> SendOutcome {
    let mut properties = message.properties.clone();
    if message.is_copy {
        properties = room.fitted(properties);
    } else {
        room.check(&properties).map_err(NotSent::TooLarge)?;
    }
    let options = BasicPublishOptions {
        // Without a queue it comes back, instead of vanishing.
        mandatory: true,
        ..BasicPublishOptions::default()
    };
    let confirm = channel
        .basic_publish(
            message.exchange.clone(),
            message.routing_key.clone(),
            options,
            &message.body,
            properties,
        )
        .await
        .map_err(NotSent::Lost)?;
    match confirm.await.map_err(NotSent::Lost)? {
        Confirmation::Ack(None) => Ok(None),
        Confirmation::Ack(Some(returned)) => Ok(Some((
            returned.exchange.clone(),
            returned.routing_key.clone(),
        ))),
        Confirmation::Nack(_) | Confirmation::NotRequested => Err(NotSent::Refused),
    }
}
