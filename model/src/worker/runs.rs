use super::turn::Turn;
use super::{Item, Stage};
use crate::mutation::Mutation;
use crate::store::{Ask, Tried};
use crate::world::Broken;

/// How a run of the handler ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    Done,
    Failed,
    FailedForGood,
    /// Failed, and to be tried again so late that the store keeps it meanwhile.
    FailedForLong,
}

impl Turn<'_> {
    pub(crate) fn start(&mut self) {
        let next = self.world.key.last_seq + 1;
        let seized = self.world.past.seized;
        let bounds = self.model.bounds;
        let me = self.me();
        let excused = me.stepped;
        let Some(lane) = &mut me.lane else {
            return;
        };
        let Some(item) = lane.queue.first() else {
            return;
        };
        if item.repeat {
            return self.commit();
        }
        // What it was granted was taken from it since, and it has not heard of it.
        let taken = seized.is_some_and(|seized| lane.fence < seized);
        lane.stage = Stage::Running {
            excused: excused || taken,
        };
        let item = item.clone();
        if !taken && bounds.seq(item.event) > next {
            self.world.break_promise(Broken::Order);
        }
        if self.is(Mutation::AckOnStart) {
            self.settle(&item, super::turn::Fate::Ack);
            if let Some(first) = self.first() {
                (first.live, first.stale) = (0, true);
            }
        }
    }

    fn first(&mut self) -> Option<&mut Item> {
        self.me().lane.as_mut()?.queue.first_mut()
    }

    pub(crate) fn finish(&mut self, outcome: Outcome) {
        let Some(item) = self.first().cloned() else {
            return;
        };
        if outcome == Outcome::Done {
            self.world.past.handled.insert(item.event);
            return self.commit();
        }
        if self.is(Mutation::AckOnFailure) {
            self.settle(&item, super::turn::Fate::Ack);
            if let Some(first) = self.first() {
                (first.live, first.stale) = (0, true);
            }
        }
        let bounds = self.model.bounds;
        let last = item.attempt >= bounds.attempts;
        let dead_letters = bounds.dead_letters;
        let early = self.is(Mutation::AckBeforeDeadLetter) && dead_letters;
        if early && (last || outcome == Outcome::FailedForGood) {
            self.settle(&item, super::turn::Fate::Ack);
            if let Some(first) = self.first() {
                (first.live, first.stale) = (0, true);
            }
        }
        let Some(lane) = &mut self.me().lane else {
            return;
        };
        lane.stage = Stage::Asking;
        let have = lane.queue.last().map_or(0, |item| bounds.seq(item.event));
        let tried = Tried {
            event: item.event,
            fence: lane.fence,
            number: item.attempt,
        };
        self.tell(match outcome {
            Outcome::Failed if !last => Ask::Retry(tried),
            Outcome::FailedForLong if !last => Ask::Postpone(tried),
            _ if dead_letters => Ask::DeadLetter { tried, have },
            _ => Ask::Halt(tried),
        });
    }

    fn commit(&mut self) {
        let bounds = self.model.bounds;
        let Some(lane) = &mut self.me().lane else {
            return;
        };
        let (Some(first), Some(last)) = (lane.queue.first(), lane.queue.last()) else {
            return;
        };
        let ask = Ask::Commit {
            event: first.event,
            fence: lane.fence,
            have: bounds.seq(last.event),
        };
        lane.stage = Stage::Asking;
        self.tell(ask);
    }

    pub(crate) fn pause_over(&mut self) {
        if let Some(lane) = &mut self.me().lane {
            lane.stage = Stage::Ready;
        }
    }

    /// A sweep has found the key.
    pub(crate) fn swept(&mut self) {
        self.tell(Ask::Claim);
    }

    /// A heartbeat has reached the store, and the worker knows it.
    pub(crate) fn beaten(&mut self) {
        let lease = self.bounds().lease;
        let me = self.me();
        let lapsed = me.up && me.lease == 0;
        (me.up, me.lease) = (true, lease);
        if lapsed {
            me.suspect = !me.batch.is_empty();
            self.doubt();
        }
    }
}
