use super::item::Item;
use super::lane::Stage;
use super::{Engine, Failure, Fate, Pause, RunName, Then};
use crate::clock::wall_clock;
use crate::event::{EventId, Key};
use crate::handler::OnLate;
use crate::protocol::{Command, Fence, Grant, Next, Verdict};
use crate::transport::{Reason, ReasonKind, Settlement, Token};
use crate::worker::{Control, Deferral, Occurrence, Outcome, StuckBecause};

impl Engine {
    /// Takes the answers of the store, one for each command of the batch, in its order.
    pub(in crate::worker) fn on_verdicts(
        &mut self,
        commands: Vec<Command>,
        thens: Vec<Then>,
        verdicts: Vec<Verdict>,
    ) {
        for ((command, then), verdict) in commands.into_iter().zip(thens).zip(verdicts) {
            match then {
                Then::Place(item) => self.on_placed(item, verdict),
                Then::Follow(item) => self.on_followed(&command.key, item, verdict),
                Then::Commit(fence) => self.on_commit(&command.key, fence, verdict),
                Then::Retry(failure) => self.on_retry(&command.key, failure, verdict),
                Then::Postpone(failure) => self.on_postpone(&command.key, &failure, &verdict),
                Then::DeadLetter(failure) => self.on_dead_letter(&command.key, &failure, verdict),
                Then::Halt(failure) => self.on_halt(&command.key, failure, verdict),
                Then::Release(fence) => self.on_release(&command.key, fence),
                Then::Claim => self.on_claim(&command.key, verdict),
                Then::Trial => {
                    self.on_claim(&command.key, verdict);
                    self.on_trial(command.key);
                }
                Then::Control(control, token) => {
                    self.on_control(command.key, &control, token, &verdict)
                }
            }
        }
    }

    pub(super) fn on_placed(&mut self, item: Box<Item>, verdict: Verdict) {
        let event = item.place();
        match verdict {
            Verdict::Run(grant) => self.on_grant(item, grant),
            Verdict::Early(waiting) => self.early(item, waiting.why),
            Verdict::Held(waiting) => {
                self.observe(&Occurrence::Held { event, waiting });
                self.acknowledge(&item, Outcome::Held);
            }
            Verdict::Duplicate => {
                self.observe(&Occurrence::Duplicate { event });
                self.acknowledge(&item, Outcome::Duplicate);
            }
            Verdict::Stale => {
                self.observe(&Occurrence::Stale { event });
                self.acknowledge(&item, Outcome::Stale);
            }
            Verdict::HoldFull(limit) => {
                self.report_stuck(&item.key, item.seq().get(), StuckBecause::Full(limit));
                self.defer(&item, Deferral::Full(limit));
            }
            Verdict::NotYet => self.defer(&item, Deferral::NotYet),
            Verdict::Late => self.on_late(&item),
            Verdict::Conflict { recorded } => self.on_conflict(&item, &recorded),
            unforeseen => self.confused(&item, &unforeseen),
        }
    }

    fn on_late(&mut self, item: &Item) {
        self.observe(&Occurrence::Late {
            event: item.place(),
        });
        if self.parts.options.on_late != OnLate::DeadLetter {
            return self.acknowledge(item, Outcome::Late);
        }
        let text = format!(
            "seq {} of key {} was passed over before this event came: {}",
            item.seq(),
            item.key,
            "it was skipped, or its producer said that it would never come"
        );
        let reason = Reason {
            kind: ReasonKind::Late,
            text,
        };
        self.settle(item, Outcome::Late, &Fate::DeadLetter(reason));
    }

    fn on_conflict(&mut self, item: &Item, recorded: &EventId) {
        self.observe(&Occurrence::Conflict {
            event: item.place(),
            recorded,
        });
        let text = format!(
            "seq {} of key {} belongs to event {recorded}, and this is event {}: two producers numbered \
             the same key",
            item.seq(),
            item.key,
            item.id(),
        );
        let reason = Reason {
            kind: ReasonKind::Conflict,
            text,
        };
        self.settle(item, Outcome::Conflict, &Fate::DeadLetter(reason));
    }

