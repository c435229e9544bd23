use std::collections::VecDeque;

use super::item::Item;
use super::lane::{Lane, Stage};
use super::{Engine, Then};
use crate::event::Key;
use crate::protocol::{Action, Fence};
use crate::worker::Occurrence;

impl Engine {
    /// Puts a granted event into the lane of its key, which begins or goes on. One that would not begin with the event
    /// at the front of the grant is given back: the worker was not told of that one (a call that it gave up reached the
    /// store late), and must not run over it.
    pub(super) fn enter_lane(&mut self, fence: Fence, front: u64, item: Item) {
        let key = item.key.clone();
        let has_front = item.seq().get() == front;
        if self.lanes.get(&key).is_some_and(|lane| lane.fence != fence) {
            // A grant with another fence says that the old one is over, though the worker was not told yet.
            self.abandon(&key);
        }
        let begins = !self.lanes.contains_key(&key);
        let lane = self
            .lanes
            .entry(key.clone())
            .or_insert_with(|| Lane::new(fence));
        if lane.holds(&item) {
            self.observe(&Occurrence::Duplicate {
                event: item.place(),
            });
        }
        if let Some(lane) = self.lanes.get_mut(&key) {
            let unsettled = item.tokens.len();
            lane.insert(item);
            self.joined(&key, unsettled);
        }
        if begins && (self.draining || !has_front) {
            self.release(&key);
        } else if begins {
            self.ready.push_back(key);
        }
    }

    /// After a commit: the next event of the lane gets ready. If it is not the one that the store has at the front of the
    /// grant, this worker was not told of that one, and the key is given back.
    pub(super) fn go_on(&mut self, key: &Key, front: u64) {
        let Some(lane) = self.lanes.get_mut(key) else {
            return;
        };
        let next = lane.queue.front().map(|item| item.seq().get());
        if self.draining || next != Some(front) {
            return self.release(key);
        }
        lane.stage = Stage::Ready;
        self.ready.push_back(key.clone());
    }

    /// Ends a lane whose claim the store has ended. What should not be there is asked about again.
    pub(super) fn end_lane(&mut self, key: &Key) {
        if let Some(lane) = self.lanes.remove(key) {
            self.ask_again(lane.queue);
        }
    }

    /// The store says that the worker's grant is over.
    pub(super) fn fenced(&mut self, key: &Key, fence: Fence) {
        if self.lanes.get(key).is_some_and(|lane| lane.fence == fence) {
            self.abandon(key);
        }
    }

    fn abandon(&mut self, key: &Key) {
        let Some(lane) = self.lanes.remove(key) else {
            return;
        };
        if let Some(item) = lane.queue.front() {
            self.observe(&Occurrence::Fenced {
                event: item.place(),
            });
        }
        self.stop_run(&lane);
        // If the claim is this worker's after all, nobody else would ever take the key up.
        let fence = lane.fence;
        self.tell(key.clone(), Action::Release { fence }, Then::Release(fence));
        self.ask_again(lane.queue);
    }

    /// Ends the run of a lane that is given up.
    pub(super) fn stop_run(&mut self, lane: &Lane) {
        match &lane.stage {
            Stage::Running(handle) => {
                self.running -= 1;
                if let Some(handle) = handle {
                    handle.abort();
                }
            }
            Stage::BackingOff(_) => {
                self.waiting -= 1;
                self.waiting_unsettled -= lane.unsettled();
            }
            Stage::Ready | Stage::Asking => {}
        }
    }

    /// Offers again what the broker still waits for; what came from the store is still there.
    fn ask_again(&mut self, items: VecDeque<Item>) {
        for item in items {
            if !item.tokens.is_empty() && !self.draining {
                self.offer(item);
            }
        }
    }

    /// Behind a halted event: what the broker still waits for is held, the rest is held already.
    pub(super) fn followers_to_store(&mut self, items: VecDeque<Item>) {
        for item in items {
            if !item.tokens.is_empty() {
                self.hold(item);
            }
        }
    }

    /// Gives the key back to the store. The lane stays until the store has answered, so that a grant that is on its
    /// way is recognised.
    pub(super) fn release(&mut self, key: &Key) {
        let Some(lane) = self.lanes.get_mut(key) else {
            return;
        };
        if let Stage::BackingOff(_) = lane.stage {
            self.waiting -= 1;
            self.waiting_unsettled -= lane.unsettled();
        }
        lane.stage = Stage::Asking;
        let fence = lane.fence;
        self.tell(key.clone(), Action::Release { fence }, Then::Release(fence));
    }
}
