//! In which order the events of a key run: a file for each order, with its events and its handler. What its rule allows
//! is held against the history as `ordered_testkit::history::Rules::order` says.

mod arrival;
mod causal;
mod lamport;
mod monotonic;
mod sequence;

use ordered_events::core::worker::Control;
use ordered_events::{Order, WorkerBuilder};
use serde::{Deserialize, Serialize};

use crate::order::OrderEvent;
use crate::worker::Pace;

/// An order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
#[non_exhaustive]
pub enum Sequencing {
    Sequence,
    Arrival,
    Monotonic,
    Causal,
    Lamport,
}

impl Sequencing {
    /// So many events of so many keys, as the broker is given them.
    pub(crate) fn events(
        self,
        amount: (usize, usize),
        random: &mut fastrand::Rng,
    ) -> Vec<OrderEvent> {
        match self {
            Self::Sequence => sequence::events(amount, random),
            Self::Arrival => arrival::events(amount, random),
            Self::Monotonic => monotonic::events(amount, random),
            Self::Causal => causal::events(amount, random),
            Self::Lamport => lamport::events(amount, random),
        }
    }

    /// Gives the worker its handler. Only in `Sequence` it has a pace.
    pub(crate) fn handled_by(self, worker: WorkerBuilder, pace: Pace) -> WorkerBuilder {
        match self {
            Self::Sequence => sequence::handled_by(worker, pace),
            Self::Arrival => worker.handler(arrival::apply),
            Self::Monotonic => worker.handler(monotonic::apply),
            Self::Causal => worker.handler(causal::apply),
            Self::Lamport => worker.handler(lamport::apply),
        }
    }

    /// What producers say of which key before its first event. The keys must know of it by then.
    pub(crate) fn said_before(self, events: &[OrderEvent]) -> Vec<(String, Control)> {
        match self {
            Self::Lamport => lamport::joins(events),
            _ => Vec::new(),
        }
    }

    /// What they say behind its last one.
    pub(crate) fn said_behind(self, events: &[OrderEvent]) -> Vec<(String, Control)> {
        match self {
            Self::Lamport => lamport::ends(events),
            _ => Vec::new(),
        }
    }

    /// The order that its history is held against. With Lamport times there is one, and the seqs are the places in it.
    pub(crate) fn order(self) -> Order {
        match self {
            Self::Sequence => Order::Sequence,
            Self::Arrival | Self::Lamport => Order::Arrival,
            Self::Monotonic => Order::Monotonic { coalesce: false },
            Self::Causal => Order::Causal,
        }
    }

    /// Whether the last seq that the store has of a key says which of its events are done. Otherwise their ids do.
    pub(crate) fn is_counted(self) -> bool {
        matches!(self, Self::Sequence | Self::Monotonic)
    }

    /// How many events may be published and not done. In `Lamport` of each key so many that each of its producers is
    /// most likely among them, since they wait for each other.
    pub(crate) fn backlog(self, (events, keys): (usize, usize)) -> usize {
        const OF_A_KEY: usize = 20;
        let backlog = (events / 5).clamp(500, 8_000);
        match self {
            Self::Lamport => backlog.max(OF_A_KEY * keys),
            _ => backlog,
        }
    }

    /// How many events of a run of `keys` keys are published at a time. In `Arrival` none of them are of one key: what
    /// is published again, because the broker did not confirm it, would come after what follows it.
    pub(crate) fn batch(self, keys: usize) -> usize {
        const BATCH: usize = 250;
        match self {
            Self::Arrival => BATCH.min(keys),
            _ => BATCH,
        }
    }
}