    fn defer(&mut self, item: &Item, why: Deferral) {
        let delay = self.parts.settings.defer;
        self.observe(&Occurrence::Deferred {
            event: item.place(),
            why,
            delay,
        });
        self.settle(item, Outcome::Deferred, &Fate::Defer(delay));
    }

    /// A store that answers what the protocol does not foresee is broken; what it was asked about stays unsettled.
    fn confused(&self, item: &Item, verdict: &Verdict) {
        tracing::error!(key = item.key.as_str(), seq = %item.seq(), ?verdict, "the store answered something unforeseen");
    }

    fn on_grant(&mut self, mut item: Box<Item>, grant: Grant) {
        item.attempt = grant.attempt;
        item.repeat = grant.repeat;
        self.enter_lane(grant.fence, grant.front, item);
    }

    fn on_commit(&mut self, key: &Key, fence: Fence, verdict: Verdict) {
        let Verdict::Committed { next, front } = verdict else {
            return self.fenced(key, fence);
        };
        if let Some(item) = self.leave_told(key, fence) {
            self.parts.telemetry.committed(
                item.received_at,
                item.envelope.published_at,
                item.held_since,
            );
            self.observe(&Occurrence::Committed {
                event: item.place(),
                repeat: item.repeat,
            });
            self.acknowledge(&item, Outcome::Committed);
            self.after_front(key, next, front);
        }
    }

    fn on_dead_letter(&mut self, key: &Key, failure: &Failure, verdict: Verdict) {
        let Verdict::Committed { next, front } = verdict else {
            return self.fenced(key, failure.fence);
        };
        if let Some(item) = self.leave_front(key, failure.fence) {
            let Failure { attempt, error, .. } = failure;
            self.observe(&Occurrence::DeadLettered {
                event: item.place(),
                attempts: *attempt,
                error,
            });
            self.acknowledge(&item, Outcome::DeadLettered);
            self.after_front(key, next, front);
        }
    }

    /// Takes the first event whose commit is told out of the lane, if the lane is still the one that the command was about.
    fn leave_told(&mut self, key: &Key, fence: Fence) -> Option<Box<Item>> {
        let lane = self.lanes.get_mut(key).filter(|lane| lane.fence == fence)?;
        lane.leave_told()
    }

    /// The same of the event that failed, which nothing is told of before it.
    fn leave_front(&mut self, key: &Key, fence: Fence) -> Option<Box<Item>> {
        let lane = self.lanes.get_mut(key).filter(|lane| lane.fence == fence)?;
        let item = lane.leave_front()?;
        lane.stage = Stage::Ready;
        Some(item)
    }

    fn after_front(&mut self, key: &Key, next: Vec<Next>, front: Option<u64>) {
        self.extend_lane(key, next);
        self.go_on(key, front);
    }

    fn on_retry(&mut self, key: &Key, failure: Failure, verdict: Verdict) {
        let Verdict::Run(grant) = verdict else {
            return self.fenced(key, failure.fence);
        };
        let Some(lane) = self
            .lanes
            .get_mut(key)
            .filter(|lane| lane.fence == grant.fence)
        else {
            return;
        };
        let Some(item) = lane.queue.front_mut() else {
            return;
        };
        item.attempt = grant.attempt;
        let name = RunName {
            key: key.clone(),
            fence: grant.fence,
            seq: item.seq(),
        };
        self.observe_retry(key, &failure);
        if self.draining {
            return self.release(key);
        }
        self.pauses.push(Pause {
            name,
            wait: failure.wait,
        });
        self.wait_in_lane(key, failure);
    }

    fn observe_retry(
        &self,
        key: &Key,
        Failure {
            attempt,
            error,
            wait,
            ..
        }: &Failure,
    ) {
        if let Some(item) = self.lanes.get(key).and_then(|lane| lane.queue.front()) {
            let event = item.place();
            self.observe(&Occurrence::Retrying {
                event,
                attempt: *attempt,
                error,
                wait: *wait,
            });
        }
    }

