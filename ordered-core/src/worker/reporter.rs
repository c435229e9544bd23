//! Carries out what the engine wants: settlements for the transport, and news for observers, hooks, metrics and the
//! log.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tracing::{error, warn};

use super::hooks::call;
use super::telemetry::Telemetry;
use super::{
    Control, EventRef, MissingEvents, Observer, Outcome, Repair, StuckHook, StuckKey, StuckReason,
    WorkerEvent, repair,
};
use crate::clock::wall_clock;
use crate::event::{EventId, Key, Seq};
use crate::handler::OnPassed;
use crate::protocol::engine::{DeferReason, EventChange, EventOutcome, KeyChange, Tokens};
use crate::protocol::{Arrival, RepairWanted, WorkerId, last_seq_text};
use crate::readable::{moment, span};
use crate::transport::{Disposition, Reason, ReasonKind, Settlement, Token};

/// Tells what happens, and collects the settlements.
pub(super) struct Reporter {
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

impl Reporter {
    pub(super) fn observe(&self, occurrence: &WorkerEvent<'_>) {
        self.telemetry.record(occurrence);
        for observer in &self.observers {
            call("observe", || observer(occurrence));
        }
    }

    pub(super) fn report_stuck(&self, key: &Key, seq: u64, why: StuckReason<'_>) {
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
        let disposition = Disposition::DeadLetter(reason);
        self.settlements.push(Settlement { token, disposition });
    }

    /// Settles every delivery of an event with its final outcome. Where they are acknowledged, one of them alone has
    /// brought the event, or none where it came from the mailbox; the others are duplicates.
    pub(super) fn settle(
        &mut self,
        event: (&Key, u64, &EventId),
        tokens: &Tokens,
        outcome: EventOutcome,
        stored: bool,
    ) {
        let (outcome, disposition) = self.disposition(event, outcome);
        let mut all = tokens.len() as u64;
        for token in tokens.iter() {
            let mut disposition = disposition.clone();
            if let Some(why) = self.excerpts.remove(&token)
                && disposition == Disposition::Ack
            {
                disposition = dead_letter(ReasonKind::Malformed, why);
                self.telemetry.deliveries.settled(Outcome::Malformed, 1);
                all -= 1;
            }
            self.settlements.push(Settlement { token, disposition });
        }
        let first = match disposition {
            Disposition::Ack if stored => 0,
            Disposition::Ack => all.min(1),
            _ => all,
        };
        self.telemetry.deliveries.settled(outcome, first);
        self.telemetry
            .deliveries
            .settled(Outcome::Duplicate, all - first);
    }

    pub(super) fn settle_control(&mut self, token: Token, deferred: Option<DeferReason>) {
        let (outcome, disposition) = match deferred {
            None => (Outcome::Control, Disposition::Ack),
            Some(_) => (Outcome::Deferred, Disposition::Defer(self.defer)),
        };
        self.telemetry.deliveries.settled(outcome, 1);
        self.settlements.push(Settlement { token, disposition });
    }

    fn disposition(
        &self,
        (key, seq, id): (&Key, u64, &EventId),
        outcome: EventOutcome,
    ) -> (Outcome, Disposition) {
        let outcome = match outcome {
            EventOutcome::Committed => Outcome::Committed,
            EventOutcome::Held => Outcome::Held,
            EventOutcome::Postponed => Outcome::Postponed,
            EventOutcome::Halted => Outcome::Halted,
            EventOutcome::DeadLettered => Outcome::DeadLettered,
            EventOutcome::Duplicate => Outcome::Duplicate,
            EventOutcome::Superseded => Outcome::Superseded,
            EventOutcome::Rewound => Outcome::Rewound,
            EventOutcome::Stale if self.on_stale == OnPassed::Drop => Outcome::Stale,
            EventOutcome::Stale => {
                let text = format!(
                    "key {key} is committed beyond seq {seq}, and the id {id} is not remembered: it is a repetition \
                     that comes later than `dedup_ttl`, or its producer began to number anew"
                );
                return (Outcome::Stale, dead_letter(ReasonKind::Stale, text));
            }
            EventOutcome::Deferred(_) => {
                return (Outcome::Deferred, Disposition::Defer(self.defer));
            }
            EventOutcome::Late if self.on_late == OnPassed::Drop => Outcome::Late,
            EventOutcome::Late if Arrival::is_unnumbered(seq) => {
                let text = format!(
                    "event {id} of key {key} came after its turn: events of a later time had run, or it was passed over"
                );
                return (Outcome::Late, dead_letter(ReasonKind::Late, text));
            }
            EventOutcome::Late => {
                let text = format!(
                    "seq {seq} of key {key} was skipped before this event came: an operator, a gap policy or its \
                     producer said so"
                );
                return (Outcome::Late, dead_letter(ReasonKind::Late, text));
            }
            EventOutcome::Conflict(Some(there)) if there.is_of_excerpt() => {
                let text = format!(
                    "seq {seq} of key {key} is held as an excerpt of an event that was too large to be kept: give it \
                     this body with `ordered edit`, or discard this one"
                );
                return (Outcome::Conflict, dead_letter(ReasonKind::Conflict, text));
            }
            EventOutcome::Conflict(recorded) => {
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
        (outcome, Disposition::Ack)
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
        let event = EventRef {
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
                let why = *why;
                if let DeferReason::Full(limit) = why {
                    self.report_stuck(key, seq, StuckReason::Full(limit));
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
            EventChange::Split { events, error } => WorkerEvent::BatchSplit {
                event,
                events: *events,
                error,
            },
            EventChange::Halted { attempts, error } => {
                self.report_stuck(key, seq, StuckReason::Halted { error });
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
                self.report_stuck(key, *seq, StuckReason::Halted { error });
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
        self.report_stuck(key, seq, StuckReason::Gap { since });
    }
}

fn dead_letter(kind: ReasonKind, text: String) -> Disposition {
    Disposition::DeadLetter(Reason { kind, text })
}
