//! What a step has done to a key, held against the promises.

use ordered_core::event::EventId;
use ordered_core::internal::KeyState;
use ordered_core::store::{AcquireMode, Answer, Previous, Request, Save, Slot as Place};

use crate::Model;
use crate::bounds::{OnGap, TICK};
use crate::event::{KeyNumber, Slot, Which, number};
use crate::store::{NOW, Record, Who};
use crate::worker::Running;
use crate::world::{Broken, World};

impl Model {
    /// A request was carried out.
    pub(crate) fn judge(
        &self,
        world: &mut World,
        who: Who,
        request: &Request,
        answer: &Answer,
        before: &Record,
    ) {
        let key = number(request.key());
        match (request, answer) {
            (Request::Acquire(_), Answer::Owned(owned)) => {
                let past = &mut world.pasts[key];
                past.granted = Some(who);
                if owned.previous != Previous::Myself {
                    past.since_asked = None;
                }
            }
            (Request::Acquire(acquire), Answer::Busy(_))
                if acquire.mode == AcquireMode::HandOver && self.bounds.may_outstay() =>
            {
                world.pasts[key].since_asked.get_or_insert(0);
            }
            (Request::Save(save), Answer::Saved(saved)) => {
                if world.pasts[key].granted != Some(who) {
                    world.break_promise(Broken::Fencing);
                }
                self.judge_save(world, key, save, before);
                self.judge_hand_over(world, key, save);
                if saved.released {
                    world.pasts[key].granted = None;
                    world.pasts[key].since_asked = None;
                }
            }
            _ => {}
        }
    }

    /// An owner that was asked for its key may end the event at work, and begins no other one.
    fn judge_hand_over(&self, world: &mut World, key: KeyNumber, save: &Save) {
        let Some(commits) = &mut world.pasts[key].since_asked else {
            return;
        };
        *commits += u8::from(!save.remember.is_empty());
        if *commits > 1 {
            world.break_promise(Broken::HandOver);
        }
    }

    fn judge_save(&self, world: &mut World, key: KeyNumber, save: &Save, before: &Record) {
        if !self.bounds.sequencing.waits_for_missing() {
            return self.judge_commits(world, key, save, before);
        }
        let from = before.state();
        let mut done_to = from.last_seq;
        for id in &save.remember {
            match self.committed(world, key, id, done_to, &from) {
                Some((which, seq)) if seq > done_to => {
                    self.judge_passing(world, key, (done_to, seq - 1), before, &from);
                    done_to = seq;
                    let slot = from.dead_slot(seq);
                    let is_aside = world.store.records[key].letters.contains_key(&slot);
                    if !is_aside {
                        self.judge_commit(world, key, which, &from);
                    }
                }
                // It was dead-lettered, and an operator had it run again.
                Some((which, _)) => self.judge_commit(world, key, which, &from),
                None => world.break_promise(Broken::Order),
            }
        }
        let to = world.store.records[key].state();
        if to.epoch != from.epoch && !world.lost {
            return self.begin_again(world, key);
        }
        if to.last_seq < done_to {
            return world.break_promise(Broken::Order);
        }
        self.judge_passing(world, key, (done_to, to.last_seq), before, &from);
    }

    /// The same where no event waits for one that is missing.
    fn judge_commits(&self, world: &mut World, key: KeyNumber, save: &Save, before: &Record) {
        for id in &save.remember {
            let Some(which) = self.named(key, id) else {
                world.break_promise(Broken::Order);
                continue;
            };
            let past = &world.pasts[key];
            if past.committed.contains(&which) {
                // A repetition that had a place of its own.
                continue;
            }
            if !self.may_be_next(world, key, which, false) {
                world.break_promise(Broken::Order);
            }
            if !world.pasts[key].handled.contains(which) {
                world.break_promise(Broken::Once);
            }
            world.pasts[key].committed.push(which);
        }
        if world.store.records[key].state().last_seq < before.state().last_seq {
            world.break_promise(Broken::Order);
        }
    }

    fn named(&self, key: KeyNumber, id: &EventId) -> Option<Which> {
        let mut events = self.bounds.published();
        events.find(|which| self.bounds.key_of(*which) == key && self.bounds.id(*which) == *id)
    }

