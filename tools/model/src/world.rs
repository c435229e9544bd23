use crate::bounds::Bounds;
use crate::event::{KeyNumber, Slot, Which};
use crate::store::{Lease, Record, Store, Who};
use crate::worker::Worker;

/// One state of everything: the store, the broker's queue, the workers, and what happened so far as far as a promise is
/// about it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    pub(crate) store: Store,
    /// How many deliveries of each message are in the queue.
    pub(crate) queue: Vec<u8>,
    /// Which messages were delivered before.
    pub(crate) delivered: Set,
    pub(crate) workers: Vec<Worker>,
    /// How often the operator may still intervene.
    pub(crate) orders: u8,
    /// Of each key.
    pub(crate) pasts: Vec<Past>,
    /// How often something may still go wrong; any number of times if `None`.
    pub(crate) faults_left: Option<u8>,
    /// The store lost everything.
    pub(crate) lost: bool,
    /// The first promise that was broken.
    pub(crate) broken: Option<Broken>,
}

/// What the properties ask about, and nobody in the model knows.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Past {
    /// The events that committed, of the numbering that the key is in, in their order.
    pub(crate) committed: Vec<Which>,
    /// Those that committed in an earlier one.
    pub(crate) earlier: Set,
    /// Those that an operator took out of the store permanently.
    pub(crate) discarded: Set,
    /// Those whose handler got done at least once.
    pub(crate) handled: Set,
    /// Those that were dead-lettered at the broker.
    pub(crate) dead: Set,
    /// Those that were in the store when it lost everything.
    pub(crate) forgotten: Set,
    /// To whom the key was granted last, until it gave the key up.
    pub(crate) granted: Option<Who>,
    /// How many saves committed something since an operator asked the owner for the key.
    pub(crate) since_asked: Option<u8>,
    /// The key was taken from a worker that was alive: what that one still begins does not count.
    pub(crate) forced: bool,
}

/// A promise that a step broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Broken {
    /// A seq committed out of turn, the key moved past one without a reason, or a handler started before the event
    /// before it was done with.
    Order,
    /// An event committed twice, or without its handler having got done, or was handled again under another seq.
    Once,
    /// A worker saved after another was granted the key.
    Fencing,
    /// A worker was asked for the key, and went on with it after the event at work.
    HandOver,
}

/// A few events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Set(u16);

impl Set {
    pub(crate) fn insert(&mut self, which: Which) {
        self.0 |= 1 << which;
    }

    pub(crate) fn contains(self, which: Which) -> bool {
        self.0 & (1 << which) != 0
    }
}

impl World {
    /// Everything published, as often as it is delivered at the same time, and nothing delivered; the leases of all
    /// workers are good.
    pub(crate) fn new(bounds: &Bounds) -> Self {
        Self {
            store: Store {
                records: vec![Record::default(); bounds.keys()],
                leases: vec![Lease::Alive; bounds.workers],
                paused: false,
                quota: bounds.quota,
            },
            queue: vec![bounds.copies; bounds.messages().len()],
            delivered: Set::default(),
            workers: vec![Worker::new(bounds); bounds.workers],
            orders: bounds.operator.map_or(0, |operator| operator.times),
            pasts: vec![Past::default(); bounds.keys()],
            faults_left: bounds.most_faults,
            lost: false,
            broken: None,
        }
    }

    pub(crate) fn keys(&self) -> std::ops::Range<KeyNumber> {
        0..self.store.records.len()
    }

    pub(crate) fn break_promise(&mut self, promise: Broken) {
        self.broken.get_or_insert(promise);
    }

    /// Whether another worker has messages that are not settled.
    pub(crate) fn others_consume(&self, slot: Slot) -> bool {
        let mut others = self
            .workers
            .iter()
            .zip(0..)
            .filter(|(_, other)| *other != slot);
        others.any(|(worker, _)| worker.live.iter().any(|live| *live > 0))
    }

    /// How many deliveries of the message are in the queue or with workers.
    pub(crate) fn around(&self, which: Which) -> u8 {
        let place = usize::from(which);
        let with_workers = self.workers.iter().map(|worker| worker.live[place]);
        self.queue[place] + with_workers.sum::<u8>()
    }
}
