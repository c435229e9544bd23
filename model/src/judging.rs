//! What a command has done to the key, held against the promises.

use ordered_core::protocol::{KeyState, Phase};

use crate::Model;
use crate::bounds::{OnGap, Order, Said};
use crate::event::{Slot, Which};
use crate::mutated::NOW;
use crate::store::Ask;
use crate::worker::Stage;
use crate::world::{Broken, World};

impl Model {
    /// A worker's command was applied.
    pub(crate) fn judge(&self, world: &mut World, slot: Slot, ask: &Ask, before: &KeyState) {
        match ask {
            Ask::Commit { event, .. } if has_moved(world, before, self.bounds.seq(*event)) => {
                self.judge_commit(world, slot, *event, before);
            }
            Ask::DeadLetter { tried, .. }
                if has_moved(world, before, self.bounds.seq(tried.event)) =>
            {
                self.judge_front(world, slot, tried.event, before);
            }
            Ask::Control(item) => {
                match self.bounds.said(item.event) {
                    Some(Said::Fill { from, to }) => allow(world, before, from, to),
                    Some(Said::Reset { at, epoch: None }) => allow(world, before, 1, at - 1),
                    _ => {}
                }
                if world.key.epoch != before.epoch {
                    return world.begin_again();
                }
                self.judge_passing(world, before, before.last_seq);
            }
            _ => self.judge_passing(world, before, before.last_seq),
        }
    }

    /// The front of the claim is done with: by whom, and in its turn?
    fn judge_front(&self, world: &mut World, slot: Slot, event: Which, before: &KeyState) {
        let seq = self.bounds.seq(event);
        let numbering = self.bounds.events[usize::from(event)].epoch;
        if numbering.is_some_and(|numbering| u64::from(numbering) != before.epoch) {
            world.break_promise(Broken::Order);
        }
        if world.past.granted != Some(slot) {
            world.break_promise(Broken::Fencing);
        }
        if seq <= before.last_seq {
            // It was put aside, and an operator had it run again.
            let aside = before.dead.get(&(before.epoch, seq));
            if !aside.is_some_and(|dead| dead.replay && dead.id == self.bounds.id(event)) {
                world.break_promise(Broken::Order);
            }
            return self.judge_passing(world, before, before.last_seq);
        }
        if seq != before.last_seq + 1 {
            world.break_promise(Broken::Order);
        }
        self.judge_passing(world, before, seq);
    }

    fn judge_commit(&self, world: &mut World, slot: Slot, event: Which, before: &KeyState) {
        self.judge_front(world, slot, event, before);
        let past = &world.past;
        let same = |other: &Which| self.bounds.same_id(*other, event);
        let repeat = past.committed.iter().any(same)
            || self
                .bounds
                .published()
                .any(|other| past.earlier.contains(other) && same(&other));
        let seq = self.bounds.seq(event);
        let aside = world.key.dead.get(&(world.key.epoch, seq));
        if past.committed.contains(&event)
            || !(repeat || past.handled.contains(event))
            || aside.is_some_and(|dead| dead.id == self.bounds.id(event))
        {
            world.break_promise(Broken::Once);
        }
        world.past.committed.push(event);
    }

    /// An operator's verb had an effect.
    pub(crate) fn judge_order(&self, world: &mut World, order: Order, before: &KeyState) {
        let granted = |seq: u64| {
            let claim = before.claim.as_ref();
            claim.is_some_and(|claim| claim.granted.iter().any(|granted| granted.seq == seq))
        };
        let head = before.last_seq + 1;
        let mut done_to = before.last_seq;
        match order {
            Order::Retry | Order::Resume | Order::Pause | Order::Replay => {}
            Order::Skip => {
                world.take_away();
                let pending = before.held.contains_key(&head) || granted(head);
                let gap = before.held.keys().next().map_or(head, |first| first - 1);
                done_to = if pending { head } else { gap };
            }
            Order::SkipTo(to) => {
                world.take_away();
                done_to = u64::from(to);
            }
            Order::SetLast(to) if u64::from(to) < before.last_seq => {
                world.take_away();
                return world.begin_again();
            }
            Order::SetLast(to) => {
                world.take_away();
                done_to = u64::from(to);
            }
            Order::Discard(seq) => {
                let was_held = before.held.contains_key(&u64::from(seq));
                if granted(u64::from(seq)) || was_held && before.claim.is_some() {
                    world.take_away();
                }
                if was_held {
                    allow(world, before, seq, seq);
                } else {
                    self.note_discarded(world, seq, before);
                }
            }
        }
        self.judge_passing(world, before, done_to);
    }

    /// The operator took what was put aside out of the store for good.
    fn note_discarded(&self, world: &mut World, seq: u8, before: &KeyState) {
        let gone = self.bounds.published().filter(|which| {
            let id = self.bounds.id(*which);
            let mut kept = before.dead.iter();
            kept.any(|((_, other), dead)| *other == u64::from(seq) && dead.id == id)
        });
        for which in gone {
            world.past.discarded.insert(which);
        }
    }

    /// Beyond `done_to` the key may move only past seqs that a producer filled, an operator discarded, or whose gap lasted
    /// too long; and past nothing that is there.
    fn judge_passing(&self, world: &mut World, before: &KeyState, done_to: u64) {
        if world.key.epoch != before.epoch || world.key.last_seq < done_to {
            return world.break_promise(Broken::Order);
        }
        let gap_is_over = self.bounds.on_gap == OnGap::Skip
            && before.phase == Phase::Open
            && before.gap_since.is_some_and(|since| since < NOW);
        let first_held = before.held.keys().find(|seq| **seq > done_to);
        for seq in done_to + 1..=world.key.last_seq {
            let absent = u8::try_from(seq).is_ok_and(|seq| world.past.absent.contains(seq));
            let overdue = gap_is_over && first_held.is_some_and(|first| seq < *first);
            let is_there = world.key.claim.is_some()
                && world.key.fence == before.fence
                && before
                    .claim
                    .as_ref()
                    .is_some_and(|claim| claim.granted.iter().any(|granted| granted.seq == seq));
            if !(absent || overdue) || is_there {
                world.break_promise(Broken::Order);
            }
        }
    }
}

/// Whether the command was taken: the key has moved, or a replay is no longer granted.
fn has_moved(world: &World, before: &KeyState, seq: u64) -> bool {
    let front = |key: &KeyState| {
        let claim = key.claim.as_ref()?;
        claim.granted.front().map(|granted| granted.seq)
    };
    world.key.last_seq != before.last_seq
        || front(before) == Some(seq) && front(&world.key) != front(before)
}

/// A producer or an operator says that these will not come.
fn allow(world: &mut World, before: &KeyState, from: u8, to: u8) {
    for seq in (from..=to).filter(|seq| u64::from(*seq) > before.last_seq) {
        world.past.absent.insert(seq);
    }
}

impl World {
    /// Whoever ran the key may change nothing any more; what it runs may overlap with what is granted now.
    fn take_away(&mut self) {
        self.past.granted = None;
        self.past.seized = Some(self.key.fence.0);
        let fence = self.key.fence.0;
        for worker in &mut self.workers {
            if let Some(lane) = &mut worker.lane
                && lane.fence < fence
                && let Stage::Running { excused } = &mut lane.stage
            {
                *excused = true;
            }
        }
    }

    /// A new numbering.
    fn begin_again(&mut self) {
        self.take_away();
        for which in std::mem::take(&mut self.past.committed) {
            self.past.earlier.insert(which);
        }
        self.past.absent = crate::world::Set::default();
    }
}
