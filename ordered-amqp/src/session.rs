use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use lapin::types::ShortString;
use lapin::{Channel, Connection, Consumer};
use ordered_core::transport::{ConsumeOptions, Delivery, Token, TransportError};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use crate::ack_window::AckWindow;
use crate::address::Address;
use crate::broker::{ANSWER, within};
use crate::failure::{Operation, explain};
use crate::queue_consumer::{Polled, QueueConsumer, Tokens};
use crate::subscribe::Subscription;

/// How long a broker may take to say goodbye: until then it may have acknowledgements to pass on.
pub(crate) const FAREWELL: std::time::Duration = ANSWER;
/// So few unsettled deliveries any one of several channels may have alone.
const UNDIVIDED: usize = 64;
/// For how many deliveries there is room before a vector of them has to grow.
const ROOM: usize = 64;

/// A connection that consumes, from its opening to its end.
pub(crate) struct Session {
    connection: Connection,
    /// One for each queue.
    queue_consumers: Vec<QueueConsumer>,
    /// Tokens of this session are above this: it is the last token of the session before.
    base: u64,
    /// How many deliveries may be unsettled, over all queue consumers; of a single one the broker sees to it.
    max_unsettled: usize,
    /// The broker gives each queue to one consumer at a time.
    is_exclusive: bool,
    /// Counts this worker among those that share the partitions.
    workers_queue: Option<WorkersQueue>,
    /// Which queue consumer is looked at first: the next one each time.
    turn: AtomicUsize,
    died: watch::Sender<bool>,
    /// There is room again, or a queue is consumed anew, which nobody has looked at yet.
    changed: watch::Sender<()>,
    /// Acknowledgements could go, and somebody has to send them in a moment.
    ready: Notify,
    /// Acknowledgements are kept back, and somebody has to look after them in a while.
    kept: Notify,
}

/// The queue that every worker consumes which shares the partitions, so that they can be counted.
pub(crate) struct WorkersQueue {
    queue: ShortString,
    /// Kept: to drop it is to leave.
    _consumer: (Channel, Consumer),
}

impl WorkersQueue {
    /// Takes part. Without it nobody is counted, and the partitions stay where they are.
    async fn join(
        connection: &Connection,
        subscription: &Subscription,
        queue: ShortString,
        consumer_tag: &str,
    ) -> Option<Self> {
        let opened = subscription.open(connection, queue.as_str(), consumer_tag, 1);
        match within(ANSWER, opened).await {
            Ok(_consumer) => Some(Self { queue, _consumer }),
            Err(error) => {
                tracing::warn!(
                    %error,
                    queue = queue.as_str(),
                    "the workers cannot be counted, so this one hands no partitions over: see to it that there is such \
                     a queue"
                );
                None
            }
        }
    }

    pub(crate) fn queue(&self) -> &ShortString {
        &self.queue
    }
}

/// What a session is made with.
pub(crate) struct SessionOptions<'a> {
    pub(crate) subscription: &'a Subscription,
    pub(crate) address: &'a Address,
    pub(crate) queues: Vec<ShortString>,
    /// The queue by which the workers are counted.
    pub(crate) workers_queue: Option<ShortString>,
    pub(crate) consumer_tag: &'a str,
    pub(crate) defer_prefix: &'a str,
    pub(crate) is_exclusive: bool,
    pub(crate) options: ConsumeOptions,
    pub(crate) base: u64,
}

