use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::Instant;

use super::builder::{Settings, Tracer};
use super::flight::Ticket;
use super::lanes::Entry;
use super::pump::Pump;
use super::status::Progress;
use super::{
    NotPublished, OrderedEvent, Outgoing, PublisherBlocked, PublisherBuilder, PublisherStatus,
    metrics,
};
use crate::clock::Clock;
use crate::event::TraceParent;
use crate::transport::{Flow, Publish};

/// Publishes events: those of one key in order, each until the broker has confirmed it or it is reported.
///
/// ```
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use ordered_core::publish::{NewEvent, Publisher};
/// use ordered_core::transport::MemoryBroker;
///
/// let publisher = Publisher::builder(MemoryBroker::new()).build()?;
/// let event = NewEvent::json("order", "order-7", "placed", &serde_json::json!({ "seq": 1 }))?;
/// publisher.publish(&event).await?;     // the broker has it
///
/// // Many at a time: waits for room, and not for the broker.
/// let receipt = publisher.enqueue(event.to_outgoing(None)).await?;
/// receipt.await?;
/// # Ok(())
/// # }
/// ```
///
/// What fails and may pass (a broker that restarts, a full queue, a throttled call) is sent again with backoff, and the
/// events of its key that come after it wait. What the broker will never take is reported at once, and what it has not
/// confirmed for [`give_up_after`](PublisherBuilder::give_up_after) is reported, too. An event may come twice: when a
/// confirm was lost.
///
/// Clones are the same publisher. Events of one key must be given to it one after the other; it cannot know in which
/// order two tasks want theirs. When the last clone is dropped, what is with it is still published, as long as the
/// runtime lives.
#[derive(Clone)]
pub struct Publisher {
    shared: Arc<Shared>,
}

struct Shared {
    transport: Arc<dyn Publish>,
    entries: mpsc::UnboundedSender<Entry<Ticket>>,
    /// Room for events, and for their bytes; they bound the channel and all that comes behind it.
    events: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    max_events: u32,
    max_bytes: u32,
    progress: Arc<Progress>,
    tracer: Option<Tracer>,
}

impl Publisher {
    /// A publisher over the `publisher()` of a broker's builder, an `Arc` of one, or a
    /// [`MemoryBroker`](crate::transport::MemoryBroker).
    pub fn builder(transport: impl Publish) -> PublisherBuilder {
        PublisherBuilder::new(transport)
    }

