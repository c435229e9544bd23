use ordered_core::protocol::{BucketState, KeyState};

use crate::bounds::Bounds;
use crate::event::{Slot, Which};
use crate::worker::Worker;

/// One state of everything: the store's state of one key, the broker's queue, the workers, and what happened so far as
/// far as a promise is about it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    pub(crate) bucket: BucketState,
    pub(crate) key: KeyState,
    /// How many deliveries of each message are in the queue.
    pub(crate) queue: Vec<u8>,
    pub(crate) workers: Vec<Worker>,
    /// How often the operator may still intervene.
    pub(crate) orders: u8,
    pub(crate) past: Past,
}

/// What the properties ask about, and nobody in the model knows.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Past {
    /// The events that committed, of the numbering that the key is in, in their order.
    pub(crate) committed: Vec<Which>,
    /// Those that committed in an earlier one.
    pub(crate) earlier: Set,
    /// Those that an operator took out of the store for good.
    pub(crate) discarded: Set,
    /// The seqs that the key may move past: filled by a producer, or discarded by an operator.
    pub(crate) absent: Set,
    /// Those whose handler got done at least once.
    pub(crate) handled: Set,
    /// Those that were dead-lettered at the broker.
    pub(crate) dead: Set,
    /// To whom the key was granted last; nobody once that worker is dead.
    pub(crate) granted: Option<Slot>,
    /// The first fence after a claim was ended by an operator or a producer: what was granted before it may overlap with
    /// what was granted since.
    pub(crate) seized: Option<u64>,
    /// The first promise that was broken.
    pub(crate) broken: Option<Broken>,
}

/// A promise that a step broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Broken {
    /// A seq committed out of turn, the key moved past one without a reason, or a handler started before the event before it
    /// was done with.
    Order,
    /// An event committed twice, or without its handler having got done.
    Once,
    /// A worker committed after another was granted the key.
    Fencing,
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
    /// Everything published and nothing delivered; the workers have not yet given a sign of life.
    pub(crate) fn new(bounds: &Bounds) -> Self {
        Self {
            bucket: BucketState::default(),
            key: KeyState::new(1),
            queue: vec![1; bounds.messages().len()],
            workers: vec![Worker::default(); bounds.workers],
            orders: bounds.operator.map_or(0, |operator| operator.times),
            past: Past::default(),
        }
    }

    pub(crate) fn break_promise(&mut self, promise: Broken) {
        self.past.broken.get_or_insert(promise);
    }
}
