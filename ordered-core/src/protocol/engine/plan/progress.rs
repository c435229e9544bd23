use super::Plan;
use crate::handler::OnExhausted;
use crate::protocol::engine::actor::Actor;
use crate::protocol::engine::effect::{DeferReason, Effect, EventOutcome};
use crate::protocol::engine::pending::{Leaving, PutFor};
use crate::protocol::engine::queue::Queue;
use crate::protocol::engine::shared::Shared;
use crate::protocol::state::behind;
use crate::protocol::{FailedRun, KeyState, QuotaLimit, Stamp};
use crate::worker::Control;

impl<D> Actor<D> {
    pub(super) fn plan_commits(&mut self, plan: &mut Plan<'_, D>) {
        let Some(own) = &mut self.ownership else {
            return;
        };
        let mut committed = Vec::with_capacity(self.queue.done());
        for event in self.queue.take_done() {
            plan.transition.commit(event.subject());
            plan.count(&event);
            own.ids.insert(event.id.clone());
            committed.push(event);
        }
        plan.parts.committed = committed;
    }

    /// The run of the first event failed, alone.
    pub(super) fn plan_failure(&mut self, plan: &mut Plan<'_, D>, shared: &Shared<D>) {
        let Some(failure) = self.failure.take() else {
            return;
        };
        let Some(event) = self.queue.take_one(failure.replay, failure.seq) else {
            return;
        };
        let (rules, transition) = (&shared.rules, &mut plan.transition);
        let run = FailedRun {
            event: event.subject(),
            envelope: &event.envelope,
            attempt: failure.attempt,
            error: &failure.error,
            worker: &rules.worker,
        };
        let deliveries = self.queue.unsettled() + event.tokens.len();
        let keeps = failure.wait <= rules.own_backoff
            && !self.gives_way(shared)
            && shared
                .retry_waits
                .has_room(deliveries, rules.concurrency, rules.read_ahead);
        let leaving = if failure.saved {
            transition.postpone_again(run, failure.wait);
            Some(EventOutcome::Postponed)
        } else if failure.permanent || transition.is_last_attempt(run.event) {
            match failure.on_exhausted.unwrap_or(rules.on_exhausted) {
                OnExhausted::Halt => {
                    transition.halt(run);
                    Some(EventOutcome::Halted)
                }
                OnExhausted::DeadLetter => {
                    transition.dead_letter(run);
                    if let Some(own) = &mut self.ownership {
                        own.ids.insert(event.id.clone());
                    }
                    Some(EventOutcome::DeadLettered)
                }
            }
        } else if keeps {
            transition.retry(run);
            None
        } else {
            transition.postpone(run, failure.wait);
            Some(EventOutcome::Postponed)
        };
        plan.puts_are(PutFor::Leaving(plan.parts.leaving.len()));
        if leaving.is_some() {
            plan.count(&event);
        }
        plan.parts.failure = Some(failure);
        match leaving {
            Some(outcome) => plan.parts.leaving.push((event, Leaving::As(outcome))),
            None => drop(self.queue.add(event)),
        }
    }

