use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_util::{FutureExt, Stream};
use lapin::message::Delivery as Message;
use lapin::options::{BasicAckOptions, BasicCancelOptions, QueueDeclareOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Consumer};
use ordered_core::transport::{Delivery, Token};

use crate::ack_window::{Ack, AckWindow};
use crate::decoded_message::DecodedMessage;

/// How many commands of a channel RabbitMQ has on their way to a quorum queue at a time.
const ON_THEIR_WAY: usize = 32;

/// The consumer of one queue: a channel of its own, because delivery tags count on a channel, and one acknowledgement
/// covers all before it.
pub(crate) struct QueueConsumer {
    queue: ShortString,
    tokens: Tokens,
    // A std mutex: it is held while the stream is polled, and never over an await.
    /// Nothing while the queue is being handed over to another worker.
    consumer: Mutex<Option<Consumer>>,
    // A std mutex: it is held while deliveries that are there are read, and for a few map accesses each.
    window: Mutex<Window>,
    prefetch: u16,
    defer_prefix: String,
}

/// How the deliveries of one of several queue consumers are numbered, so that no two have one token: n queue consumers
/// take each nth number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tokens {
    /// The last token of the session before.
    pub(crate) base: u64,
    /// How many queue consumers there are.
    pub(crate) queue_consumers: u64,
    /// Which of them it is.
    pub(crate) place: u64,
}

impl Tokens {
    /// Of the `number`th delivery of the queue consumer; the first is 1.
    fn token(self, number: u64) -> Token {
        Token(self.base + (number - 1) * self.queue_consumers + self.place + 1)
    }

    /// Which consumer's delivery a token is, and the number of the delivery, if it is one of these consumers'.
    pub(crate) fn place(base: u64, queue_consumers: u64, token: Token) -> Option<(u64, u64)> {
        let number = token.0.checked_sub(base)?.checked_sub(1)?;
        Some((number % queue_consumers, number / queue_consumers + 1))
    }

    /// No token of the queue consumer is above this, when its last delivery has this number.
    fn last(self, number: u64) -> u64 {
        self.base + number * self.queue_consumers
    }
}

struct Window {
    channel: Channel,
    acks: AckWindow,
    /// How many deliveries the queue consumer had on the channels before: the delivery tags of a channel begin with 1.
    before: u64,
    /// Nothing is entered any more, because the next session counts on from here.
    retired: bool,
}

/// What a look for deliveries came to.
pub(crate) enum Polled {
    /// There may be more.
    Open,
    /// There will be none.
    Ended,
}

/// What is to be done about acknowledgements that are kept back.
pub(crate) struct PendingAcks {
    /// Some could go as one.
    pub(crate) ready: bool,
    /// Some are behind a hole.
    pub(crate) any: bool,
}

impl QueueConsumer {
    pub(crate) fn new(
        queue: ShortString,
        tokens: Tokens,
        (channel, consumer): (Channel, Consumer),
        prefetch: u16,
        defer_prefix: String,
    ) -> Self {
        Self {
            queue,
            tokens,
            consumer: Mutex::new(Some(consumer)),
            window: Mutex::new(Window {
                channel,
                acks: AckWindow::default(),
                before: 0,
                retired: false,
            }),
            prefetch,
            defer_prefix,
        }
    }

    pub(crate) fn queue(&self) -> &ShortString {
        &self.queue
    }

    pub(crate) fn prefetch(&self) -> u16 {
        self.prefetch
    }

