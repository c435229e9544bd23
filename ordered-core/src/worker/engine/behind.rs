use std::collections::{HashMap, VecDeque};

use super::item::Item;
use super::{Engine, Then};
use crate::event::Key;
use crate::protocol::{Action, Obstacle, Verdict};
use crate::worker::Occurrence;

/// What waits behind lanes that are as deep as they may be.
#[derive(Default)]
pub(super) struct Behind {
    lines: HashMap<Key, Line, foldhash::quality::RandomState>,
    /// How many halves of `hold_after` went by.
    tick: u64,
    /// Whether anything was delivered since the last tick, and whether it was anything but more of these.
    came: bool,
    others_came: bool,
}

/// Events of one key that wait behind its lane, which is as deep as it may be (`lane_depth`): one seq after the other,
/// unsettled, and not granted yet. They are offered again as the lane gets room. To hold them in the store meanwhile would
/// cost two more steps for each; that is done with those for which the lane is too slow.
struct Line {
    /// Each with the tick at which it came.
    items: VecDeque<(Box<Item>, u64)>,
    /// The last seq that stood here.
    last: u64,
    /// How many were offered again and have no answer yet.
    asked: usize,
}

impl Behind {
    pub(super) fn clear(&mut self) {
        self.lines.clear();
    }
}

impl Line {
    fn before(seq: u64) -> Self {
        Self {
            items: VecDeque::new(),
            last: seq - 1,
            asked: 0,
        }
    }

    /// The event with this seq, if it stands here.
    fn at(&mut self, seq: u64) -> Option<&mut Item> {
        let from_end = usize::try_from(self.last.checked_sub(seq)?).ok()?;
        let place = self.items.len().checked_sub(from_end + 1)?;
        self.items.get_mut(place).map(|(item, _)| &mut **item)
    }

    fn is_over(&self) -> bool {
        self.items.is_empty() && self.asked == 0
    }
}

impl Engine {
    /// A delivered event, which is offered unless it comes behind others that wait.
    pub(super) fn arrived(&mut self, item: Box<Item>) {
        self.behind.came = true;
        if let Err(item) = self.wait_behind(item) {
            self.behind.others_came = true;
            self.offer(item);
        }
    }

    /// An event that was offered may not run yet. If that is because the lane is as deep as it may be, it waits here.
    pub(super) fn early(&mut self, item: Box<Item>, why: Obstacle) {
        let may_wait = !self.draining && !self.parts.settings.hold_after.is_zero();
        if why == Obstacle::LaneFull && may_wait && self.lanes.contains_key(&item.key) {
            let seq = item.seq().get();
            let line = self.behind.lines.entry(item.key.clone());
            line.or_insert_with(|| Line::before(seq));
        }
        if let Err(item) = self.wait_behind(item) {
            self.hold(item);
        }
    }

    /// Puts the event at the end of the line of its key, or its tokens to the event that is there already. One that is
    /// neither comes back: what becomes of it is for the store to say.
    fn wait_behind(&mut self, item: Box<Item>) -> Result<(), Box<Item>> {
        if self.behind.lines.is_empty() {
            return Err(item);
        }
        let Some(line) = self.behind.lines.get_mut(&item.key) else {
            return Err(item);
        };
        let seq = item.seq().get();
        if seq == line.last + 1 {
            line.last = seq;
            line.items.push_back((item, self.behind.tick));
            return Ok(());
        }
        match line.at(seq) {
            Some(there) if there.event == item.event => {
                let event = item.place();
                self.parts.observe(&Occurrence::Duplicate { event });
                there.tokens.absorb(item.tokens);
                Ok(())
            }
            _ => Err(item),
        }
    }

    /// Offers what waits behind the lane again, if the lane is half empty or gone. What is offered now goes behind the
    /// commits that are told, and so does not count those.
    pub(super) fn follow(&mut self, key: &Key) {
        if self.behind.lines.is_empty() {
            return;
        }
        let Some(line) = self
            .behind
            .lines
            .get_mut(key)
            .filter(|line| line.asked == 0)
        else {
            return;
        };
        let depth = self.parts.options.policy.lane_depth.max(1) as usize;
        let taken = self.lanes.get(key).map_or(0, |lane| lane.queue.len());
        if taken > depth / 2 {
            return;
        }
        let asked = line.items.len().min(depth - taken);
        let items: Vec<Box<Item>> = line.items.drain(..asked).map(|(item, _)| item).collect();
        line.asked = asked;
        if line.is_over() {
            self.behind.lines.remove(key);
        }
        for item in items {
            let offer = Action::Offer(item.event.clone());
            self.tell(item.key.clone(), offer, Then::Follow(item));
        }
    }

    /// One that was offered again has its answer. If it is still early, it has waited here in vain.
    pub(super) fn on_followed(&mut self, key: &Key, item: Box<Item>, verdict: Verdict) {
        match verdict {
            Verdict::Early(_) => self.hold(item),
            other => self.on_placed(item, other),
        }
        if let Some(line) = self.behind.lines.get_mut(key) {
            line.asked -= 1;
        }
        self.follow(key);
    }

    /// Whether anything waits behind a lane.
    pub(in crate::worker) fn has_behind(&self) -> bool {
        !self.behind.lines.is_empty()
    }

    /// Half of `hold_after` is over: what has waited for two of these is held in the store, with all that is behind it.
    /// Unless the broker brings more of the same and nothing else: then it would only bring more of it.
    pub(in crate::worker) fn on_tick(&mut self) {
        let Behind {
            lines,
            tick,
            came,
            others_came,
        } = &mut self.behind;
        *tick += 1;
        let more_of_the_same = std::mem::take(came) & !std::mem::take(others_came);
        if more_of_the_same {
            return;
        }
        let is_late = |line: &Line| line.items.front().is_some_and(|(_, at)| at + 2 < *tick);
        let late = lines.iter().filter(|(_, line)| is_late(line));
        let mut keys: Vec<Key> = late.map(|(key, _)| key.clone()).collect();
        // In an order that a seed can repeat.
        keys.sort_unstable();
        for key in keys {
            self.hold_line(&key);
        }
    }

    fn hold_line(&mut self, key: &Key) {
        let Some(line) = self.behind.lines.get_mut(key) else {
            return;
        };
        let items = std::mem::take(&mut line.items);
        if line.is_over() {
            self.behind.lines.remove(key);
        }
        items.into_iter().for_each(|(item, _)| self.hold(item));
    }
}
