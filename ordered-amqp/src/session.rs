use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::{FutureExt, Stream};
use lapin::message::Delivery as Message;
use lapin::options::{BasicAckOptions, BasicCancelOptions};
use lapin::{Channel, Connection, Consumer};
use ordered_core::transport::{Delivery, Intake, Token};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use crate::ack_window::{Ack, AckWindow};
use crate::broker::ANSWER;
use crate::outgoing::Places;
use crate::received::Received;
use crate::subscribe::Subscription;

/// How long a broker may take to say goodbye: until then it may have acknowledgements to pass on.
pub(crate) const FAREWELL: Duration = ANSWER;
/// For how many deliveries there is room before a vector of them has to grow.
const ROOM: usize = 64;

/// A connection that consumes, from its opening to its end.
pub(crate) struct Session {
    connection: Connection,
    channel: Channel,
    // A std mutex: it is held while the stream is polled, and never over an await.
    consumer: Mutex<Consumer>,
    // A std mutex: it is held while deliveries that are there are read, and for a few map accesses each.
    window: Mutex<Window>,
    /// Tokens of this session are delivery tags plus this: the last token of the session before.
    base: u64,
    /// Once more acknowledgements than this are kept back, all of them go: the rest of the prefetch is for what is at work. Several
    /// events of a key that are there together close their holes one after the other, so that a lesser number would send most
    /// acknowledgements one by one where keys are many. They go together, because RabbitMQ has at most 32 commands for a quorum
    /// queue on their way and merges those that come meanwhile: sent as they come, they cost the broker half as much again.
    keep_at_most: usize,
    /// So many that could go as one frame go at once. Fewer wait for a moment, in case others come: each frame costs the broker
    /// as much as some ten events, and brings new deliveries one by one.
    enough: usize,
    defer_prefix: String,
    died: watch::Sender<bool>,
    /// Acknowledgements could go, and somebody has to send them in a moment.
    ready: Notify,
    /// Acknowledgements are kept back, and somebody has to look after them in a while.
    kept: Notify,
}

#[derive(Default)]
struct Window {
    acks: AckWindow,
    /// Nothing is entered any more, because the next session counts on from here.
    retired: bool,
}

