//! What the worker decides, without I/O: deliveries, verdicts and finished runs go in; commands, runs and settlements
//! come out.

mod behind;
mod deliveries;
mod drain;
mod item;
mod lane;
mod lanes;
mod runs;
mod trial;
mod verdicts;
mod waiting;
mod work;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use self::behind::Behind;
use self::item::Item;
use self::lane::{Lane, Queues};
use self::trial::Trial;
use super::telemetry::Telemetry;
use super::{Control, Observer, Occurrence, Outcome, Settings, StuckBecause, StuckHook, StuckKey};
use crate::event::{Envelope, Key, Seq};
use crate::handler::{
    AnyEvent, Context, Decoded, DynHandler, HandlerError, HandlerOptions, Malformed, States, Work,
};
use crate::protocol::{Action, Command, Fence, WorkerId};
use crate::transport::{Fate, Settlement, Token};
use crate::worker::hooks::call;

/// The parts an engine is made of.
pub(super) struct Parts {
    pub(super) handler: Arc<dyn DynHandler>,
    pub(super) options: HandlerOptions,
    pub(super) settings: Settings,
    pub(super) states: Arc<States>,
    pub(super) worker: WorkerId,
    pub(super) observers: Vec<Observer>,
    pub(super) stuck_hooks: Vec<StuckHook>,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) random: fastrand::Rng,
}

pub(super) struct Engine {
    parts: Parts,
    group: Arc<str>,
    /// Looked at several times for each event; seeded, because keys come from outside.
    lanes: HashMap<Key, Lane, foldhash::quality::RandomState>,
    behind: Behind,
    /// The queues of lanes that have ended, empty: most keys come and go with an event or two.
    spare: Vec<Queues>,
    /// Lanes whose next run waits for a handler slot, longest first. May name lanes that are gone or not ready any more;
    /// they are passed over.
    ready: VecDeque<Key>,
    running: usize,
    /// How many lanes wait for their next attempt.
    waiting: usize,
    /// How many deliveries those have.
    waiting_unsettled: usize,
    /// The gaps that were reported as stuck: key and seq.
    reported: HashMap<Key, u64>,
    draining: bool,
    /// The suspects that the last sweep found, and the one of them that is at work.
    suspects: VecDeque<Key>,
    trial: Trial,
    /// What to tell the store next, and what to do with each answer.
    outbox: VecDeque<(Command, Then)>,
    settlements: Vec<Settlement>,
    pauses: Vec<Pause>,
}

/// What an answer of the store is about.
pub(super) enum Then {
    /// A delivered event: offered, or sent to be held.
    Place(Box<Item>),
    /// One that had waited behind its lane, offered again.
    Follow(Box<Item>),
    /// The first event of the lane with this fence.
    Commit(Fence),
    Retry(Failure),
    Postpone(Failure),
    Halt(Failure),
    DeadLetter(Failure),
    Release(Fence),
    Claim,
    /// A claim of a suspect.
    Trial,
    Control(Control, Token),
}

/// How a run failed.
pub(super) struct Failure {
    fence: Fence,
    attempt: u32,
    error: String,
    /// How long to wait before the next attempt.
    wait: Duration,
    /// Whether the observers have been told.
    told: bool,
}

/// A run of the handler, to be started.
pub(super) struct Start {
    pub(super) name: RunName,
    pub(super) run: Result<Run, HandlerError>,
}

/// What the handler is given, and the context of the whole.
pub(super) struct Run {
    pub(super) work: Work,
    pub(super) context: Context,
}

/// Names one run: it counts only while its lane has this fence, and this event is the first at work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RunName {
    pub(super) key: Key,
    pub(super) fence: Fence,
    pub(super) seq: Seq,
}

/// A wait before the next attempt.
pub(super) struct Pause {
    pub(super) name: RunName,
    pub(super) wait: Duration,
}

impl Parts {
    fn decode(&self, envelope: &Envelope) -> Result<Decoded<AnyEvent>, Malformed> {
        self.handler.read(envelope)
    }

    fn read(&self, envelope: &Envelope) -> Result<AnyEvent, Malformed> {
        self.decode(envelope).map(|decoded| decoded.event)
    }