    /// Takes deliveries that are there, until there are `max`.
    pub(crate) fn poll(
        &self,
        max: usize,
        deliveries: &mut Vec<Delivery>,
        context: &mut Context<'_>,
    ) -> Polled {
        let mut consumer = lock(&self.consumer);
        let Some(consumer) = consumer.as_mut() else {
            return Polled::Open;
        };
        let mut next = || Pin::new(&mut *consumer).poll_next(context);
        let first = match next() {
            Poll::Ready(Some(Ok(message))) => message,
            Poll::Ready(ended) => {
                if let Some(Err(error)) = ended {
                    tracing::debug!(%error, queue = self.queue.as_str(), "the consumer failed");
                }
                return Polled::Ended;
            }
            Poll::Pending => return Polled::Open,
        };
        // Under the lock of the consumer, so that the tags are entered in order.
        let mut window = lock(&self.window);
        if window.retired {
            return Polled::Ended;
        }
        deliveries.push(self.enter(&mut window, first));
        while deliveries.len() < max {
            match next() {
                Poll::Ready(Some(Ok(message))) => deliveries.push(self.enter(&mut window, message)),
                Poll::Ready(Some(Err(_)) | None) => return Polled::Ended,
                Poll::Pending => break,
            }
        }
        Polled::Open
    }

    fn enter(&self, window: &mut Window, message: Message) -> Delivery {
        let message = DecodedMessage::read(message, &self.defer_prefix);
        window.acks.enter(message.tag, message.original);
        Delivery {
            token: self.tokens.token(window.before + message.tag),
            envelope: message.envelope,
            redelivered: message.redelivered,
        }
    }

    /// How many deliveries are unsettled.
    pub(crate) fn unsettled(&self) -> usize {
        lock(&self.window).acks.unsettled()
    }

    /// Whether the broker has given deliveries since the queue consumer has subscribed: of a queue that is given to one
    /// consumer at a time, it is that consumer.
    pub(crate) fn is_active(&self) -> bool {
        lock(&self.window).acks.last() > 0
    }

    /// Settles under one lock, then sends what can be acknowledged. `settle` is given how many deliveries came over
    /// other channels before.
    pub(crate) fn settle(&self, settle: impl FnOnce(u64, &mut AckWindow)) -> PendingAcks {
        // Once more acknowledgements than this are kept back, all of them go: the rest of the prefetch is for what is
        // at work. Several events of a key that are there together close their holes one after the other, so that a
        // lesser number would send most acknowledgements one by one where keys are many. They go together, because
        // RabbitMQ has so many commands for a quorum queue on their way and merges those that come meanwhile: sent as
        // they come, they cost the broker half as much again.
        let keep_at_most = usize::from(self.prefetch) / 4 * 3;
        // So many that could go as one frame go at once. Fewer wait for a moment, in case others come: each frame costs
        // the broker as much as some ten events, and brings new deliveries one by one.
        let enough = usize::from(self.prefetch) / 16;
        let mut window = lock(&self.window);
        let before = window.before;
        settle(before, &mut window.acks);
        let (kept, ready) = (window.acks.kept(), window.acks.ready());
        let waits = ready > 0 && ready < enough && kept <= keep_at_most;
        if !waits && kept > 0 {
            let acks = window.acks.prefix();
            window.send(acks);
            if window.acks.kept() > keep_at_most {
                let acks = window.acks.flush();
                window.send(acks);
            }
        }
        PendingAcks {
            ready: waits,
            any: window.acks.kept() > 0,
        }
    }

    /// Sends the acknowledgements that can go as one.
    pub(crate) fn send_ready(&self) {
        let mut window = lock(&self.window);
        let acks = window.acks.prefix();
        window.send(acks);
    }

    /// Sends the acknowledgements that are kept back for long, and says whether others are.
    pub(crate) fn send_overdue(&self) -> bool {
        let mut window = lock(&self.window);
        let acks = window.acks.prefix();
        window.send(acks);
        let acks = window.acks.overdue();
        window.send(acks);
        window.acks.kept() > 0
    }

    /// Sends every acknowledgement that is kept back, and says how many frames that took.
    pub(crate) fn flush(&self) -> usize {
        let mut window = lock(&self.window);
        let acks = window.acks.flush();
        let frames = acks.len();
        window.send(acks);
        frames
    }

    /// Gives out no more tokens; none is above the number that it returns.
    pub(crate) fn retire(&self) -> u64 {
        let mut window = lock(&self.window);
        window.retired = true;
        self.tokens.last(window.before + window.acks.last())
    }

