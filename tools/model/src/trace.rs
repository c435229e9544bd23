//! A path through the graph, as a person would tell it.

use ordered_core::internal::Phase;
use ordered_core::store::{
    AcquireMode, Answer, Change, Posted, Previous, Request, Save, Saved, Slot as Place,
};
use std::fmt::Write as _;

use crate::Model;
use crate::act::Act;
use crate::bounds::{Order, Said};
use crate::event::{KeyNumber, Slot, Which, number};
use crate::store::{Record, Who};
use crate::worker::Answered;
use crate::world::World;

impl Model {
    /// One line for each step. The path is in the normal form, in which workers change places; here each keeps its
    /// name.
    pub(crate) fn trace(&self, path: &[World]) -> String {
        let mut trace = String::new();
        let mut world = World::new(&self.bounds);
        for (place, normal) in path.iter().skip(1).enumerate() {
            let mut acts = Vec::new();
            self.enabled(&world, &mut acts);
            let step = acts.into_iter().find_map(|act| {
                let after = self.after(&world, act);
                let mut same = after.clone();
                self.normalise(&mut same);
                (same == *normal).then_some((act, after))
            });
            let Some((act, after)) = step else {
                trace.push_str("  (and so on)\n");
                break;
            };
            let line = self.line(&world, act, &after);
            let started = self.started(&world, &after);
            let _ = writeln!(trace, "  {:>2}. {line}{started}", place + 1);
            world = after;
        }
        trace
    }

    fn line(&self, before: &World, act: Act, after: &World) -> String {
        match act {
            Act::Deliver(slot, which) => {
                format!(
                    "the broker delivers {} to {}",
                    self.called(which),
                    name(slot)
                )
            }
            Act::Duplicate(which) => format!(
                "the broker puts {} into the queue once more",
                self.called(which)
            ),
            Act::LoseConnection(slot) => format!(
                "the broker loses the connection to {}, and will deliver again",
                name(slot)
            ),
            Act::Ask(slot) => self.asks(slot, before, after),
            Act::Apply(slot) => {
                let call = before.workers[usize::from(slot)].call.as_ref();
                let requests = call.map_or(&[][..], |call| &call.requests);
                format!(
                    "the store gets the call of {}: {}",
                    name(slot),
                    self.exchange(requests, slot, after)
                )
            }
            Act::Reply(slot) => format!("{} gets the answer", name(slot)),
            Act::GiveUp(slot) => format!("{} gets no answer, and gives the call up", name(slot)),
            Act::ApplyLate(slot) => {
                format!("the store gets the call that {} gave up", name(slot))
            }
            Act::Beat(slot) => format!("{} sends a heartbeat", name(slot)),
            Act::Sweep(slot, key) => format!("{} finds {} in a sweep", name(slot), key_name(key)),
            Act::LoseState => "the store loses everything".to_owned(),
            Act::Finish(slot, run) => {
                format!(
                    "{} is done with {}",
                    name(slot),
                    self.running(before, slot, run)
                )
            }
            Act::Fail(slot, run) => {
                format!(
                    "{} fails at {}",
                    name(slot),
                    self.running(before, slot, run)
                )
            }
            Act::FailPermanently(slot, run) => format!(
                "{} fails permanently at {}",
                name(slot),
                self.running(before, slot, run)
            ),
            Act::FailForLong(slot, run) => format!(
                "{} fails at {}, to be tried again later",
                name(slot),
                self.running(before, slot, run)
            ),
            Act::Wake(slot, key) => format!("{} has waited with {}", name(slot), key_name(key)),
            Act::GoOnAdopting(slot) => {
                format!("{} goes on writing down what it knows", name(slot))
            }
            Act::TickOverflow(slot) => {
                format!("{} looks what has waited too long for room", name(slot))
            }
            Act::Crash(slot) => format!("{} crashes; another process takes its place", name(slot)),
            Act::Stop(slot) => format!("{} is told to stop, and drains", name(slot)),
            Act::StopRuns(slot) => format!("{} stops its handlers", name(slot)),
            Act::Leave(slot) => format!("{} leaves; another process takes its place", name(slot)),
            Act::Operate(order) => said(order, "", after),
            Act::Force(order) => said(order, " --force", after),
            Act::Vanish => "an operator takes the key, and is never heard of again".to_owned(),
            Act::Lapse(slot) => format!("{} is not sure of its lease any more", name(slot)),
            Act::Expire(slot) => format!("the store takes {} for dead", name(slot)),
            Act::EndLease(key) => format!("the lease ends of the owner of {}", key_name(key)),
            Act::Tick => "time passes".to_owned(),
        }
    }

