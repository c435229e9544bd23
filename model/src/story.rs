//! A path through the graph, as a person would tell it.

use std::fmt::Write as _;

use ordered_core::protocol::KeyState;

use crate::Model;
use crate::act::Act;
use crate::bounds::Said;
use crate::event::{Slot, Which};
use crate::store::{Answer, Ask, Next};
use crate::world::World;

impl Model {
    /// One line for each step. The path is in the normal form, in which workers change places; here each keeps its name.
    pub(crate) fn tell(&self, path: &[World]) -> String {
        let mut story = String::new();
        let mut world = World::new(&self.bounds);
        for (number, normal) in path.iter().skip(1).enumerate() {
            let mut acts = Vec::new();
            self.enabled(&world, &mut acts);
            let step = acts.into_iter().find_map(|act| {
                let after = self.after(&world, act);
                let mut same = after.clone();
                same.normalise(&self.bounds);
                (same == *normal).then_some((act, after))
            });
            let Some((act, after)) = step else {
                story.push_str("  (and so on)\n");
                break;
            };
            let line = self.line(&world, act, &after);
            let _ = writeln!(story, "  {:>2}. {line}", number + 1);
            world = after;
        }
        story
    }

    fn line(&self, before: &World, act: Act, after: &World) -> String {
        let name = |slot: Slot| char::from(b'A' + slot);
        match act {
            Act::Deliver(slot, which) => {
                format!(
                    "the broker delivers {} to {}",
                    self.called(which),
                    name(slot)
                )
            }
            Act::Duplicate(which) => {
                format!(
                    "the broker puts {} into the queue once more",
                    self.called(which)
                )
            }
            Act::LoseConnection(slot) => format!(
                "the broker loses the connection to {}, and will deliver again",
                name(slot)
            ),
            Act::Apply(slot) => self.exchange(slot, before, after),
            Act::Reply(slot) => format!("{} gets the reply", name(slot)),
            Act::LoseReply(slot) => format!("the reply to {} is lost", name(slot)),
            Act::Beat(slot) => format!("{} sends a heartbeat", name(slot)),
            Act::BeatUnheard(slot) => {
                format!(
                    "{} sends a heartbeat, and does not hear that it came",
                    name(slot)
                )
            }
            Act::Sweep(slot) => format!("{} finds the key in a sweep", name(slot)),
            Act::Start(slot) => format!("{} starts {}", name(slot), self.running(before, slot)),
            Act::Finish(slot) => {
                format!("{} is done with {}", name(slot), self.running(before, slot))
            }
            Act::Fail(slot) => format!("{} fails at {}", name(slot), self.running(before, slot)),
            Act::FailForGood(slot) => {
                format!(
                    "{} fails for good at {}",
                    name(slot),
                    self.running(before, slot)
                )
            }
            Act::FailForLong(slot) => format!(
                "{} fails at {}, to be tried again later",
                name(slot),
                self.running(before, slot)
            ),
            Act::PauseOver(slot) => format!("{} has waited before the next attempt", name(slot)),
            Act::Crash(slot) => format!("{} crashes; another process takes its place", name(slot)),
            Act::Stop(slot) => format!("{} is told to stop, and drains", name(slot)),
            Act::StopRun(slot) => format!("{} stops its handler", name(slot)),
            Act::Leave(slot) => format!("{} leaves; another process takes its place", name(slot)),
            Act::Operate(order) => format!(
                "the operator says “{}”: {}",
                order.verb(),
                standing(&after.key)
            ),
            Act::Tick => "time passes without a heartbeat".to_owned(),
            Act::CalmTick => "time passes, with heartbeats".to_owned(),
            Act::StepForward => "the store's clock jumps forward".to_owned(),
            Act::StepBack => "the store's clock falls back".to_owned(),
        }
    }

    fn called(&self, which: Which) -> String {
        match self.bounds.said(which) {
            Some(Said::Fill { from, to }) => return format!("“no {from} to {to}”"),
            Some(Said::Reset { at, epoch: None }) => return format!("“go on at {at}”"),
            Some(Said::Reset { at, epoch }) => {
                return format!("“begin again at {at}, numbering {}”", epoch.unwrap_or(0));
            }
            None => {}
        }
        let event = self.bounds.events[usize::from(which)];
        format!("{}{}", event.seq, event.id)
    }

    fn running(&self, world: &World, slot: Slot) -> String {
        let lane = world.workers[usize::from(slot)].lane.as_ref();
        let first = lane.and_then(|lane| lane.queue.first());
        first.map_or_else(String::new, |item| self.called(item.event))
    }

    /// What the store was told and answered in this step.
    fn exchange(&self, slot: Slot, before: &World, after: &World) -> String {
        let batch = |world: &World| world.workers[usize::from(slot)].batch.clone();
        let said = batch(before).into_iter().zip(batch(after));
        let said = said.filter(|((_, unanswered), _)| unanswered.is_none());
        let said: Vec<_> = said
            .filter_map(|(_, (ask, answer))| {
                let answer = self.answered(answer.as_ref()?);
                Some(format!("{}: “{answer}”", self.asked(&ask)))
            })
            .collect();
        format!(
            "{} asks the store to {}",
            char::from(b'A' + slot),
            said.join(", ")
        )
    }

    fn asked(&self, ask: &Ask) -> String {
        match ask {
            Ask::Offer(item) => format!("offer {}", self.called(item.event)),
            Ask::Hold(item) => format!("hold {}", self.called(item.event)),
            Ask::Commit { event, fence, .. } => {
                format!("commit {} under fence {fence}", self.called(*event))
            }
            Ask::Retry(tried) => format!("retry {}", self.called(tried.event)),
            Ask::Postpone(tried) => format!("postpone {}", self.called(tried.event)),
            Ask::Halt(tried) => format!("halt at {}", self.called(tried.event)),
            Ask::DeadLetter { tried, .. } => format!("dead-letter {}", self.called(tried.event)),
            Ask::Control(item) => format!("note {}", self.called(item.event)),
            Ask::Release { fence } => format!("release under fence {fence}"),
            Ask::Claim => "claim".to_owned(),
        }
    }

    fn answered(&self, answer: &Answer) -> String {
        let list = |next: &[Next]| {
            let called: Vec<_> = next.iter().map(|next| self.called(next.event)).collect();
            called.join(" ")
        };
        match answer {
            Answer::Run { fence, attempt, .. } => {
                format!("run it under fence {fence}, attempt {attempt}")
            }
            Answer::Committed { next, front } => {
                let then = if front.is_none() {
                    ", and the key is free"
                } else {
                    ""
                };
                format!("committed, next [{}]{then}", list(next))
            }
            Answer::Claimed { fence, next, .. } => {
                format!("yours under fence {fence}: [{}]", list(next))
            }
            plain => format!("{plain:?}").to_lowercase(),
        }
    }
}

/// Where the key stands, for the operator's steps.
fn standing(key: &KeyState) -> String {
    let mut words = format!("last seq {}", key.last_seq);
    let held: Vec<_> = key.held.keys().map(u64::to_string).collect();
    if !held.is_empty() {
        let _ = write!(words, ", held {}", held.join(" "));
    }
    let aside = key.dead.iter();
    let aside: Vec<_> = aside
        .map(|((_, seq), dead)| format!("{seq}{}", if dead.replay { " (to run)" } else { "" }))
        .collect();
    if !aside.is_empty() {
        let _ = write!(words, ", aside {}", aside.join(" "));
    }
    words
}