    pub(super) fn start(
        transport: Arc<dyn Publish>,
        settings: Settings,
        tracer: Option<Tracer>,
    ) -> Self {
        metrics::describe();
        let progress = Arc::new(Progress::default());
        let (entries, receiver) = mpsc::unbounded_channel();
        // The builder has seen to it that they fit.
        let number = |setting: usize| u32::try_from(setting).unwrap_or(u32::MAX);
        let shared = Shared {
            transport: Arc::clone(&transport),
            entries,
            events: Arc::new(Semaphore::new(settings.max_in_flight)),
            bytes: Arc::new(Semaphore::new(settings.max_in_flight_bytes)),
            max_events: number(settings.max_in_flight),
            max_bytes: number(settings.max_in_flight_bytes),
            progress: Arc::clone(&progress),
            tracer,
        };
        tokio::spawn(Pump::new(transport, settings, receiver, progress).run());
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Publishes one event, and returns when the broker has confirmed it.
    ///
    /// # Errors
    /// When the event is none, and when it is [reported](NotPublished).
    ///
    /// # Cancel safety
    /// An event that was given to the publisher is published, also when the future is dropped.
    pub async fn publish(&self, event: &(impl OrderedEvent + ?Sized)) -> Result<(), NotPublished> {
        let outgoing = event.to_event()?.to_outgoing(None);
        self.enqueue(outgoing).await?.await
    }

    /// Publishes events, those of one key in the order in which they stand here, and says of each what happened to it.
    ///
    /// # Cancel safety
    /// As [`publish`](Self::publish).
    pub async fn publish_all(&self, events: &[impl OrderedEvent]) -> Vec<Result<(), NotPublished>> {
        let mut receipts = Vec::with_capacity(events.len());
        for event in events {
            let receipt = match event.to_event() {
                Ok(event) => self.enqueue(event.to_outgoing(None)).await,
                Err(error) => Err(error.into()),
            };
            receipts.push(receipt);
        }
        let mut outcomes = Vec::with_capacity(receipts.len());
        for receipt in receipts {
            outcomes.push(match receipt {
                Ok(receipt) => receipt.await,
                Err(error) => Err(error),
            });
        }
        outcomes
    }

    /// Gives the publisher an event, once there is room for it. The receipt says later what happened to it; it can be
    /// dropped.
    ///
    /// # Errors
    /// When the publisher is closed.
    ///
    /// # Cancel safety
    /// A future that is dropped before it is ready has given the publisher nothing.
    pub async fn enqueue(&self, event: impl Into<Outgoing>) -> Result<Receipt, NotPublished> {
        let outgoing = event.into();
        let Shared { events, bytes, .. } = &*self.shared;
        let room = |_| NotPublished::closed();
        let event = Arc::clone(events).acquire_owned().await.map_err(room)?;
        let size = self.permits(&outgoing);
        let bytes = Arc::clone(bytes)
            .acquire_many_owned(size)
            .await
            .map_err(room)?;
        Ok(self.put(outgoing, [event, bytes]))
    }

    /// Gives the publisher an event if there is room for it now.
    ///
    /// # Errors
    /// With the event: there is no room, or the publisher is closed. [`status`](Self::status) says why nothing gets
    /// through.
    pub fn try_enqueue(&self, event: impl Into<Outgoing>) -> Result<Receipt, Box<Outgoing>> {
        let outgoing = event.into();
        let Shared { events, bytes, .. } = &*self.shared;
        let size = self.permits(&outgoing);
        let room = Arc::clone(events).try_acquire_owned().and_then(|event| {
            let bytes = Arc::clone(bytes).try_acquire_many_owned(size)?;
            Ok([event, bytes])
        });
        match room {
            Ok(room) => Ok(self.put(outgoing, room)),
            Err(_) => Err(Box::new(outgoing)),
        }
    }

    fn permits(&self, outgoing: &Outgoing) -> u32 {
        let size = u32::try_from(outgoing.size()).unwrap_or(u32::MAX);
        size.clamp(1, self.shared.max_bytes)
    }

    fn put(&self, mut outgoing: Outgoing, room: [OwnedSemaphorePermit; 2]) -> Receipt {
        let envelope = outgoing.envelope_mut();
        envelope
            .published_at
            .get_or_insert_with(|| Clock::system().now());
        if let Some(tracer) = &self.shared.tracer
            && !envelope.headers.contains_key(TraceParent::HEADER)
            && let Some(trace) = tracer()
        {
            let header = TraceParent::HEADER.to_owned();
            envelope.headers.insert(header, trace.to_string());
        }
        let (ticket, answered) = Ticket::new(room);
        let entry = Entry::new(outgoing, ticket, Instant::now());
        if let Err(mpsc::error::SendError(entry)) = self.shared.entries.send(entry) {
            entry.ticket.answer(Err(NotPublished::closed()));
        }
        Receipt(answered)
    }

    /// Waits until everything is confirmed or reported that was given to the publisher before.
    pub async fn flush(&self) {
        // Permits are given in the order in which they are asked for, so these wait for all before them. One that is
        // closed has nothing left.
        let all = self
            .shared
            .events
            .acquire_many(self.shared.max_events)
            .await;
        drop(all);
    }

    /// Takes nothing more, and waits until everything is confirmed or reported.
    pub async fn close(&self) {
        self.flush().await;
        self.shared.events.close();
    }

    /// How it is doing.
    #[must_use]
    pub fn status(&self) -> PublisherStatus {
        let shared = &self.shared;
        let max = usize::try_from(shared.max_events).unwrap_or(usize::MAX);
        let blocked = shared.progress.blocked();
        let blocked = match shared.transport.flow() {
            Flow::Open => blocked,
            Flow::Blocked { why } => Some(PublisherBlocked {
                is_back_pressure: true,
                lasts: blocked.map(|it| it.lasts).unwrap_or_default(),
                why,
            }),
        };
        PublisherStatus {
            in_flight: max.saturating_sub(shared.events.available_permits()),
            blocked,
        }
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher")
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

/// Says what happened to an event that was given to a [`Publisher`]: `.await` it, or drop it.
#[derive(Debug)]
#[must_use = "it says whether the event was published"]
pub struct Receipt(oneshot::Receiver<Result<(), NotPublished>>);

impl Future for Receipt {
    type Output = Result<(), NotPublished>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answered = Pin::new(&mut self.0).poll(context);
        answered.map(|answer| answer.unwrap_or_else(|_| Err(NotPublished::closed())))
    }
}