    pub(super) fn plan_controls(&mut self, plan: &mut Plan<'_, D>, shared: &mut Shared<D>) {
        if self.controls.is_empty() || self.queue.running() > 0 {
            return;
        }
        let epoch = plan.transition.state.epoch;
        for (control, token) in std::mem::take(&mut self.controls) {
            let here = self.queue.iter().map(|event| event.seq);
            let of = |producer: &str| {
                let stamps = self.queue.iter().filter_map(|event| event.stamp.as_deref());
                let of = stamps.filter(|stamp| stamp.producer() == producer);
                of.map(Stamp::seq).collect::<Vec<_>>()
            };
            let done = match &control {
                Control::GapFill { from, to } => plan.transition.fill(from.get(), to.get(), here),
                Control::GapFillOf { producer, from, to } => {
                    let range = (from.get(), to.get());
                    plan.transition.fill_of(producer, range, of(producer))
                }
                Control::Reset { at, epoch } => {
                    shared.watermarks.forget(&self.key);
                    plan.transition.reset(at.get(), *epoch, here)
                }
                Control::Clock {
                    producer,
                    after,
                    time,
                } => plan.transition.show_clock(producer, *after, *time),
                Control::Leave {
                    producer,
                    after,
                    time,
                } => plan.transition.leave(producer, *after, *time),
                Control::LostOf {
                    producer,
                    from,
                    to,
                    why,
                } => {
                    let (range, worker) = ((from.get(), to.get()), &shared.rules.worker);
                    let here = of(producer);
                    plan.transition.lose_of(producer, range, why, here, worker);
                    true
                }
                Control::Lost { from, to, why } => {
                    let (range, worker) = (from.get()..=to.get(), &shared.rules.worker);
                    plan.transition.lose(range, why, here, worker);
                    true
                }
            };
            if done {
                plan.parts.controls.push((control, token));
            } else {
                let why = DeferReason::Full(QuotaLimit::KeyEvents);
                shared.effects.push(Effect::SettleControl {
                    token,
                    deferred: Some(why),
                });
            }
        }
        if plan.transition.state.epoch != epoch {
            self.leave_old_epoch(plan);
        }
    }

    /// Begins an epoch again that the store has lost.
    pub(super) fn plan_lost_epoch(&mut self, plan: &mut Plan<'_, D>) {
        let own = self.ownership.as_ref();
        if let Some(mark) = own.and_then(|own| own.lost_epoch) {
            let next = behind(mark.last_seq);
            plan.transition.reset(next, Some(mark.epoch), []);
            self.leave_old_epoch(plan);
        }
    }

    /// Brings the head up to date. Says whether nothing of the key may run.
    pub(super) fn plan_head(&mut self, plan: &mut Plan<'_, D>, shared: &mut Shared<D>) -> bool {
        let transition = &mut plan.transition;
        transition.wake();
        transition.pass_absent();
        let head = transition.state.head();
        let is_here = |queue: &Queue<D>, state: &KeyState, seq| {
            queue.get(seq).is_some() || state.held.contains(seq)
        };
        let has_producers = shared.rules.policy.order.has_producers();
        if !transition.state.is_blocked() && has_producers && transition.is_gap_over() {
            let here = self.queue.iter().filter(|event| !event.replay);
            let here: Vec<&Stamp> = here.filter_map(|event| event.stamp.as_deref()).collect();
            let told_at = self.ownership.as_ref().map_or(0, |own| own.told_at);
            transition.end_gaps_of_producers(&shared.rules.worker, told_at, &here);
        } else if !transition.state.is_blocked()
            && !has_producers
            && !is_here(&self.queue, transition.state, head)
        {
            transition.end_gap_if_over(&shared.rules.worker);
        }
        let blocked = transition.state.is_blocked() || self.gives_way(shared);
        if !transition.state.is_suspect() || self.queue.running() > 0 {
            return blocked;
        }
        let head = transition.state.head();
        let is_something_here =
            !transition.state.replays.is_empty() || is_here(&self.queue, transition.state, head);
        if blocked || !is_something_here {
            transition.cancel_trial();
            return blocked;
        }
        if !shared.quarantine.admit(&self.key) {
            transition.cancel_trial();
            return true;
        }
        if !transition.state.on_trial {
            transition.begin_trial();
        } else if let Some(own) = &mut self.ownership {
            own.trial_saved = true;
        }
        if let Some(event) = self.queue.rest_mut().find(|event| event.seq == head) {
            event.redelivered |= !event.tokens.is_empty();
        }
        false
    }

    /// What was held of the old epoch is a dead letter now.
    pub(super) fn leave_old_epoch(&mut self, plan: &mut Plan<'_, D>) {
        let stored = self
            .queue
            .take_waiting(|event| event.is_stored() || event.replay);
        let leaving = stored.into_iter().map(|event| (event, Leaving::Stored));
        plan.parts.leaving.extend(leaving);
    }
}
