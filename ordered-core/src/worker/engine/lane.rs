use std::collections::VecDeque;

use tokio::task::AbortHandle;

use super::Failure;
use super::item::Item;
use crate::event::EventId;
use crate::protocol::Fence;

/// The events of one key that this worker was granted, run one after the other.
///
/// There is a lane for a key exactly as long as the store has a claim of this worker on it, seen through the replies,
/// which come in the order in which the store applied the commands.
pub(super) struct Lane {
    pub(super) fence: Fence,
    /// In order of seq; the first is the one at work.
    pub(super) queue: VecDeque<Item>,
    pub(super) stage: Stage,
}

/// What becomes of the first event of a lane.
pub(super) enum Stage {
    /// It waits for a handler slot.
    Ready,
    /// The handler is at it. The handle is there once the run was spawned.
    Running(Option<AbortHandle>),
    /// A command about it is on its way to the store: commit, retry, halt or release.
    Asking,
    /// It failed so, and waits to be tried again.
    BackingOff(Failure),
}

impl Lane {
    pub(super) fn new(fence: Fence) -> Self {
        Self {
            fence,
            queue: VecDeque::new(),
            stage: Stage::Ready,
        }
    }

    /// How many deliveries of the read-ahead it takes.
    pub(super) fn unsettled(&self) -> usize {
        self.queue.iter().map(|item| item.tokens.len()).sum()
    }

    /// The last seq in memory.
    pub(super) fn have(&self) -> u64 {
        self.queue.back().map_or(0, |item| item.seq().get())
    }

    /// An id that comes back under a later seq was not committed yet when that one was granted.
    pub(super) fn committed(&mut self, id: &EventId) {
        for item in self.queue.iter_mut().filter(|item| item.id() == id) {
            item.repeat = true;
        }
    }

    /// Whether the event is there already: the broker delivered it again.
    pub(super) fn holds(&self, item: &Item) -> bool {
        self.queue
            .binary_search_by_key(&item.seq(), Item::seq)
            .is_ok()
    }

    /// Puts the event in its place, or its tokens to the event that is there already. What came from the store does not
    /// say of which numbering it is, and its delivery does: if the key begins again meanwhile, the event must not be taken
    /// for one of the new numbering.
    pub(super) fn insert(&mut self, item: Item) {
        match self.queue.binary_search_by_key(&item.seq(), Item::seq) {
            Ok(place) => {
                let there = &mut self.queue[place];
                there.event.epoch = there.event.epoch.or(item.event.epoch);
                there.tokens.absorb(item.tokens);
            }
            Err(place) => self.queue.insert(place, item),
        }
    }
}
