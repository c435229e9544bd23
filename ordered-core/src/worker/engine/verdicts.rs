use super::item::Item;
use super::lane::Stage;
use super::{Engine, Failure, Fate, Pause, RunName, Then};
use crate::clock::wall_clock;
use crate::event::Key;
use crate::protocol::{Command, Fence, Grant, Next, Verdict};
use crate::transport::{Reason, ReasonKind};
use crate::worker::{Occurrence, Outcome};

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
                Then::Commit(fence) => self.on_commit(&command.key, fence, verdict),
                Then::Retry(failure) => self.on_retry(&command.key, failure, verdict),
                Then::Halt(failure) => self.on_halt(&command.key, failure, verdict),
                Then::Release(fence) => self.on_release(&command.key, fence),
                Then::Claim => self.on_claim(&command.key, verdict),
            }
        }
    }

    fn on_placed(&mut self, item: Item, verdict: Verdict) {
        let event = item.place();
        match verdict {
            Verdict::Run(grant) => self.on_grant(item, grant),
            Verdict::Early(_) => self.hold(item),
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
                let delay = self.parts.settings.defer;
                self.observe(&Occurrence::Deferred {
                    event,
                    limit,
                    delay,
                });
                self.settle(&item, Outcome::Deferred, &Fate::Defer(delay));
            }
            Verdict::Conflict { recorded } => {
                self.observe(&Occurrence::Conflict {
                    event,
                    recorded: &recorded,
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
                self.settle(&item, Outcome::Conflict, &Fate::DeadLetter(reason));
            }
            unforeseen => self.confused(&item, &unforeseen),
        }
    }

    /// A store that answers what the protocol does not foresee is broken; what it was asked about stays unsettled.
    fn confused(&self, item: &Item, verdict: &Verdict) {
        tracing::error!(key = %item.key, seq = %item.seq(), ?verdict, "the store answered something unforeseen");
    }

    fn on_grant(&mut self, mut item: Item, grant: Grant) {
        item.attempt = grant.attempt;
        item.repeat = grant.repeat;
        self.enter_lane(grant.fence, item);
    }

    fn on_commit(&mut self, key: &Key, fence: Fence, verdict: Verdict) {
        let Verdict::Committed { next, released } = verdict else {
            return self.fenced(key, fence);
        };
        let Some(lane) = self.lanes.get_mut(key).filter(|lane| lane.fence == fence) else {
            return;
        };
        let Some(item) = lane.queue.pop_front() else {
            return;
        };
        lane.committed(item.id());
        self.observe(&Occurrence::Committed {
            event: item.place(),
            repeat: item.repeat,
        });
        self.acknowledge(&item, Outcome::Committed);
        self.extend_lane(key, next);
        if released {
            self.end_lane(key)
        } else {
            self.go_on(key, item.seq())
        }
    }

    fn on_retry(&mut self, key: &Key, failure: Failure, verdict: Verdict) {
        let Verdict::Run(grant) = verdict else {
            return self.fenced(key, failure.fence);
        };
        let wait = self
            .parts
            .options
            .backoff
            .wait(failure.attempt, &mut self.parts.random);
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
        lane.stage = Stage::BackingOff;
        let name = RunName {
            key: key.clone(),
            fence: grant.fence,
            seq: item.seq(),
        };
        self.pauses.push(Pause { name, wait });
        let Some(item) = self.lanes.get(key).and_then(|lane| lane.queue.front()) else {
            return;
        };
        let Failure { attempt, error, .. } = &failure;
        self.observe(&Occurrence::Retrying {
            event: item.place(),
            attempt: *attempt,
            error,
            wait,
        });
        if self.draining {
            self.release(key);
        }
    }

    fn on_halt(&mut self, key: &Key, failure: Failure, verdict: Verdict) {
        let Verdict::Halted = verdict else {
            return self.fenced(key, failure.fence);
        };
        if self
            .lanes
            .get(key)
            .is_none_or(|lane| lane.fence != failure.fence)
        {
            return;
        }
        let Some(mut lane) = self.lanes.remove(key) else {
            return;
        };
        if let Some(item) = lane.queue.pop_front() {
            let Failure { attempt, error, .. } = &failure;
            self.observe(&Occurrence::Halted {
                event: item.place(),
                attempts: *attempt,
                error,
            });
            self.acknowledge(&item, Outcome::Halted);
        }
        self.followers_to_store(lane.queue);
    }

    fn on_release(&mut self, key: &Key, fence: Fence) {
        if self.lanes.get(key).is_some_and(|lane| lane.fence == fence) {
            self.end_lane(key);
        }
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
            return self.extend_lane(key, next);
        }
        tracing::info!(%key, %fence, attempt, events = next.len(), "took over a key");
        self.enter_claimed(key, fence, attempt, next);
    }

    /// Adds what a commit handed back to the lane.
    fn extend_lane(&mut self, key: &Key, next: Vec<Next>) {
        let items = self.items_from_store(key, next);
        if let Some(lane) = self.lanes.get_mut(key) {
            items.into_iter().for_each(|item| lane.insert(item));
        }
    }

    fn enter_claimed(&mut self, key: &Key, fence: Fence, attempt: u32, next: Vec<Next>) {
        let mut items = self.items_from_store(key, next);
        if let Some(first) = items.first_mut() {
            first.attempt = attempt;
        }
        items
            .into_iter()
            .for_each(|item| self.enter_lane(fence, item));
    }

    fn items_from_store(&self, key: &Key, next: Vec<Next>) -> Vec<Item> {
        if next.is_empty() {
            return Vec::new();
        }
        let received_at = wall_clock();
        let item = |next: Next| {
            let invocation = (!next.repeat).then(|| self.parts.invocation(&next.envelope));
            Item::from_store(key, next, invocation, received_at)
        };
        next.into_iter().map(item).collect()
    }
}