    fn on_postpone(&mut self, key: &Key, failure: &Failure, verdict: &Verdict) {
        let Verdict::Postponed { .. } = verdict else {
            return self.fenced(key, failure.fence);
        };
        if !failure.told {
            self.observe_retry(key, failure);
        }
        self.close_lane(key, failure.fence, Outcome::Postponed);
    }

    fn on_halt(&mut self, key: &Key, failure: Failure, verdict: Verdict) {
        let Verdict::Halted = verdict else {
            return self.fenced(key, failure.fence);
        };
        let Failure {
            attempt,
            error,
            fence,
            ..
        } = &failure;
        if let Some(item) = self.close_lane(key, *fence, Outcome::Halted) {
            self.observe(&Occurrence::Halted {
                event: item.place(),
                attempts: *attempt,
                error,
            });
            self.report_stuck(key, item.seq().get(), StuckBecause::Halted { error });
        }
    }

    /// Ends a lane whose first event the store keeps; what is behind it goes to the store too.
    fn close_lane(&mut self, key: &Key, fence: Fence, outcome: Outcome) -> Option<Box<Item>> {
        self.lanes.get(key).filter(|lane| lane.fence == fence)?;
        let mut lane = self.lanes.remove(key)?;
        let item = lane.queue.pop_front();
        if let Some(item) = &item {
            self.acknowledge(item, outcome);
        }
        self.followers_to_store(lane.queue);
        self.follow(key);
        item
    }

    fn on_release(&mut self, key: &Key, fence: Fence) {
        if self.lanes.get(key).is_some_and(|lane| lane.fence == fence) {
            self.end_lane(key);
        }
    }

    /// What was said may have opened the way for events that are held.
    fn on_control(&mut self, key: Key, control: &Control, token: Token, verdict: &Verdict) {
        let (outcome, fate) = match verdict {
            Verdict::Noted => (Outcome::Control, Fate::Ack),
            _ => (Outcome::Deferred, Fate::Defer(self.parts.settings.defer)),
        };
        self.parts.telemetry.deliveries.settled(outcome, 1);
        self.observe(&Occurrence::Controlled { key: &key, control });
        self.settlements.push(Settlement { token, fate });
        self.on_swept_keys(vec![key]);
    }

    fn on_claim(&mut self, key: &Key, verdict: Verdict) {
        let Verdict::Claimed {
            fence,
            attempt,
            next,
        } = verdict
        else {
            return;
        };
        if self.lanes.get(key).is_some_and(|lane| lane.fence == fence) {
            // An offer was granted since the sweep. The claim has granted what is held behind it too: to drop that
            // would leave a hole in the lane, over which a later offer would run.
            self.extend_lane(key, next);
            return self.line_up(key);
        }
        self.enter_claimed(key, fence, attempt, next);
    }

    /// Adds what a commit handed back to the lane.
    fn extend_lane(&mut self, key: &Key, next: Vec<Next>) {
        if next.is_empty() {
            return;
        }
        let items = self.items_from_store(key, next);
        if let Some(lane) = self.lanes.get_mut(key) {
            items
                .into_iter()
                .for_each(|item| lane.insert(Box::new(item)));
        }
    }

    fn enter_claimed(&mut self, key: &Key, fence: Fence, attempt: u32, next: Vec<Next>) {
        let mut items = self.items_from_store(key, next);
        let mut front = 0;
        if let Some(first) = items.first_mut() {
            front = first.seq().get();
            first.attempt = attempt;
            self.observe(&Occurrence::TakenOver {
                event: first.place(),
                attempt,
                fence,
            });
        }
        items
            .into_iter()
            .for_each(|item| self.enter_lane(fence, front, Box::new(item)));
    }

    fn items_from_store(&self, key: &Key, next: Vec<Next>) -> Vec<Item> {
        let received_at = wall_clock();
        let item = |next: Next| {
            let read = (!next.repeat).then(|| self.parts.read(&next.envelope));
            Item::from_store(key, next, read, received_at)
        };
        next.into_iter().map(item).collect()
    }
}