    fn called(&self, which: Which) -> String {
        match self.bounds.said(which) {
            Some(Said::Fill { from, to }) => return format!("“no {from} to {to}”"),
            Some(Said::FillOf { producer, from, to }) => {
                let producer = crate::event::PRODUCERS[producer];
                return format!("“no {from} to {to} of {producer}”");
            }
            Some(Said::Reset { at, epoch: None }) => return format!("“go on at {at}”"),
            Some(Said::Reset { at, epoch }) => {
                return format!("“begin again at {at}, numbering {}”", epoch.unwrap_or(0));
            }
            Some(Said::Leave {
                producer, after, ..
            }) => {
                let producer = crate::event::PRODUCERS[producer];
                return format!("“{producer} leaves after {after}”");
            }
            None => {}
        }
        let event = self.bounds.published_as(which);
        let key = if self.bounds.keys() > 1 {
            key_name(usize::from(event.key))
        } else {
            ""
        };
        format!("{key}{}{}", event.seq, event.id)
    }

    fn running(&self, world: &World, slot: Slot, run: usize) -> String {
        let run = &world.workers[usize::from(slot)].runs[run];
        let seqs = run.events.iter();
        let seqs: Vec<_> = seqs
            .map(|(seq, id)| format!("{seq}{}", id.as_str()))
            .collect();
        let key = if self.bounds.keys() > 1 {
            key_name(run.key)
        } else {
            ""
        };
        format!("{key}{}", seqs.join(" "))
    }

    /// Which handlers began in this step.
    fn started(&self, before: &World, after: &World) -> String {
        let mut words = String::new();
        for slot in 0..before.workers.len() {
            let old = &before.workers[slot].runs;
            let slot = Slot::try_from(slot).unwrap_or(0);
            for (place, run) in after.workers[usize::from(slot)].runs.iter().enumerate() {
                let was_there = |other: &&crate::worker::Running| other.id == run.id;
                if old.iter().filter(was_there).count() == 0 {
                    let running = self.running(after, slot, place);
                    let _ = write!(words, "; {} starts {running}", name(slot));
                }
            }
        }
        words
    }

    /// What the worker asks; where the store gets it at once, with what that answers.
    fn asks(&self, slot: Slot, before: &World, after: &World) -> String {
        let mut worker = before.workers[usize::from(slot)].clone();
        let (requests, _) = worker.engine.take_requests(16, usize::MAX);
        if requests.is_empty() {
            return format!("{} has nothing to ask", name(slot));
        }
        format!(
            "{} asks: {}",
            name(slot),
            self.exchange(&requests, slot, after)
        )
    }

    fn exchange(&self, requests: &[Request], slot: Slot, after: &World) -> String {
        let call = after.workers[usize::from(slot)].call.as_ref();
        let answers = match call.and_then(|call| call.answer.as_ref()) {
            Some(Answered::Exchange(exchange)) => exchange.answers.clone(),
            Some(Answered::StateLost) => return "“the state is lost”".to_owned(),
            None => Vec::new(),
        };
        let said = requests.iter().enumerate().map(|(place, request)| {
            let answer = answers.get(place);
            let answer =
                answer.map_or_else(String::new, |answer| format!(": {}", answered(answer)));
            format!("{}{answer}", asked(request))
        });
        said.collect::<Vec<_>>().join(", ")
    }
}

