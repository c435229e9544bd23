//! The worker of the model: what `ordered_core`'s engine does, for one key, in the same words. Everything that the
//! engine decides is here; how many handlers run at a time, batches of several keys and the like are not.

mod answers;
mod drain;
mod lane;
mod runs;
mod turn;

use ordered_core::protocol::Event;

use crate::bounds::Bounds;
use crate::event::Which;
use crate::store::{Answer, Ask};

pub(crate) use runs::Outcome;
pub(crate) use turn::Turn;

/// One worker process.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Worker {
    /// Its first heartbeat has reached the store.
    pub(crate) up: bool,
    /// For how many ticks its lease is good, as the worker itself can be sure of it.
    pub(crate) lease: u8,
    /// A jump of the server's clock took the lease away, which the worker cannot know: what it runs of that time may
    /// overlap with others.
    pub(crate) stepped: bool,
    pub(crate) draining: bool,
    pub(crate) lane: Option<Lane>,
    /// What to tell the store once the batch that is under way is answered.
    pub(crate) outbox: Vec<Ask>,
    /// The batch under way: the commands and the answers so far.
    pub(crate) batch: Vec<(Ask, Option<Answer>)>,
    /// The lease was lost after the batch went out.
    pub(crate) suspect: bool,
    /// Deliveries, by event, that the worker has forgotten without settling them.
    pub(crate) limbo: Vec<Which>,
}

/// See `ordered_core`'s engine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Lane {
    pub(crate) fence: u64,
    pub(crate) queue: Vec<Item>,
    pub(crate) stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Stage {
    Ready,
    Running {
        /// The lease ended under the run, so that another may begin.
        excused: bool,
    },
    Asking,
    BackingOff,
}

/// An event in the worker's memory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Item {
    pub(crate) event: Which,
    /// Deliveries that wait to be settled.
    pub(crate) live: u8,
    /// It has a handle of a lost connection, which settles nothing.
    pub(crate) stale: bool,
    pub(crate) attempt: u32,
    pub(crate) repeat: bool,
    /// It does not say of which numbering it is: it came from the store.
    pub(crate) undated: bool,
}

impl Item {
    pub(crate) fn delivered(event: Which) -> Self {
        Self {
            event,
            live: 1,
            stale: false,
            attempt: 1,
            repeat: false,
            undated: false,
        }
    }

    /// As the worker tells it to the store.
    pub(crate) fn event(&self, bounds: &Bounds) -> Event {
        let event = bounds.event(self.event);
        Event {
            epoch: event.epoch.filter(|_| !self.undated),
            ..event
        }
    }

    pub(crate) fn has_tokens(&self) -> bool {
        self.live > 0 || self.stale
    }
}

impl Worker {
    /// Every event that it has in memory.
    pub(crate) fn items(&self) -> impl Iterator<Item = &Item> {
        let asks = self
            .outbox
            .iter()
            .chain(self.batch.iter().map(|(ask, _)| ask));
        let lane = self.lane.iter().flat_map(|lane| &lane.queue);
        lane.chain(asks.filter_map(Ask::item))
    }

    pub(crate) fn items_mut(&mut self) -> impl Iterator<Item = &mut Item> {
        let asks = self
            .outbox
            .iter_mut()
            .chain(self.batch.iter_mut().map(|(ask, _)| ask));
        let lane = self.lane.iter_mut().flat_map(|lane| &mut lane.queue);
        lane.chain(asks.filter_map(Ask::item_mut))
    }
}