    /// Whether the order allows the event now: in versions none that is as new was committed, of causes and effects all
    /// causes were, and in a queue with one consumer everything before it was. `ahead`: it is enough that its handler
    /// is done, as far as events may run ahead.
    fn may_be_next(&self, world: &World, key: KeyNumber, event: Which, ahead: bool) -> bool {
        let (bounds, past) = (&self.bounds, &world.pasts[key]);
        let seq = |which: Which| bounds.seq(which);
        if bounds.sequencing.has_versions() {
            return past.committed.iter().all(|other| seq(*other) < seq(event));
        }
        let is_done = |other: Which| {
            let is_handled = ahead && bounds.runs_ahead() && past.handled.contains(other);
            past.committed.contains(&other) || is_handled
        };
        if bounds.sequencing.has_times() {
            let mut done = past.committed.iter();
            return done.all(|other| bounds.is_earlier(*other, event));
        }
        if bounds.sequencing.has_producers() {
            let mut others = bounds.published();
            if bounds.on_gap == OnGap::Skip {
                // A cause that was passed over is late: it does not run after its effect.
                return !past
                    .committed
                    .iter()
                    .any(|other| bounds.is_cause(event, *other));
            }
            return others.all(|other| !bounds.is_cause(other, event) || is_done(other));
        }
        let mut before = bounds
            .published()
            .filter(|other| bounds.key_of(*other) == key && seq(*other) < seq(event));
        !bounds.in_order || before.all(is_done)
    }

    /// Which event it is that was processed under this id: the next one with it, or one that runs again.
    fn committed(
        &self,
        world: &World,
        key: KeyNumber,
        id: &EventId,
        done_to: u64,
        from: &KeyState,
    ) -> Option<(Which, u64)> {
        let bounds = &self.bounds;
        let has_it = |which: &Which| {
            let epoch = bounds.published_as(*which).epoch.map(u64::from);
            bounds.key_of(*which) == key
                && bounds.id(*which) == *id
                && epoch.is_none_or(|epoch| epoch == from.epoch)
        };
        let seq = |which: Which| (which, bounds.seq(which));
        let ahead = bounds.published().filter(has_it).map(seq);
        let ahead = ahead
            .filter(|(_, seq)| *seq > done_to)
            .min_by_key(|(_, seq)| *seq);
        let again = bounds.published().filter(has_it).map(seq);
        let mut again =
            again.filter(|(_, seq)| from.replays.contains_key(seq) && from.is_dead(*seq));
        let _ = world;
        again.next().filter(|_| !from.replays.is_empty()).or(ahead)
    }

    fn judge_commit(&self, world: &mut World, key: KeyNumber, event: Which, from: &KeyState) {
        let past = &world.pasts[key];
        let same = |other: &Which| self.bounds.same_id(*other, event);
        let before =
            |other: &Which| past.committed.contains(other) || past.earlier.contains(*other);
        let repeat = self
            .bounds
            .published()
            .any(|other| same(&other) && before(&other));
        let slot = from.dead_slot(self.bounds.seq(event));
        let aside = world.store.records[key].letters.get(&slot);
        if past.committed.contains(&event)
            || !(repeat || past.handled.contains(event))
            || aside.is_some_and(|letter| letter.id == self.bounds.id(event))
        {
            world.break_promise(Broken::Once);
        }
        world.pasts[key].committed.push(event);
    }

    /// The key may move past seqs without a commit only where a producer filled them, they are dead-lettered in the
    /// store, or their gap lasted too long; and past nothing that is there.
    fn judge_passing(
        &self,
        world: &mut World,
        key: KeyNumber,
        (done_to, to): (u64, u64),
        before: &Record,
        from: &KeyState,
    ) {
        let tick = u64::try_from(TICK.as_millis()).unwrap_or(0);
        let is_over = |since: u64| since + tick <= NOW;
        let gap_is_over = self.bounds.on_gap == OnGap::Skip
            && from.gap_since.or(before.listing.gap).is_some_and(is_over);
        let first_held = from.held.at_or_after(done_to + 1);
        for seq in done_to + 1..=to {
            let record = &world.store.records[key];
            let is_aside = record.letters.contains_key(&from.dead_slot(seq));
            let filled = self.bounds.said.iter().any(|said| said.covers(seq));
            let overdue = gap_is_over && first_held.is_none_or(|first| seq < first);
            let of_seq = |which: &&Which| self.bounds.seq(**which) == seq;
            let known = world.lost
                && world.pasts[key]
                    .committed
                    .iter()
                    .any(|which| of_seq(&which));
            let absent = from.absent.contains(seq);
            let dropped = from.held.contains(seq)
                && before.letters.contains_key(&Place::Held(seq))
                && !is_aside;
            if !(is_aside || filled || overdue || known || absent) || dropped && !known {
                world.break_promise(Broken::Order);
            }
        }
    }

