//! Carries out what the engine wants: settlements for the transport, and news for observers, hooks, metrics and the
//! log.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tracing::{error, warn};

use super::hooks::call;
use super::telemetry::Telemetry;
use super::{
    Control, Deferral, MissingEvents, Observer, Outcome, Place, Repair, StuckBecause, StuckHook,
    StuckKey, WorkerEvent, repair,
};
use crate::clock::wall_clock;
use crate::event::{EventId, Key, Seq};
use crate::handler::OnPassed;
use crate::protocol::engine::{self, Disposition, EventChange, KeyChange, Tokens};
use crate::protocol::{Arrival, RepairWanted, WorkerId, last_seq_text};
use crate::readable::{moment, span};
use crate::transport::{Fate, Reason, ReasonKind, Settlement, Token};

/// Tells what happens, and collects the settlements.
pub(super) struct Outlet {
    pub(super) group: Arc<str>,
    pub(super) observers: Vec<Observer>,
    pub(super) stuck_hooks: Vec<StuckHook>,
    pub(super) repair: Option<Arc<dyn Repair>>,
    pub(super) worker: WorkerId,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) on_late: OnPassed,
    pub(super) on_stale: OnPassed,
    pub(super) defer: Duration,
    /// Deliveries of which an excerpt alone is an event: the whole is dead-lettered, for this reason, where the event
    /// is acknowledged.
    pub(super) excerpts: HashMap<Token, String>,
    pub(super) settlements: Vec<Settlement>,
}

impl Outlet {
    pub(super) fn observe(&self, occurrence: &WorkerEvent<'_>) {
        self.telemetry.record(occurrence);
        for observer in &self.observers {
            call("observe", || observer(occurrence));
        }
    }

    pub(super) fn report_stuck(&self, key: &Key, seq: u64, why: StuckBecause<'_>) {
        for hook in &self.stuck_hooks {
            let stuck = StuckKey {
                group: &self.group,
                key,
                seq,
                why,
            };
            call("on_stuck", || hook(&stuck));
        }
    }

    /// A delivery that is no event.
    pub(super) fn malformed(&mut self, token: Token, text: String) {
        self.excerpts.remove(&token);
        let reason = Reason {
            kind: ReasonKind::Malformed,
            text,
        };
        self.observe(&WorkerEvent::Malformed { reason: &reason });
        self.telemetry.deliveries.settled(Outcome::Malformed, 1);
        let fate = Fate::DeadLetter(reason);
        self.settlements.push(Settlement { token, fate });
    }

    /// Settles every delivery of an event with its final outcome. Where they are acknowledged, one of them alone has
    /// brought the event, or none where it came from the mailbox; the others are duplicates.
    pub(super) fn settle(
        &mut self,
        event: (&Key, u64, &EventId),
        tokens: &Tokens,
        disposition: Disposition,
        stored: bool,
    ) {
        let (outcome, fate) = self.fate(event, disposition);
        let mut all = tokens.len() as u64;
        for token in tokens.iter() {
            let mut fate = fate.clone();
            if let Some(why) = self.excerpts.remove(&token)
                && fate == Fate::Ack
            {
                fate = dead_letter(ReasonKind::Malformed, why);
                self.telemetry.deliveries.settled(Outcome::Malformed, 1);
                all -= 1;
            }
            self.settlements.push(Settlement { token, fate });
        }
        let first = match fate {
            Fate::Ack if stored => 0,
            Fate::Ack => all.min(1),
            _ => all,
        };
        self.telemetry.deliveries.settled(outcome, first);
        self.telemetry
            .deliveries
            .settled(Outcome::Duplicate, all - first);
    }

    pub(super) fn settle_control(&mut self, token: Token, deferred: Option<engine::Deferral>) {
        let (outcome, fate) = match deferred {
            None => (Outcome::Control, Fate::Ack),
            Some(_) => (Outcome::Deferred, Fate::Defer(self.defer)),
        };
        self.telemetry.deliveries.settled(outcome, 1);
        self.settlements.push(Settlement { token, fate });
    }