    /// Takes no more deliveries, until it is [given another consumer](Self::resume). Those that came already are the
    /// broker's again once the channel is closed.
    pub(crate) fn pause(&self) -> Option<Consumer> {
        lock(&self.consumer).take()
    }

    /// Goes on with another consumer, and gives back the channel of the one before. What is unsettled of that one stays
    /// so.
    pub(crate) fn resume(&self, (channel, consumer): (Channel, Consumer)) -> Channel {
        let mut current = lock(&self.consumer);
        let mut window = lock(&self.window);
        window.before += window.acks.last();
        window.acks = AckWindow::default();
        *current = Some(consumer);
        std::mem::replace(&mut window.channel, channel)
    }

    fn channel(&self) -> Channel {
        lock(&self.window).channel.clone()
    }

    /// Sends what is kept back and closes the channel. Where the broker gives the queue to one consumer at a time,
    /// `is_exclusive`.
    pub(crate) async fn close(&self, is_exclusive: bool) -> lapin::Result<()> {
        let frames = self.flush();
        let channel = self.channel();
        // Already held by nobody, when the queue is being handed over.
        let tag = lock(&self.consumer).as_ref().map(Consumer::tag);
        match tag {
            Some(tag) if !is_exclusive => {
                // In the same order on the wire, so that the broker has the acknowledgements when it closes. A channel
                // of RabbitMQ has some of them on their way to a quorum queue and keeps the others, and what it keeps
                // when it closes is lost. The answer of the queue to the cancellation comes behind those on their way,
                // and lets the others go.
                let cancelled = channel.basic_cancel(tag, BasicCancelOptions::default());
                let _ = cancelled.await;
            }
            _ => let_through(&channel, &self.queue, frames).await,
        }
        channel.close(200, "bye".into()).await
    }
}

/// Lets a channel pass on as many acknowledgements, as well as it can be seen to.
///
/// A consumer that is the only one to get a queue's events must not be cancelled while some of them are with it: the
/// next one would get those behind them first. Each answer to a question about the queue takes as long as some of the
/// acknowledgements.
pub(crate) async fn let_through(channel: &Channel, queue: &ShortString, frames: usize) {
    for _ in 0..=frames / ON_THEIR_WAY {
        let passive = QueueDeclareOptions::durable().passive();
        let asked = channel.queue_declare(queue.clone(), passive, FieldTable::default());
        if asked.await.is_err() {
            return;
        }
    }
}

impl Window {
    /// Hands the frames to lapin's thread, and does not wait until they are on their way. If one fails, so does the
    /// channel, and the broker delivers again. Under the lock of the window, because an acknowledgement must not
    /// overtake one that covers it.
    fn send(&self, acks: impl IntoIterator<Item = Ack>) {
        for Ack { tag, multiple } in acks {
            let sent = self.channel.basic_ack(tag, BasicAckOptions { multiple });
            let _ = sent.now_or_never();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_deliveries_of_a_session_have_one_token() {
        let (base, queue_consumers) = (17, 3);
        let mut all = BTreeSet::new();
        for place in 0..queue_consumers {
            let tokens = Tokens {
                base,
                queue_consumers,
                place,
            };
            for number in 1..=5 {
                let token = tokens.token(number);
                assert!(token.0 > base && token.0 <= tokens.last(number));
                assert!(all.insert(token), "{token:?} twice");
                assert_eq!(
                    Tokens::place(base, queue_consumers, token),
                    Some((place, number))
                );
            }
        }
        assert_eq!(all.len(), 15);
        assert_eq!(Tokens::place(base, queue_consumers, Token(base)), None);
        assert_eq!(Tokens::place(base, queue_consumers, Token(3)), None);
    }

    #[test]
    fn the_only_lane_counts_like_the_broker() {
        let (queue_consumers, place) = (1, 0);
        let tokens = Tokens {
            base: 4,
            queue_consumers,
            place,
        };
        assert_eq!((tokens.token(1), tokens.last(1)), (Token(5), 5));
        assert_eq!((tokens.token(7), tokens.last(7)), (Token(11), 11));
    }
}