impl Session {
    /// Consumes from all queues. The first of several is another one in each worker, so that those that start together
    /// do not all come first to the same ones.
    pub(crate) async fn consume(
        connection: Connection,
        session_options: SessionOptions<'_>,
    ) -> Result<Self, TransportError> {
        let SessionOptions {
            subscription,
            address,
            queues,
            workers_queue,
            consumer_tag,
            defer_prefix,
            is_exclusive,
            options,
            base,
        } = session_options;
        let count = queues.len();
        let max_unsettled = options.max_unsettled.max(1);
        let prefetch = prefetch(max_unsettled, count);
        let first = fastrand::usize(..count.max(1));
        let mut queue_consumers: Vec<Option<QueueConsumer>> = (0..count).map(|_| None).collect();
        for place in (first..count).chain(0..first) {
            let queue = &queues[place];
            let opened = subscription.open(&connection, queue.as_str(), consumer_tag, prefetch);
            let opened = within(ANSWER, opened)
                .await
                .map_err(|error| explain(address, Operation::Consuming(queue.as_str()), error))?;
            let tokens = Tokens {
                base,
                queue_consumers: count as u64,
                place: place as u64,
            };
            let defer_prefix = defer_prefix.to_owned();
            queue_consumers[place] = Some(QueueConsumer::new(
                queue.clone(),
                tokens,
                opened,
                prefetch,
                defer_prefix,
            ));
        }
        // Last: who is counted is handed partitions, and has to be in line for them.
        let workers_queue = match workers_queue {
            Some(queue) => WorkersQueue::join(&connection, subscription, queue, consumer_tag).await,
            None => None,
        };
        Ok(Self {
            connection,
            queue_consumers: queue_consumers.into_iter().flatten().collect(),
            base,
            max_unsettled,
            is_exclusive,
            workers_queue,
            turn: AtomicUsize::new(0),
            died: watch::Sender::new(false),
            changed: watch::Sender::new(()),
            ready: Notify::new(),
            kept: Notify::new(),
        })
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) fn workers_queue(&self) -> Option<&WorkersQueue> {
        self.workers_queue.as_ref()
    }

    pub(crate) fn queue_consumers(&self) -> &[QueueConsumer] {
        &self.queue_consumers
    }

    /// Waits for a delivery and takes those that are there; `None` when there will be no more.
    ///
    /// # Cancel safety
    /// Deliveries are taken in the poll that returns them.
    pub(crate) async fn receive(&self, max: usize) -> Option<Vec<Delivery>> {
        let mut died = self.died.subscribe();
        let mut changed = self.changed.subscribe();
        loop {
            tokio::select! {
                biased;
                _ = died.wait_for(|died| *died) => return None,
                received = poll_fn(|context| self.poll_receive(max, context)) => return received,
                // It cannot fail: the sender is in `self`.
                _ = changed.changed() => {}
            }
        }
    }

    fn poll_receive(&self, max: usize, context: &mut Context<'_>) -> Poll<Option<Vec<Delivery>>> {
        let max = max.min(self.room());
        if max == 0 {
            return Poll::Pending;
        }
        let mut deliveries = Vec::with_capacity(max.min(ROOM));
        let first = self.turn.fetch_add(1, Ordering::Relaxed) % self.queue_consumers.len();
        let (before, from) = self.queue_consumers.split_at(first);
        for queue_consumer in from.iter().chain(before) {
            if matches!(
                queue_consumer.poll(max, &mut deliveries, context),
                Polled::Ended
            ) {
                self.die();
                if deliveries.is_empty() {
                    return Poll::Ready(None);
                }
                break;
            }
            if deliveries.len() == max {
                break;
            }
        }
        if deliveries.is_empty() {
            return Poll::Pending;
        }
        Poll::Ready(Some(deliveries))
    }

    /// How many deliveries may be given out.
    fn room(&self) -> usize {
        match &self.queue_consumers[..] {
            [_] => usize::MAX,
            queue_consumers => {
                let unsettled: usize = queue_consumers.iter().map(QueueConsumer::unsettled).sum();
                self.max_unsettled.saturating_sub(unsettled)
            }
        }
    }