    fn fate(
        &self,
        (key, seq, id): (&Key, u64, &EventId),
        disposition: Disposition,
    ) -> (Outcome, Fate) {
        let outcome = match disposition {
            Disposition::Committed => Outcome::Committed,
            Disposition::Held => Outcome::Held,
            Disposition::Postponed => Outcome::Postponed,
            Disposition::Halted => Outcome::Halted,
            Disposition::DeadLettered => Outcome::DeadLettered,
            Disposition::Duplicate => Outcome::Duplicate,
            Disposition::Superseded => Outcome::Superseded,
            Disposition::Rewound => Outcome::Rewound,
            Disposition::Stale if self.on_stale == OnPassed::Drop => Outcome::Stale,
            Disposition::Stale => {
                let text = format!(
                    "key {key} is committed beyond seq {seq}, and the id {id} is not remembered: it is a repetition \
                     that comes later than `dedup_ttl`, or its producer began to number anew"
                );
                return (Outcome::Stale, dead_letter(ReasonKind::Stale, text));
            }
            Disposition::Deferred(_) => return (Outcome::Deferred, Fate::Defer(self.defer)),
            Disposition::Late if self.on_late == OnPassed::Drop => Outcome::Late,
            Disposition::Late if Arrival::is_unnumbered(seq) => {
                let text = format!(
                    "event {id} of key {key} came after its turn: events of a later time had run, or it was passed over"
                );
                return (Outcome::Late, dead_letter(ReasonKind::Late, text));
            }
            Disposition::Late => {
                let text = format!(
                    "seq {seq} of key {key} was skipped before this event came: an operator, a gap policy or its \
                     producer said so"
                );
                return (Outcome::Late, dead_letter(ReasonKind::Late, text));
            }
            Disposition::Conflict(Some(there)) if there.is_of_excerpt() => {
                let text = format!(
                    "seq {seq} of key {key} is held as an excerpt of an event that was too large to be kept: give it \
                     this body with `ordered edit`, or discard this one"
                );
                return (Outcome::Conflict, dead_letter(ReasonKind::Conflict, text));
            }
            Disposition::Conflict(recorded) => {
                let there = recorded.map_or_else(
                    || format!("seq {seq} of key {key} was committed with another event id"),
                    |there| format!("seq {seq} of key {key} belongs to event {there}"),
                );
                let text = format!(
                    "{there}, and this is event {id}: two producers number the key, or its producer started over"
                );
                return (Outcome::Conflict, dead_letter(ReasonKind::Conflict, text));
            }
        };
        (outcome, Fate::Ack)
    }

    /// Something happened to an event.
    pub(super) fn event_changed(&self, key: &Key, seq: u64, id: &EventId, what: &EventChange) {
        let place = if Arrival::is_unnumbered(seq) {
            Seq::UNNUMBERED
        } else if let Ok(place) = Seq::new(seq) {
            place
        } else {
            return;
        };
        let event = Place {
            key,
            seq: place,
            id,
        };
        let occurrence = match what {
            EventChange::Held(waiting) => {
                self.telemetry.waits(*waiting, (key, seq, id));
                let waiting = *waiting;
                WorkerEvent::Held { event, waiting }
            }
            EventChange::Deferred(why) => {
                let why = deferral(*why);
                if let Deferral::Full(limit) = why {
                    self.report_stuck(key, seq, StuckBecause::Full(limit));
                }
                let delay = self.defer;
                WorkerEvent::Deferred { event, why, delay }
            }
            EventChange::Duplicate => WorkerEvent::Duplicate { event },
            EventChange::Stale => WorkerEvent::Stale { event },
            EventChange::Rewound => WorkerEvent::Rewound { event },
            EventChange::Late => WorkerEvent::Late { event },
            EventChange::Superseded => WorkerEvent::Superseded { event },
            EventChange::Conflict(recorded) => WorkerEvent::Conflict {
                event,
                recorded: recorded.as_ref(),
            },
            EventChange::Started { attempt, fence } => WorkerEvent::Started {
                event,
                attempt: *attempt,
                fence: *fence,
            },
            EventChange::Committed {
                repeat,
                received_at,
                published_at,
                held_since,
            } => {
                self.telemetry
                    .committed(*received_at, *published_at, *held_since);
                WorkerEvent::Committed {
                    event,
                    repeat: *repeat,
                }
            }
            EventChange::Retrying {
                attempt,
                error,
                wait,
            } => WorkerEvent::Retrying {
                event,
                attempt: *attempt,
                error,
                wait: *wait,
            },
            EventChange::Split { events, error } => WorkerEvent::Parted {
                event,
                events: *events,
                error,
            },
            EventChange::Halted { attempts, error } => {
                self.report_stuck(key, seq, StuckBecause::Halted { error });
                WorkerEvent::Halted {
                    event,
                    attempts: *attempts,
                    error,
                }
            }
            EventChange::DeadLettered { attempts, error } => WorkerEvent::DeadLettered {
                event,
                attempts: *attempts,
                error,
            },
            EventChange::TakenOver { attempt, fence } => WorkerEvent::TakenOver {
                event,
                attempt: *attempt,
                fence: *fence,
            },
            EventChange::Fenced => WorkerEvent::Fenced { event },
        };
        self.observe(&occurrence);
    }