    fn observe(&self, occurrence: &Occurrence<'_>) {
        self.telemetry.record(occurrence);
        for observer in &self.observers {
            call("observe", || observer(occurrence));
        }
    }
}

impl Engine {
    pub(super) fn new(parts: Parts) -> Self {
        Self {
            group: parts.options.group.as_str().into(),
            parts,
            lanes: HashMap::default(),
            behind: Behind::default(),
            spare: Vec::new(),
            ready: VecDeque::new(),
            running: 0,
            waiting: 0,
            waiting_unsettled: 0,
            reported: HashMap::new(),
            draining: false,
            suspects: VecDeque::new(),
            trial: Trial::None,
            outbox: VecDeque::new(),
            settlements: Vec::new(),
            pauses: Vec::new(),
        }
    }

    /// How many commands there are to tell the store.
    pub(super) fn said(&self) -> usize {
        self.outbox.len()
    }

    /// The next batch for the store, bounded in commands and bytes; empty when there is nothing to say.
    pub(super) fn take_batch(&mut self) -> (Vec<Command>, Vec<Then>) {
        let mut bytes = 0;
        let mut count = 0;
        for (command, _) in self.outbox.iter().take(self.parts.settings.batch_commands) {
            bytes += payload_bytes(&command.action);
            if count > 0 && bytes > self.parts.settings.batch_bytes {
                break;
            }
            count += 1;
        }
        self.outbox.drain(..count).unzip()
    }

    pub(super) fn take_settlements(&mut self) -> Vec<Settlement> {
        std::mem::take(&mut self.settlements)
    }

    pub(super) fn take_pauses(&mut self) -> Vec<Pause> {
        std::mem::take(&mut self.pauses)
    }

    /// Whether lanes wait for nothing but a lease and a slot.
    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// How many more keys the worker could take over now. Keys share the handler slots in turn, so that one more makes the
    /// others slower, but a key that nobody runs stands still.
    pub(super) fn spare_lanes(&self) -> usize {
        if self.draining {
            0
        } else {
            self.parts
                .settings
                .max_lanes
                .saturating_sub(self.lanes.len())
        }
    }

    pub(super) fn lanes(&self) -> usize {
        self.lanes.len()
    }

    fn tell(&mut self, key: Key, action: Action, then: Then) {
        self.outbox.push_back((Command { key, action }, then));
    }

    /// Settles the deliveries of an event, of which this became. Where they are acknowledged, one of them alone has brought
    /// the event, or none where it came from the store; the others are duplicates.
    fn settle(&mut self, item: &Item, outcome: Outcome, fate: &Fate) {
        let settlements = item.tokens.iter().map(|token| Settlement {
            token,
            fate: fate.clone(),
        });
        self.settlements.extend(settlements);
        let all = item.tokens.len() as u64;
        let first = match fate {
            Fate::Ack if item.held_since.is_some() => 0,
            Fate::Ack => all.min(1),
            _ => all,
        };
        let ledger = &self.parts.telemetry.deliveries;
        ledger.settled(outcome, first);
        ledger.settled(Outcome::Duplicate, all - first);
    }

    fn acknowledge(&mut self, item: &Item, outcome: Outcome) {
        self.settle(item, outcome, &Fate::Ack);
    }

    fn observe(&self, occurrence: &Occurrence<'_>) {
        self.parts.observe(occurrence);
    }

    fn report_stuck(&self, key: &Key, seq: u64, why: StuckBecause<'_>) {
        for hook in &self.parts.stuck_hooks {
            let stuck = StuckKey {
                group: &self.group,
                key,
                seq,
                why,
            };
            call("on_stuck", || hook(&stuck));
        }
    }
}

fn payload_bytes(action: &Action) -> u64 {
    match action {
        Action::Hold(_, envelope)
        | Action::Postpone(_, envelope, _)
        | Action::Halt(_, envelope)
        | Action::DeadLetter { envelope, .. } => envelope.size(),
        Action::Offer(_)
        | Action::Commit { .. }
        | Action::Retry(_)
        | Action::Release { .. }
        | Action::Claim
        | Action::Fill { .. }
        | Action::Reset { .. }
        | Action::Operate(_) => 0,
    }
}

#[cfg(test)]
mod tests;