impl Session {
    pub(crate) async fn consume(
        connection: Connection,
        subscription: &Subscription,
        places: &Places,
        consumer_tag: &str,
        intake: Intake,
        base: u64,
    ) -> lapin::Result<Self> {
        // A prefetch of 0 means no limit.
        let prefetch = u16::try_from(intake.max_unsettled.max(1)).unwrap_or(u16::MAX);
        let queue = places.queue.as_str();
        let (channel, consumer) = subscription
            .open(&connection, queue, consumer_tag, prefetch)
            .await?;
        Ok(Self {
            connection,
            channel,
            consumer: Mutex::new(consumer),
            window: Mutex::default(),
            base,
            keep_at_most: usize::from(prefetch) / 4 * 3,
            enough: usize::from(prefetch) / 16,
            defer_prefix: places.defer_prefix.clone(),
            died: watch::Sender::new(false),
            ready: Notify::new(),
            kept: Notify::new(),
        })
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Waits for a delivery and takes those that are there; `None` when there will be no more.
    ///
    /// # Cancel safety
    /// Deliveries are taken in the poll that returns them.
    pub(crate) async fn receive(&self, max: usize) -> Option<Vec<Delivery>> {
        let mut died = self.died.subscribe();
        tokio::select! {
            biased;
            _ = died.wait_for(|died| *died) => None,
            received = poll_fn(|context| self.poll_receive(max, context)) => received,
        }
    }

    fn poll_receive(&self, max: usize, context: &mut Context<'_>) -> Poll<Option<Vec<Delivery>>> {
        let mut consumer = lock(&self.consumer);
        let mut next = || Pin::new(&mut *consumer).poll_next(context);
        let first = match ready!(next()) {
            Some(Ok(message)) => message,
            ended => {
                if let Some(Err(error)) = ended {
                    tracing::debug!(%error, "the consumer failed");
                }
                self.die();
                return Poll::Ready(None);
            }
        };
        // Under the lock of the consumer, so that the tags are entered in order.
        let mut window = lock(&self.window);
        if window.retired {
            return Poll::Ready(None);
        }
        let mut deliveries = Vec::with_capacity(max.min(ROOM));
        deliveries.push(self.enter(&mut window.acks, first));
        while deliveries.len() < max {
            match next() {
                Poll::Ready(Some(Ok(message))) => {
                    deliveries.push(self.enter(&mut window.acks, message));
                }
                Poll::Ready(Some(Err(_)) | None) => {
                    self.die();
                    break;
                }
                Poll::Pending => break,
            }
        }
        Poll::Ready(Some(deliveries))
    }

    fn enter(&self, acks: &mut AckWindow, message: Message) -> Delivery {
        let message = Received::read(message, &self.defer_prefix);
        acks.enter(message.tag, message.original);
        Delivery {
            token: Token(self.base + message.tag),
            envelope: message.envelope,
            redelivered: message.redelivered,
        }
    }

    /// The delivery tag, if the token is one of this session's.
    pub(crate) fn tag(&self, token: Token) -> Option<u64> {
        token.0.checked_sub(self.base).filter(|tag| *tag > 0)
    }

    /// Settles under one lock, then sends what can be acknowledged.
    pub(crate) fn settle<T>(&self, settle: impl FnOnce(&mut AckWindow) -> T) -> T {
        let mut window = lock(&self.window);
        let settled = settle(&mut window.acks);
        let acks = &mut window.acks;
        let (kept, ready) = (acks.kept(), acks.ready());
        if ready > 0 && ready < self.enough && kept <= self.keep_at_most {
            self.ready.notify_one();
        } else if kept > 0 {
            self.send(acks.prefix());
            if acks.kept() > self.keep_at_most {
                self.send(acks.flush());
            }
        }
        if acks.kept() > 0 {
            self.kept.notify_one();
        }
        settled
    }

    /// Sends the acknowledgements that can go as one.
    pub(crate) fn send_ready(&self) {
        let mut window = lock(&self.window);
        self.send(window.acks.prefix());
    }

    /// Sends the acknowledgements that are kept back for long.
    pub(crate) fn send_overdue(&self) {
        let mut window = lock(&self.window);
        let acks = &mut window.acks;
        self.send(acks.prefix());
        self.send(acks.overdue());
        if acks.kept() > 0 {
            self.kept.notify_one();
        }
    }

    /// Sends every acknowledgement that is kept back.
    pub(crate) fn flush(&self) {
        let mut window = lock(&self.window);
        self.send(window.acks.flush());
    }

    /// Hands the frames to lapin's thread, and does not wait until they are on their way. If one fails, so does the channel,
    /// and the broker delivers again. Under the lock of the window, because an acknowledgement must not overtake one that covers it.
    fn send(&self, acks: impl IntoIterator<Item = Ack>) {
        for Ack { tag, multiple } in acks {
            let sent = self.channel.basic_ack(tag, BasicAckOptions { multiple });
            let _ = sent.now_or_never();
        }
    }

    /// Resolves once acknowledgements could go.
    pub(crate) async fn acks_are_ready(&self) {
        self.ready.notified().await;
    }

    /// Resolves once acknowledgements have been kept back.
    pub(crate) async fn acks_are_kept(&self) {
        self.kept.notified().await;
    }

    /// Marks the session as over.
    pub(crate) fn die(&self) {
        self.died.send_replace(true);
    }

    /// Resolves when the session is over.
    pub(crate) async fn died(&self) {
        let mut died = self.died.subscribe();
        // It cannot fail: the sender is in `self`.
        let _ = died.wait_for(|died| *died).await;
    }

    pub(crate) fn is_dead(&self) -> bool {
        *self.died.borrow()
    }

    /// Gives out no more tokens, and says what the last one was.
    pub(crate) fn retire(&self) -> u64 {
        self.die();
        let mut window = lock(&self.window);
        window.retired = true;
        self.base + window.acks.last()
    }

    /// Sends what is kept back and says goodbye.
    pub(crate) async fn close(&self) -> lapin::Result<()> {
        self.retire();
        self.flush();
        let tag = lock(&self.consumer).tag();
        // In the same order on the wire, so that the broker has the acknowledgements when it closes. A channel of RabbitMQ has
        // up to 32 of them on their way to a quorum queue and keeps the others, and what it keeps when it closes is lost. The
        // answer of the queue to the cancellation comes behind those on their way, and lets the others go.
        let close = async {
            let _ = self
                .channel
                .basic_cancel(tag, BasicCancelOptions::default())
                .await;
            self.channel.close(200, "bye".into()).await?;
            self.connection.close(200, "bye".into()).await
        };
        timeout(FAREWELL, close)
            .await
            .unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
