use super::turn::{Fate, Turn};
use super::{Item, Stage};
use crate::bounds::Bounds;
use crate::mutation::Mutation;
use crate::store::{Answer, Ask, Next};

impl Turn<'_> {
    /// The reply to the batch is here.
    pub(crate) fn on_reply(&mut self) {
        let batch = std::mem::take(&mut self.me().batch);
        for (ask, answer) in batch {
            if let Some(answer) = answer {
                self.on_answer(ask, answer);
            }
        }
        if std::mem::take(&mut self.me().suspect) {
            self.doubt();
        }
    }

    /// The reply is lost: the batch is sent again as it is.
    pub(crate) fn on_lost_reply(&mut self) {
        if self.is(Mutation::LostReplyIsRefusal) {
            let batch = std::mem::take(&mut self.me().batch);
            for (ask, _) in batch {
                match ask {
                    Ask::Offer(item) | Ask::Hold(item) | Ask::Control(item) => {
                        self.leave_unsettled(&item);
                    }
                    Ask::Commit { fence, .. } | Ask::Release { fence } => self.fenced(fence),
                    Ask::Retry(tried)
                    | Ask::Postpone(tried)
                    | Ask::Halt(tried)
                    | Ask::DeadLetter { tried, .. } => self.fenced(tried.fence),
                    Ask::Claim => {}
                }
            }
            return;
        }
        for (_, answer) in &mut self.me().batch {
            *answer = None;
        }
    }

    fn on_answer(&mut self, ask: Ask, answer: Answer) {
        match ask {
            Ask::Offer(item) | Ask::Hold(item) => self.on_placed(item, answer),
            Ask::Commit { fence, .. } => self.on_commit(fence, answer),
            Ask::DeadLetter { tried, .. } => self.on_commit(tried.fence, answer),
            Ask::Control(item) => self.on_control(&item, &answer),
            Ask::Retry(tried) => self.on_retry(tried.fence, answer),
            Ask::Postpone(tried) => self.on_set_aside(tried.fence, answer == Answer::Postponed),
            Ask::Halt(tried) => self.on_set_aside(tried.fence, answer == Answer::Halted),
            Ask::Release { fence } => self.on_release(fence),
            Ask::Claim => self.on_claim(answer),
        }
    }

    fn on_placed(&mut self, mut item: Item, answer: Answer) {
        match answer {
            Answer::Run {
                fence,
                front,
                attempt,
                repeat,
            } => {
                (item.attempt, item.repeat) = (attempt, repeat);
                self.enter_lane(fence, front, item);
            }
            Answer::Early if self.is(Mutation::AckOfEarly) => self.settle(&item, Fate::Ack),
            Answer::Early => self.tell(Ask::Hold(item)),
            Answer::HoldFull | Answer::NotYet => self.settle(&item, Fate::Defer),
            Answer::Conflict | Answer::Late => self.settle(&item, Fate::DeadLetter),
            Answer::Held | Answer::Duplicate | Answer::Stale => self.settle(&item, Fate::Ack),
            _ => self.leave_unsettled(&item),
        }
    }

    /// What was said may have opened the way for events that are held.
    fn on_control(&mut self, item: &Item, answer: &Answer) {
        let noted = *answer == Answer::Noted;
        self.settle(item, if noted { Fate::Ack } else { Fate::Defer });
        if self.me().lane.is_none() && !self.me().draining {
            self.swept();
        }
    }

    /// The first event of the lane is committed, or put aside.
    fn on_commit(&mut self, fence: u64, answer: Answer) {
        let Answer::Committed { next, front } = answer else {
            return self.fenced(fence);
        };
        let bounds = self.model.bounds;
        let Some(lane) = self.me().lane.as_mut().filter(|lane| lane.fence == fence) else {
            return;
        };
        if lane.queue.is_empty() {
            return;
        }
        let item = lane.queue.remove(0);
        for other in &mut lane.queue {
            other.repeat |= bounds.same_id(other.event, item.event);
        }
        self.settle(&item, Fate::Ack);
        for next in next {
            self.insert(Item::from_store(next, &bounds));
        }
        match front {
            Some(front) => self.go_on(front),
            None => self.end_lane(),
        }
    }

    fn on_retry(&mut self, fence: u64, answer: Answer) {
        let Answer::Run { attempt, .. } = answer else {
            return self.fenced(fence);
        };
        let draining = self.me().draining;
        let Some(lane) = self.me().lane.as_mut().filter(|lane| lane.fence == fence) else {
            return;
        };
        let Some(first) = lane.queue.first_mut() else {
            return;
        };
        first.attempt = attempt;
        lane.stage = Stage::BackingOff;
        if draining {
            self.release();
        }
    }

    /// The store keeps the failed event: what the broker still waits for behind it goes there too.
    fn on_set_aside(&mut self, fence: u64, done: bool) {
        if !done {
            return self.fenced(fence);
        }
        let Some(mut lane) = self.me().lane.take_if(|lane| lane.fence == fence) else {
            return;
        };
        if !lane.queue.is_empty() {
            let item = lane.queue.remove(0);
            self.settle(&item, Fate::Ack);
        }
        for item in lane.queue.into_iter().filter(Item::has_tokens) {
            self.tell(Ask::Hold(item));
        }
    }

    fn on_release(&mut self, fence: u64) {
        if let Some(lane) = self.me().lane.take_if(|lane| lane.fence == fence) {
            self.ask_again(lane.queue);
        }
    }

    fn on_claim(&mut self, answer: Answer) {
        let Answer::Claimed {
            fence,
            attempt,
            next,
        } = answer
        else {
            return;
        };
        let known = self
            .me()
            .lane
            .as_ref()
            .is_some_and(|lane| lane.fence == fence);
        if known && self.is(Mutation::IgnoresClaimOfOwnLane) {
            return;
        }
        let bounds = self.model.bounds;
        let front = next.first().map_or(0, |first| bounds.seq(first.event));
        for (place, next) in next.into_iter().enumerate() {
            let mut item = Item::from_store(next, &bounds);
            if place == 0 {
                item.attempt = attempt;
            }
            self.enter_lane(fence, front, item);
        }
    }
}

impl Item {
    fn from_store(Next { event, repeat }: Next, bounds: &Bounds) -> Self {
        Self {
            event,
            live: 0,
            stale: false,
            attempt: 1,
            repeat,
            undated: bounds.events[usize::from(event)].epoch.is_some(),
        }
    }
}