    /// An operator's verb had an effect. It may move the key as it likes.
    pub(crate) fn judge_order(&self, world: &mut World, key: KeyNumber, before: &Record) {
        let record = &world.store.records[key];
        let (from, to) = (before.state(), record.state());
        let gone = |(slot, letter): (&Place, &ordered_core::store::Letter)| {
            let is_dead = matches!(slot, Place::Dead { .. });
            let was_dead_lettered = is_dead && !record.letters.contains_key(slot);
            was_dead_lettered.then(|| letter.id.clone())
        };
        let gone: Vec<EventId> = before.letters.iter().filter_map(gone).collect();
        let epoch_changed = from.epoch != to.epoch;
        for which in self.bounds.published() {
            if self.bounds.key_of(which) == key && gone.contains(&self.bounds.id(which)) {
                world.pasts[key].discarded.insert(which);
            }
        }
        if epoch_changed {
            self.begin_again(world, key);
        }
        world.pasts[key].granted = None;
    }

    /// A new numbering.
    fn begin_again(&self, world: &mut World, key: KeyNumber) {
        let past = &mut world.pasts[key];
        for which in std::mem::take(&mut past.committed) {
            past.earlier.insert(which);
        }
    }

    /// A handler starts.
    pub(crate) fn judge_start(&self, world: &mut World, slot: Slot, mut run: Running) {
        let (key, past) = (run.key, &world.pasts[run.key]);
        run.excused = past.forced && past.granted != Some(Who::Worker(slot));
        if !run.excused {
            let state = world.store.records[key].state();
            if !self.bounds.sequencing.waits_for_missing() {
                self.judge_start_anyhow(world, &run);
            } else if !self.is_in_turn(world, &run, &state) {
                world.break_promise(Broken::Order);
            }
            if self.bounds.sequencing.waits_for_missing()
                && self.is_handled_again(world, &run, &state)
            {
                world.break_promise(Broken::Once);
            }
        }
        world.workers[usize::from(slot)].runs.push(run);
    }

    fn judge_start_anyhow(&self, world: &mut World, run: &Running) {
        for (place, (_, id)) in run.events.iter().enumerate() {
            let Some(which) = self.named(run.key, id) else {
                world.break_promise(Broken::Order);
                continue;
            };
            // Those before it in its run are done when it is.
            if place == 0 && !self.may_be_next(world, run.key, which, true) {
                world.break_promise(Broken::Order);
            }
            if world.pasts[run.key].committed.contains(&which) {
                world.break_promise(Broken::Once);
            }
        }
    }

    fn is_in_turn(&self, world: &World, run: &Running, state: &KeyState) -> bool {
        let first = run.events.first().map_or(0, |(seq, _)| *seq);
        let follows = |pair: &[(u64, EventId)]| pair[0].0 + 1 == pair[1].0;
        if !run.events.windows(2).all(follows) {
            return false;
        }
        if first <= state.last_seq {
            return state.replays.contains_key(&first) || world.lost;
        }
        let past = &world.pasts[run.key];
        let is_done = |seq: u64| {
            let mut events = self.bounds.published();
            events.any(|which| self.bounds.seq(which) == seq && past.handled.contains(which))
        };
        let ahead = state.last_seq + 1..first;
        let most = u64::from(self.bounds.batch) + u64::from(self.bounds.window);
        let may = self.bounds.runs_ahead() && first - state.last_seq <= most;
        world.lost || ahead.is_empty() || may && ahead.into_iter().all(is_done)
    }

    fn is_handled_again(&self, world: &World, run: &Running, state: &KeyState) -> bool {
        let past = &world.pasts[run.key];
        let forgets = self.bounds.remembered.is_some() || world.lost;
        run.events.iter().any(|(seq, id)| {
            let replays = *seq <= state.last_seq && state.replays.contains_key(seq);
            let mut committed = past.committed.iter();
            !replays && !forgets && committed.any(|which| self.bounds.id(*which) == *id)
        })
    }
}
