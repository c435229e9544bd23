//! A worker: the engine that ships, and the little that surrounds it: what is under way, and what it believes.

mod turn;

use std::hash::{BuildHasher, Hash, Hasher};

use ordered_core::event::EventId;
use ordered_core::internal::engine::{Engine, Pending, RunId};
use ordered_core::store::{Exchange, Request};

pub(crate) use self::turn::{Outcome, Turn};
use crate::bounds::Bounds;
use crate::event::{KeyNumber, Which};
use crate::store::NOW;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Worker {
    /// A hash of all the rest, as it was in the last normal form.
    pub(crate) print: u64,
    pub(crate) engine: Engine<()>,
    /// It is sure of its lease.
    pub(crate) lease: bool,
    /// The state of its session is lost, and it has not noticed.
    pub(crate) session_lost: bool,
    /// Whether it takes the group for paused.
    pub(crate) paused: bool,
    /// It has opened a new state of the group, and is not through with writing down what it knows.
    pub(crate) adopting: bool,
    pub(crate) draining: bool,
    /// The call that is under way.
    pub(crate) call: Option<Call>,
    /// One that it gave up, and that may still be carried out.
    pub(crate) late: Vec<Request>,
    pub(crate) runs: Vec<Running>,
    /// The keys that it will wake.
    pub(crate) wakes: Vec<bool>,
    /// How many deliveries of each message it has not settled, over its connection and over the one that is lost.
    pub(crate) live: Vec<u8>,
    pub(crate) stale: Vec<u8>,
    /// Which of two connections it has.
    pub(crate) connection: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Call {
    pub(crate) requests: Vec<Request>,
    pub(crate) pending: Vec<Pending<()>>,
    pub(crate) answer: Option<Answered>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Answered {
    Exchange(Exchange),
    StateLost,
}

/// A handler at work.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Running {
    pub(crate) id: RunId,
    pub(crate) key: KeyNumber,
    pub(crate) attempt: u32,
    pub(crate) events: Vec<(u64, EventId)>,
    /// Another worker may begin with the key beside it: its lease has ended since, or the key was taken from it.
    pub(crate) excused: bool,
}

impl std::hash::Hash for Worker {
    fn hash<H: std::hash::Hasher>(&self, hasher: &mut H) {
        self.print.hash(hasher);
    }
}

impl Worker {
    /// To be called when the worker is in its normal form.
    pub(crate) fn take_print(&mut self) {
        self.print = 0;
        let mut hasher = foldhash::quality::FixedState::default().build_hasher();
        self.engine.hash(&mut hasher);
        (self.lease, self.session_lost, self.paused).hash(&mut hasher);
        (self.adopting, self.draining).hash(&mut hasher);
        (&self.call, &self.late, &self.runs, &self.wakes).hash(&mut hasher);
        (&self.live, &self.stale, self.connection).hash(&mut hasher);
        self.print = hasher.finish();
    }

    pub(crate) fn new(bounds: &Bounds) -> Self {
        let messages = bounds.messages().len();
        let mut engine = Engine::new(bounds.rules());
        engine.set_now(NOW);
        engine.renumber(|_, _| {});
        Self {
            print: 0,
            engine,
            lease: true,
            session_lost: false,
            paused: false,
            adopting: false,
            draining: false,
            call: None,
            late: Vec::new(),
            runs: Vec::new(),
            wakes: vec![false; bounds.keys()],
            live: vec![0; messages],
            stale: vec![0; messages],
            connection: 0,
        }
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.call.is_some() || !self.runs.is_empty()
    }

    pub(crate) fn can_leave(&self) -> bool {
        self.draining && !self.is_busy() && self.engine.is_idle()
    }

    pub(crate) fn runs(&self, bounds: &Bounds, which: Option<Which>) -> bool {
        let is_it = |run: &Running, which| {
            let event = (bounds.seq(which), bounds.id(which));
            run.key == bounds.key_of(which) && run.events.contains(&event)
        };
        which.is_some_and(|which| self.runs.iter().any(|run| is_it(run, which)))
    }
}
