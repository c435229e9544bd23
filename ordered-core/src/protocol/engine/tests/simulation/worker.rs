//! A worker of the world: an engine, and what a worker does for it.

use super::scenario::LEASE;
use crate::event::{EventId, Key};
use crate::protocol::Fence;
use crate::protocol::engine::{Engine, Pending, Rules, RunId};
use crate::store::{Exchange, Request, Session};

/// A call to the store that is under way.
pub(super) struct Call {
    pub(super) requests: Vec<Request>,
    pub(super) pending: Vec<Pending<()>>,
    /// What the store answered, once it has carried the call out.
    pub(super) answer: Option<Result<Exchange, ()>>,
}

/// A run of the handler that is under way.
#[derive(Debug, Clone)]
pub(super) struct Handling {
    pub(super) id: RunId,
    pub(super) attempt: u32,
    pub(super) fence: Fence,
    pub(super) events: Vec<(u64, EventId)>,
    pub(super) replay: bool,
}

/// A worker.
pub(super) struct Worker {
    pub(super) number: usize,
    pub(super) session: Session,
    pub(super) engine: Engine<()>,
    pub(super) calls: Vec<Call>,
    pub(super) handling: Vec<Handling>,
    pub(super) timers: Vec<(u64, Key)>,
    /// When it sent its last heartbeat, by its own clock.
    pub(super) beat_at: Option<u64>,
    /// The store's clock jumped since.
    pub(super) jumped: bool,
    /// It sends no heartbeats until then.
    pub(super) sleeps_until: u64,
    pub(super) draining: bool,
}

impl Worker {
    pub(super) fn new(number: usize, session: Session, rules: Rules) -> Self {
        let rules = Rules {
            worker: session.worker.to_string(),
            ..rules
        };
        Self {
            number,
            session,
            engine: Engine::new(rules),
            calls: Vec::new(),
            handling: Vec::new(),
            timers: Vec::new(),
            beat_at: None,
            jumped: false,
            sleeps_until: 0,
            draining: false,
        }
    }

    /// Whether the lease is good for sure, by the worker's own clock: the store may find it dead half a lease after the
    /// last heartbeat where its own clock jumped.
    pub(super) fn has_lease(&self, time: u64) -> bool {
        self.beat_at.is_some_and(|beat| time < beat + LEASE / 2)
    }
}
