use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::{
    ConsumeOptions, Delivery, Disposition, Publish, Reason, Settlement, Token, Transport,
    TransportError,
};
use crate::event::Envelope;
use crate::publish::Outgoing;

/// What a [`MemoryBroker`] does to the events on their way, decided by a seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults {
    /// The seed of every decision.
    pub seed: u64,
    /// Each event of one `publish` is moved by up to this many places.
    pub shuffle: usize,
    /// This many percent of the events are put into the queue twice.
    pub duplicate: u8,
    /// This many percent of the deliveries are lost on their way to the worker, and made again later.
    pub drop: u8,
    /// This many percent of the acknowledgements are lost, so that the event is delivered again.
    pub forget: u8,
    /// Each event is ready only after a random time up to this.
    pub delay: Duration,
}

/// A queue in the memory of this process. Clones are the same queue.
#[derive(Debug, Clone)]
pub struct MemoryBroker {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    // A std mutex: it is held for the time of a few map accesses, and never over an await.
    queue: Mutex<Queue>,
    arrived: Notify,
}

#[derive(Debug)]
struct Queue {
    faults: Faults,
    random: fastrand::Rng,
    ready: BTreeMap<(Instant, u64), Message>,
    unsettled: HashMap<Token, (u64, Message)>,
    dead: Vec<(Envelope, Reason)>,
    counter: u64,
}

#[derive(Debug, Clone)]
struct Message {
    envelope: Envelope,
    redelivered: bool,
}

/// How long a lost delivery, or one with a lost acknowledgement, takes to come back.
const REDELIVERY: Duration = Duration::from_millis(20);

impl MemoryBroker {
    /// An empty queue that delivers what it is given, in order, once.
    #[must_use]
    pub fn new() -> Self {
        Self::with_faults(Faults::default())
    }

    /// An empty queue with faults.
    #[must_use]
    pub fn with_faults(faults: Faults) -> Self {
        let queue = Queue {
            faults,
            random: fastrand::Rng::with_seed(faults.seed),
            ready: BTreeMap::new(),
            unsettled: HashMap::new(),
            dead: Vec::new(),
            counter: 0,
        };
        Self {
            shared: Arc::new(Shared {
                queue: Mutex::new(queue),
                arrived: Notify::new(),
            }),
        }
    }

    /// A consumer of the queue.
    #[must_use]
    pub fn consumer(&self) -> MemoryTransport {
        let id = self.lock().tick();
        MemoryTransport {
            broker: self.clone(),
            id,
        }
    }

    /// What was dead-lettered, with the reasons.
    #[must_use]
    pub fn dead_letters(&self) -> Vec<(Envelope, Reason)> {
        self.lock().dead.clone()
    }