    /// Something happened to a key.
    pub(super) fn key_changed(&self, key: &Key, what: &KeyChange) {
        let (group, name) = (&*self.group, key.as_str());
        match what {
            KeyChange::Controlled(control) => self.controlled(key, control),
            KeyChange::Crashed { seq, error } => {
                error!(
                    group,
                    key = name,
                    seq,
                    error,
                    "the key is halted: workers died whenever they ran its event alone"
                );
                self.report_stuck(key, *seq, StuckBecause::Halted { error });
            }
            KeyChange::ReplayCrashed { seq } => error!(
                group,
                key = name,
                seq,
                "an event that was replayed is a dead letter again: workers died whenever they ran it alone"
            ),
            KeyChange::Corrected { found, known } => error!(
                group,
                key = name,
                found = %last_seq_text(*found),
                known = %last_seq_text(*known),
                "the store lost state: it says that the key is at seq `found`, and this worker committed up to seq \
                 `known`. The key was set right"
            ),
            KeyChange::FenceFell { given, known } => error!(
                group,
                key = name,
                %given,
                %known,
                "the store lost state, and its clock is behind: it gave a lower fence than before. The key waits until \
                 the clock is past it"
            ),
            KeyChange::Unreadable(error) => error!(
                group,
                key = name,
                error,
                "the state of the key cannot be read: its events stay with the broker"
            ),
            KeyChange::Superseded { events } => self.telemetry.superseded(key, *events),
            KeyChange::Late { events } => self.telemetry.late(key, *events),
            KeyChange::GivenUp { producers } => warn!(
                group,
                key = name,
                producers = producers.join(", "),
                "producers are not waited for any more, because nothing was heard of them"
            ),
            KeyChange::RepairWanted(wanted) => self.ask_for(key, wanted),
            KeyChange::Missing { seq } => error!(
                group,
                key = name,
                seq,
                "the store lost a held event: the key waits until it comes again"
            ),
        }
    }

    /// A control message about numbers, of which the order of the group knows none: other groups may need it.
    pub(super) fn ignore_control(&mut self, token: Token) {
        self.settle_control(token, None);
    }

    fn ask_for(&self, key: &Key, wanted: &RepairWanted) {
        let (from, to) = (Seq::new(wanted.from), Seq::new(wanted.to));
        let (Some(repair), Ok(from), Ok(to)) = (&self.repair, from, to) else {
            return;
        };
        let missing = MissingEvents {
            group: Arc::clone(&self.group),
            key: key.clone(),
            producer: wanted.producer.clone(),
            from,
            to,
            worker: self.worker.clone(),
        };
        repair::ask(Arc::clone(repair), missing);
    }

    fn controlled(&self, key: &Key, control: &Control) {
        self.observe(&WorkerEvent::Controlled { key, control });
    }

    /// A key has waited long for an event that has not come.
    pub(super) fn gap(&self, key: &Key, seq: u64, since: u64) {
        warn!(
            group = &*self.group,
            key = key.as_str(),
            seq,
            since = moment(since, wall_clock()),
            waited = span(wall_clock().saturating_sub(since)),
            "a key has waited long for an event that has not come"
        );
        self.report_stuck(key, seq, StuckBecause::Gap { since });
    }
}

fn dead_letter(kind: ReasonKind, text: String) -> Fate {
    Fate::DeadLetter(Reason { kind, text })
}

fn deferral(why: engine::Deferral) -> Deferral {
    match why {
        engine::Deferral::Full(limit) => Deferral::Full(limit),
        engine::Deferral::NotYet => Deferral::NotYet,
        engine::Deferral::Unreadable => Deferral::Unreadable,
    }
}
