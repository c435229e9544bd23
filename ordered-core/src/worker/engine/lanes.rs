use std::collections::VecDeque;

use super::item::Item;
use super::lane::{Lane, Stage};
use super::{Engine, Then};
use crate::event::Key;
use crate::protocol::{Action, Fence};
use crate::worker::Occurrence;

/// How many queues of ended lanes are kept for the next.
const SPARE: usize = 256;
/// Queues with room for more events are not.
const SPARE_EVENTS: usize = 16;

impl Engine {
    /// Puts a granted event into the lane of its key, which begins or goes on. One that would not begin with the event
    /// at the front of the grant is given back: the worker was not told of that one (a call that it gave up reached the
    /// store late), and must not run over it.
    pub(super) fn enter_lane(&mut self, fence: Fence, front: u64, item: Box<Item>) {
        let key = item.key.clone();
        let has_front = item.seq().get() == front;
        let there = self.lanes.get(&key).map(|lane| lane.fence);
        if there.is_some_and(|there| there != fence) {
            // A grant with another fence says that the old one is over, though the worker was not told yet.
            self.abandon(&key);
        }
        let begins = there != Some(fence);
        let lane = self
            .lanes
            .entry(key.clone())
            .or_insert_with(|| Lane::new(fence, self.spare.pop().unwrap_or_default()));
        if begins && item.attempt > 1 {
            lane.careful_to = item.seq().get() + self.parts.options.reach() - 1;
        }
        if lane.holds(&item) {
            self.parts.observe(&Occurrence::Duplicate {
                event: item.place(),
            });
        }
        let unsettled = item.tokens.len();
        lane.insert(item);
        if begins && (self.draining || !has_front) {
            self.release(&key);
        } else if matches!(lane.stage, Stage::BackingOff(_)) {
            self.joined(&key, unsettled);
        } else {
            self.line_up(&key);
        }
    }

    /// Lets the lane wait for a handler slot, if its next event may run.
    pub(super) fn line_up(&mut self, key: &Key) {
        if let Some(lane) = self.lanes.get_mut(key)
            && !self.draining
            && !lane.lined_up
            && lane.may_begin(&self.parts.options)
        {
            lane.lined_up = true;
            self.ready.push_back(key.clone());
        }
    }

    /// After a commit: the lane goes on, or ends with its claim. If its next event is not the one that the store has at the
    /// front of the grant, this worker was not told of that one, and the key is given back.
    pub(super) fn go_on(&mut self, key: &Key, front: Option<u64>) {
        let Some(lane) = self.lanes.get_mut(key) else {
            return;
        };
        if !lane.told.is_empty() || matches!(lane.stage, Stage::Asking) {
            // How things stand is for the answer to say that is still to come.
            return self.line_up(key);
        }
        lane.doubtful = false;
        let next = lane.queue.front().map(|item| item.seq().get());
        let runs = matches!(lane.stage, Stage::Running { .. });
        match front {
            None => self.end_lane(key),
            Some(_) if next != front || (self.draining && !runs) => self.release(key),
            Some(_) => self.line_up(key),
        }
    }

    /// Ends a lane whose claim the store has ended. What should not be there is asked about again.
    pub(super) fn end_lane(&mut self, key: &Key) {
        if let Some(mut lane) = self.lanes.remove(key) {
            lane.begun().for_each(|item| self.observe_fenced(item));
            let unsettled = lane.unsettled();
            self.stop_run(lane.stage, unsettled);
            self.ask_again(lane.told.drain(..).chain(lane.queue.drain(..)));
            if self.spare.len() < SPARE && lane.queue.capacity() <= SPARE_EVENTS {
                lane.ids.clear();
                self.spare.push((lane.told, lane.queue, lane.ids));
            }
            self.follow(key);
        }
    }

    /// The store says that the worker's grant is over.
    pub(super) fn fenced(&mut self, key: &Key, fence: Fence) {
        if self.lanes.get(key).is_some_and(|lane| lane.fence == fence) {
            self.abandon(key);
        }
    }

    fn abandon(&mut self, key: &Key) {
        let Some(lane) = self.lanes.get(key) else {
            return;
        };
        // What was done of it counts for nothing, or it was about to be begun.
        if lane.begun().next().is_none()
            && let Some(item) = lane.queue.front()
        {
            self.observe_fenced(item);
        }
        // If the claim is this worker's after all, nobody else would ever take the key up.
        let fence = lane.fence;
        self.tell(key.clone(), Action::Release { fence }, Then::Release(fence));
        self.end_lane(key);
    }

    fn observe_fenced(&self, item: &Item) {
        self.observe(&Occurrence::Fenced {
            event: item.place(),
        });
    }

    /// Ends the run of a lane that is given up, or its wait, with so many deliveries.
    pub(super) fn stop_run(&mut self, stage: Stage, unsettled: usize) {
        match stage {
            Stage::Running { handle, .. } => {
                self.running -= 1;
                if let Some(handle) = handle {
                    handle.abort();
                }
            }
            Stage::BackingOff(_) => {
                self.waiting -= 1;
                self.waiting_unsettled -= unsettled;
            }
            Stage::Ready | Stage::Asking => {}
        }
    }

    /// Offers again what the broker still waits for; what came from the store is still there.
    fn ask_again(&mut self, items: impl Iterator<Item = Box<Item>>) {
        for item in items {
            if !item.tokens.is_empty() && !self.draining {
                self.offer(item);
            }
        }
    }

    /// Behind a halted event: what the broker still waits for is held, the rest is held already.
    pub(super) fn followers_to_store(&mut self, items: VecDeque<Box<Item>>) {
        for item in items {
            if !item.tokens.is_empty() {
                self.hold(item);
            }
        }
    }

    /// Gives the key back to the store, behind the commits that are told. The lane stays until the store has answered, so
    /// that a grant that is on its way is recognised.
    pub(super) fn release(&mut self, key: &Key) {
        let Some(lane) = self.lanes.get_mut(key) else {
            return;
        };
        let unsettled = lane.unsettled();
        let fence = lane.fence;
        let stage = std::mem::replace(&mut lane.stage, Stage::Asking);
        self.stop_run(stage, unsettled);
        self.tell(key.clone(), Action::Release { fence }, Then::Release(fence));
    }
}