    /// How many events are in the queue or with a consumer.
    #[must_use]
    pub fn backlog(&self) -> usize {
        let queue = self.lock();
        queue.ready.len() + queue.unsettled.len()
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.shared
            .queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryBroker {
    fn default() -> Self {
        Self::new()
    }
}

impl Queue {
    fn tick(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    fn chance(&mut self, percent: u8) -> bool {
        percent > 0 && self.random.u8(0..100) < percent
    }

    fn push(&mut self, message: Message, delay: Duration) {
        let order = self.tick();
        self.ready.insert((Instant::now() + delay, order), message);
    }

    fn publish(&mut self, envelopes: Vec<Envelope>) {
        let mut copies = Vec::with_capacity(envelopes.len());
        for envelope in envelopes {
            if self.chance(self.faults.duplicate) {
                copies.push(envelope.clone());
            }
            copies.push(envelope);
        }
        shuffle_within(&mut copies, self.faults.shuffle, &mut self.random);
        let longest = self.faults.delay;
        for envelope in copies {
            let delay = longest.mul_f64(self.random.f64());
            self.push(
                Message {
                    envelope,
                    redelivered: false,
                },
                delay,
            );
        }
    }

    fn take(&mut self, consumer: u64, max: usize) -> Vec<Delivery> {
        let now = Instant::now();
        let mut deliveries = Vec::new();
        while deliveries.len() < max {
            let Some(first) = self
                .ready
                .first_entry()
                .filter(|first| first.key().0 <= now)
            else {
                break;
            };
            let message = first.remove();
            if self.chance(self.faults.drop) {
                self.push(
                    Message {
                        redelivered: true,
                        ..message
                    },
                    REDELIVERY,
                );
                continue;
            }
            let token = Token(self.tick());
            let Message {
                envelope,
                redelivered,
            } = message.clone();
            self.unsettled.insert(token, (consumer, message));
            deliveries.push(Delivery {
                token,
                envelope,
                redelivered,
            });
        }
        deliveries
    }

    fn settle(&mut self, Settlement { token, disposition }: Settlement) {
        let Some((_, message)) = self.unsettled.remove(&token) else {
            return;
        };
        let again = Message {
            redelivered: true,
            ..message
        };
        match disposition {
            Disposition::Ack => {
                if self.chance(self.faults.forget) {
                    self.push(again, REDELIVERY);
                }
            }
            Disposition::Defer(delay) => self.push(again, delay),
            Disposition::DeadLetter(reason) => self.dead.push((again.envelope, reason)),
        }
    }

    fn give_back(&mut self, consumer: u64) {
        let mut tokens: Vec<Token> = self
            .unsettled
            .iter()
            .filter(|(_, (owner, _))| *owner == consumer)
            .map(|(token, _)| *token)
            .collect();
        tokens.sort();
        for token in tokens {
            if let Some((_, message)) = self.unsettled.remove(&token) {
                self.push(
                    Message {
                        redelivered: true,
                        ..message
                    },
                    Duration::ZERO,
                );
            }
        }
    }
}

/// Moves each item by at most `window` places, as the random numbers decide.
pub fn shuffle_within<T>(items: &mut Vec<T>, window: usize, random: &mut fastrand::Rng) {
    if window == 0 {
        return;
    }
    // An item's new place is its old one plus up to `window`: nothing overtakes an item more than `window` behind it.
    let mut keyed: Vec<(usize, T)> = items
        .drain(..)
        .enumerate()
        .map(|(place, item)| (place + random.usize(0..=window), item))
        .collect();
    keyed.sort_by_key(|(place, _)| *place);
    items.extend(keyed.into_iter().map(|(_, item)| item));
}

/// A consumer, and a producer, of a [`MemoryBroker`].
#[derive(Debug)]
pub struct MemoryTransport {
    broker: MemoryBroker,
    id: u64,
}

#[async_trait]
impl Transport for MemoryTransport {
    async fn start(&self, _: ConsumeOptions) -> Result<(), TransportError> {
        Ok(())
    }

    async fn receive(&self, max: usize) -> Result<Vec<Delivery>, TransportError> {
        loop {
            let arrived = self.broker.shared.arrived.notified();
            tokio::pin!(arrived);
            arrived.as_mut().enable();
            let due = {
                let mut queue = self.broker.lock();
                let deliveries = queue.take(self.id, max);
                if !deliveries.is_empty() {
                    return Ok(deliveries);
                }
                queue.ready.first_key_value().map(|((due, _), _)| *due)
            };
            match due {
                Some(due) => {
                    tokio::select! {
                        () = arrived => {}
                        () = tokio::time::sleep_until(due) => {}
                    }
                }
                None => arrived.await,
            }
        }
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<(), TransportError> {
        let mut queue = self.broker.lock();
        settlements
            .into_iter()
            .for_each(|settlement| queue.settle(settlement));
        drop(queue);
        self.broker.shared.arrived.notify_waiters();
        Ok(())
    }

    async fn close(&self) -> Result<(), TransportError> {
        self.broker.lock().give_back(self.id);
        self.broker.shared.arrived.notify_waiters();
        Ok(())
    }
}

/// A consumer that is dropped without being closed, as in a crash, gives back what it had.
impl Drop for MemoryTransport {
    fn drop(&mut self) {
        self.broker.lock().give_back(self.id);
        self.broker.shared.arrived.notify_waiters();
    }
}

#[async_trait]
impl Publish for MemoryBroker {
    async fn send(&self, events: &[Outgoing]) -> Vec<Result<(), TransportError>> {
        let envelopes = events.iter().map(|event| event.envelope().clone());
        self.lock().publish(envelopes.collect());
        self.shared.arrived.notify_waiters();
        events.iter().map(|_| Ok(())).collect()
    }
}