fn asked(request: &Request) -> String {
    let key = key_name(number(request.key()));
    match request {
        Request::Acquire(acquire) => {
            let mut words = match acquire.mode {
                AcquireMode::Ask => format!("acquire {key}"),
                AcquireMode::HandOver => format!("acquire {key}, to be handed over"),
                AcquireMode::Steal => format!("steal {key}"),
            };
            for (slot, letter) in &acquire.letters {
                let _ = write!(words, ", or post {}{}", place(*slot), letter.id.as_str());
            }
            words
        }
        Request::Save(save) => saved(save, key),
    }
}

fn saved(save: &Save, key: &str) -> String {
    let mut words = format!("save {key} under fence {}", save.fence);
    if !save.remember.is_empty() {
        let ids: Vec<_> = save.remember.iter().map(|id| id.as_str()).collect();
        let _ = write!(words, ", done {}", ids.join(" "));
    }
    for change in &save.changes {
        let _ = match change {
            Change::Put { slot, letter, .. } => {
                write!(words, ", put {}{}", place(*slot), letter.id.as_str())
            }
            Change::Delete(slot) => write!(words, ", delete {}", place(*slot)),
            Change::Move { from, to, .. } => {
                write!(words, ", move {} to {}", place(*from), place(*to))
            }
        };
    }
    if save.taken > 0 {
        let _ = write!(words, ", {} taken", save.taken);
    }
    for slot in &save.fetch {
        let _ = write!(words, ", fetch {}", place(*slot));
    }
    if !save.look_up.is_empty() {
        words.push_str(", look up");
    }
    if save.release {
        words.push_str(", release");
    }
    words
}

fn answered(answer: &Answer) -> String {
    match answer {
        Answer::Owned(owned) => {
            let mut words = format!("“yours under fence {}", owned.fence);
            match &owned.previous {
                Previous::Died(_) => words.push_str(", whose owner died"),
                Previous::Other(_) => words.push_str(", another's before"),
                Previous::Myself => words.push_str(", again"),
                Previous::Nobody => {}
            }
            if !owned.mail.is_empty() {
                let _ = write!(words, ", mail {:?}", owned.mail);
            }
            words.push('”');
            words
        }
        Answer::Busy(busy) => {
            let posted = busy.posted.iter().map(|posted| match posted {
                Posted::Stored => ", posted",
                Posted::Known => ", known",
                Posted::Taken(_) => ", taken",
                Posted::Full(_) => ", full",
            });
            format!("“busy{}”", posted.collect::<String>())
        }
        Answer::Saved(Saved {
            released,
            hand_over,
            mail,
            ..
        }) => {
            let mut words = "“saved".to_owned();
            if *released {
                words.push_str(" and released");
            }
            if *hand_over {
                words.push_str(", somebody wants it");
            }
            if !mail.is_empty() {
                let _ = write!(words, ", mail {mail:?}");
            }
            words.push('”');
            words
        }
        plain => format!("“{plain:?}”").to_lowercase(),
    }
}

fn said(order: Order, force: &str, after: &World) -> String {
    let verb = order.verb().map_or_else(
        || match order {
            Order::PauseGroup => "pause the group".to_owned(),
            _ => "resume the group".to_owned(),
        },
        |verb| verb.to_string(),
    );
    format!(
        "the operator says “{verb}{force}”: {}",
        standing(&after.store.records[0])
    )
}

/// Where the key stands, for the operator's steps.
fn standing(record: &Record) -> String {
    let state = record.state();
    let mut words = format!("last seq {}", state.last_seq);
    if let Some(Who::Worker(slot)) = record.owner() {
        let _ = write!(words, ", owned by {}", name(slot));
    }
    if matches!(state.phase, Phase::Halted { .. }) {
        words.push_str(", halted");
    }
    for slot in record.letters.keys() {
        let _ = write!(words, ", {}", place(*slot));
    }
    words
}

fn place(slot: Place) -> String {
    match slot {
        Place::Held(seq) => seq.to_string(),
        Place::Dead { epoch: 0, seq } => format!("dead {seq}"),
        Place::Dead { epoch, seq } => format!("dead {seq} of {epoch}"),
    }
}

fn name(slot: Slot) -> char {
    char::from(b'A' + slot)
}

fn key_name(key: KeyNumber) -> &'static str {
    ["p", "q", "r"][key]
}