    /// Settles those that are this session's, each under the lock of its queue consumer, then sends what can be
    /// acknowledged. `settle` is given the queue consumer, its window and the delivery tag, and may give something
    /// back.
    pub(crate) fn settle<T, R>(
        &self,
        settlements: impl IntoIterator<Item = (Token, T)>,
        mut settle: impl FnMut(&QueueConsumer, &mut AckWindow, u64, (Token, T)) -> Option<R>,
    ) -> Vec<R> {
        let queue_consumers = self.queue_consumers.len() as u64;
        let place = |(token, what): (Token, T)| {
            let (place, number) = Tokens::place(self.base, queue_consumers, token)?;
            Some((place, number, (token, what)))
        };
        let mut ours: Vec<_> = settlements.into_iter().filter_map(place).collect();
        ours.sort_by_key(|(place, ..)| *place);
        let mut ours = ours.into_iter().peekable();
        let mut results = Vec::new();
        while let Some((place, ..)) = ours.peek() {
            let place = *place;
            let Some(queue_consumer) = usize::try_from(place)
                .ok()
                .and_then(|it| self.queue_consumers.get(it))
            else {
                break;
            };
            let kept = queue_consumer.settle(|before, acks| {
                while let Some((_, number, one)) = ours.next_if(|next| next.0 == place) {
                    // What came over a channel of before is no longer ours.
                    if let Some(tag) = number.checked_sub(before).filter(|tag| *tag > 0) {
                        results.extend(settle(queue_consumer, acks, tag, one));
                    }
                }
            });
            if kept.ready {
                self.ready.notify_one();
            }
            if kept.any {
                self.kept.notify_one();
            }
        }
        if queue_consumers > 1 {
            self.changed.send_replace(());
        }
        results
    }

    /// Sends the acknowledgements that can go as one.
    pub(crate) fn send_ready(&self) {
        self.queue_consumers
            .iter()
            .for_each(QueueConsumer::send_ready);
    }

    /// Sends the acknowledgements that are kept back for long.
    pub(crate) fn send_overdue(&self) {
        let others = self
            .queue_consumers
            .iter()
            .fold(false, |others, queue_consumer| {
                queue_consumer.send_overdue() | others
            });
        if others {
            self.kept.notify_one();
        }
    }

    /// Sends every acknowledgement that is kept back.
    pub(crate) fn flush(&self) {
        for queue_consumer in &self.queue_consumers {
            queue_consumer.flush();
        }
    }

    /// A queue is consumed anew.
    pub(crate) fn has_changed(&self) {
        self.changed.send_replace(());
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

    /// Gives out no more tokens, and says what the last one was, or one above it.
    pub(crate) fn retire(&self) -> u64 {
        self.die();
        let last = self.queue_consumers.iter().map(QueueConsumer::retire).max();
        last.unwrap_or(self.base)
    }

    /// Sends what is kept back and says goodbye.
    pub(crate) async fn close(&self) -> lapin::Result<()> {
        self.retire();
        let close = async {
            for queue_consumer in &self.queue_consumers {
                queue_consumer.close(self.is_exclusive).await?;
            }
            self.connection.close(200, "bye".into()).await
        };
        timeout(FAREWELL, close)
            .await
            .unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))
    }
}

/// How many deliveries may be unsettled on each of so many channels. Of several most are idle where there are other
/// workers, so each gets twice its part, and few are not divided; how many are given out in all is bounded where they
/// are received. A prefetch of 0 would mean no limit.
fn prefetch(max_unsettled: usize, queue_consumers: usize) -> u16 {
    let each = match queue_consumers {
        0 | 1 => max_unsettled,
        queue_consumers => {
            let part = 2 * max_unsettled.div_ceil(queue_consumers);
            max_unsettled.min(part.max(UNDIVIDED))
        }
    };
    u16::try_from(each).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::prefetch;

    #[test]
    fn several_queues_share_what_may_be_unsettled() {
        assert_eq!(prefetch(512, 1), 512);
        assert_eq!(prefetch(512, 8), 128);
        assert_eq!(prefetch(512, 64), 64);
        assert_eq!(prefetch(5, 4), 5);
        assert_eq!(prefetch(1, 4), 1);
        assert_eq!(prefetch(100_000, 1), u16::MAX);
    }
}
