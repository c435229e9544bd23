use super::turn::Turn;
use super::{Item, Lane, Stage};
use crate::event::Which;
use crate::mutation::Mutation;
use crate::store::Ask;

impl Turn<'_> {
    pub(super) fn enter_lane(&mut self, fence: u64, front: u64, item: Item) {
        let has_front = self.model.bounds.seq(item.event) == front;
        if self
            .me()
            .lane
            .as_ref()
            .is_some_and(|lane| lane.fence != fence)
        {
            self.abandon();
        }
        let begins = self.me().lane.is_none();
        let lane = Lane {
            fence,
            queue: Vec::new(),
            stage: Stage::Ready,
        };
        self.me().lane.get_or_insert(lane);
        self.insert(item);
        if begins && (self.me().draining || !has_front) {
            self.release();
        }
    }

    pub(super) fn insert(&mut self, item: Item) {
        let bounds = self.model.bounds;
        let forgets = self.is(Mutation::ForgetsNumbering);
        let Some(lane) = &mut self.me().lane else {
            return;
        };
        let seq = |event: Which| bounds.seq(event);
        match lane
            .queue
            .binary_search_by_key(&seq(item.event), |other| seq(other.event))
        {
            Ok(place) => {
                lane.queue[place].absorb(&item);
                lane.queue[place].undated &= item.undated || forgets;
            }
            Err(place) => lane.queue.insert(place, item),
        }
    }

    pub(super) fn go_on(&mut self, front: u64) {
        let bounds = self.model.bounds;
        let blind = self.is(Mutation::IgnoresClaimOfOwnLane);
        let draining = self.me().draining;
        let Some(lane) = &mut self.me().lane else {
            return;
        };
        let next = lane.queue.first().map(|item| bounds.seq(item.event));
        let whole = next == Some(front) || (blind && next.is_some());
        if draining || !whole {
            return self.release();
        }
        lane.stage = Stage::Ready;
    }

    pub(super) fn end_lane(&mut self) {
        if let Some(lane) = self.me().lane.take() {
            self.ask_again(lane.queue);
        }
    }

    pub(super) fn fenced(&mut self, fence: u64) {
        if self
            .me()
            .lane
            .as_ref()
            .is_some_and(|lane| lane.fence == fence)
        {
            self.abandon();
        }
    }

    /// Ends the lane, and its run with it.
    fn abandon(&mut self) {
        if let Some(lane) = &self.me().lane {
            let fence = lane.fence;
            self.tell(Ask::Release { fence });
        }
        self.end_lane();
    }

    pub(super) fn ask_again(&mut self, items: Vec<Item>) {
        for item in items.into_iter().filter(Item::has_tokens) {
            if self.me().draining {
                self.leave_unsettled(&item);
            } else {
                self.tell(Ask::Offer(item));
            }
        }
    }

    pub(super) fn release(&mut self) {
        let Some(lane) = &mut self.me().lane else {
            return;
        };
        lane.stage = Stage::Asking;
        let fence = lane.fence;
        self.tell(Ask::Release { fence });
    }

    /// The lease was lost, so that what was granted before may be another's by now: what has not begun is given back.
    pub(super) fn doubt(&mut self) {
        let stage = self.me().lane.as_ref().map(|lane| lane.stage);
        if let Some(Stage::Ready | Stage::BackingOff) = stage
            && !self.is(Mutation::GoesOnAfterLostLease)
        {
            self.release();
        }
    }
}

impl Item {
    fn absorb(&mut self, other: &Self) {
        self.live += other.live;
        self.stale |= other.stale;
    }
}
