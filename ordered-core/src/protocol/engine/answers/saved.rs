use crate::protocol::engine::actor::Actor;
use crate::protocol::engine::effect::{Disposition, Effect, EventChange, KeyChange};
use crate::protocol::engine::event::Event;
use crate::protocol::engine::numbering::take_mail;
use crate::protocol::engine::pending::{Failure, Leaving, PendingSave, PutFor};
use crate::protocol::engine::shared::Shared;
use crate::protocol::{Transition, Waiting};
use crate::store::{Posted, Saved};

/// How many ids of its own commits an owner remembers; beyond that they are looked up again.
const KNOWN_IDS: usize = 1_024;

impl<D: Default> Actor<D> {
    pub(super) fn on_saved(
        &mut self,
        shared: &mut Shared<D>,
        mut save: PendingSave<D>,
        saved: Saved,
    ) {
        let Some(own) = &mut self.ownership else {
            return;
        };
        let before = own.watermark();
        if save.writes_body {
            own.body_fence = own.fence;
            own.saved_seq = None;
        }
        own.moves.clear();
        own.state = std::mem::take(&mut save.next);
        let waiting = shared.obstacle(&own.state);
        own.listing = save.listing;
        own.lost_epoch = None;
        own.dirty = false;
        own.committing = 0;
        own.closed = false;
        own.trial_saved = own.state.on_trial;
        own.death_unsaved = false;
        own.hand_over |= saved.hand_over;
        own.tip = own.state.last_seq;
        let rules = std::sync::Arc::clone(&shared.rules);
        let mut transition = Transition::new(&mut own.state, &rules.policy, shared.now);
        take_mail(&mut transition, &self.queue, &mut own.moves, &saved.mail);
        (own.mail, own.told_at) = (saved.mail.len(), shared.now);
        own.dirty |= own.mail > 0;
        let mark = own.watermark();
        if mark != before {
            shared.watermarks.note(&self.key, mark);
        }
        if own.ids.len() > KNOWN_IDS {
            own.ids.clear();
            own.known_from = own.state.last_seq;
            self.queue.forget_seen();
        } else {
            self.queue.note_seen(&save.looked_up, &saved.seen);
        }
        self.number_arrivals(shared);
        let failure = save.failure.take();
        let fetched = std::mem::take(&mut save.fetched);
        let is_retry = save.leaving.iter().all(|(_, how)| !is_end_of_failure(how));
        self.settle_saved(shared, save, (failure.as_ref(), waiting), saved.puts);
        self.on_letters(shared, &fetched, saved.letters);
        if saved.released {
            self.ownership = None;
            self.queue.forget_numbers();
        } else if let Some(failure) = failure.filter(|_| is_retry) {
            self.begin_wait(shared, failure);
        }
        (self.claimed, self.adopting) = (false, false);
        self.end_trial(shared);
    }

    /// The worker keeps the key until the next attempt.
    pub(super) fn begin_wait(&mut self, shared: &mut Shared<D>, failure: Failure) {
        let event = if failure.replay {
            self.queue.get_replay(failure.seq)
        } else {
            self.queue.get(failure.seq)
        };
        if let Some(event) = event {
            let what = retrying(&failure);
            shared.observe(&self.key, event, what);
        }
        let wait = failure.wait;
        let failure = Some(Failure {
            saved: true,
            ..failure
        });
        let deliveries = self.queue.unsettled();
        let rules = &shared.rules;
        if !shared
            .retry_waits
            .has_room(deliveries, rules.concurrency, rules.read_ahead)
        {
            // Others began to wait since this was planned: it goes on waiting in the store.
            self.failure = failure;
            return;
        }
        self.waiting = failure;
        self.waiting_deliveries = deliveries;
        shared.retry_waits.begin(deliveries);
        shared.wake(&self.key, wait);
    }

    /// Settles what a save was for, which was carried out.
    pub(super) fn settle_saved(
        &mut self,
        shared: &mut Shared<D>,
        save: PendingSave<D>,
        (failure, waiting): (Option<&Failure>, Waiting),
        puts: Vec<Posted>,
    ) {
        for event in save.committed {
            if event.is_repeat() && shared.rules.policy.order.numbers_itself() {
                // It has a number because nobody knew that it is one.
                shared.observe(&self.key, &event, EventChange::Duplicate);
                self.settle(shared, event, Disposition::Duplicate);
                continue;
            }
            let what = EventChange::Committed {
                repeat: event.is_repeat(),
                received_at: event.received_at,
                published_at: event.envelope.published_at,
                held_since: event.held_since,
            };
            shared.observe(&self.key, &event, what);
            self.settle(shared, event, Disposition::Committed);
        }
        if save.superseded > 0 {
            let events = save.superseded;
            shared.observe_key(&self.key, KeyChange::Superseded { events });
        }
        if save.late > 0 {
            let events = save.late;
            shared.observe_key(&self.key, KeyChange::Late { events });
        }
        if !save.given_up.is_empty() {
            let producers = save.given_up.clone();
            shared.observe_key(&self.key, KeyChange::GivenUp { producers });
        }
        for wanted in save.repair {
            shared.observe_key(&self.key, KeyChange::RepairWanted(wanted));
        }
        for (control, token) in save.controls {
            shared.effects.push(Effect::SettleControl {
                token,
                deferred: None,
            });
            shared.observe_key(&self.key, KeyChange::Controlled(control));
        }
        let mut outcomes: Vec<Option<Posted>> = save.leaving.iter().map(|_| None).collect();
        for (whose, posted) in save.puts.into_iter().zip(puts) {
            match whose {
                PutFor::Leaving(index) => outcomes[index] = Some(posted),
                PutFor::Staying(seq) => self.on_stored(shared, seq, posted),
            }
        }
        for ((event, how), posted) in save.leaving.into_iter().zip(outcomes) {
            match (how, posted) {
                // It ran, but another event has been in its place in the mailbox.
                (Leaving::As(_), Some(Posted::Taken(recorded))) => {
                    self.settle_conflict(shared, event, Some(recorded));
                }
                (Leaving::As(disposition), _) => {
                    self.observe_end(shared, &event, &disposition, failure);
                    self.settle(shared, event, disposition);
                }
                (Leaving::Held, Some(Posted::Stored) | None) => {
                    shared.observe(&self.key, &event, EventChange::Held(waiting));
                    self.settle(shared, event, Disposition::Held);
                }
                (_, Some(posted)) => self.on_posted(shared, event, posted),
                (Leaving::Compared, None) => {}
                (Leaving::Stored, None) => self.settle(shared, event, Disposition::Held),
            }
        }
    }

    /// The event is in the mailbox now, and stays in memory for its turn.
    fn on_stored(&mut self, shared: &mut Shared<D>, seq: u64, posted: Posted) {
        if let Posted::Taken(recorded) = posted {
            for event in self
                .queue
                .take_waiting(|event| event.seq == seq && !event.replay)
            {
                self.settle_conflict(shared, event, Some(recorded.clone()));
            }
            return;
        }
        let (now, waiting) = (shared.now, self.waiting.is_some());
        let mut events = self.queue.iter_mut();
        let Some(event) = events.find(|event| event.seq == seq && !event.replay) else {
            return;
        };
        event.held_since = Some(now);
        let tokens = std::mem::take(&mut event.tokens);
        let id = event.id.clone();
        if waiting {
            let gone = tokens.len().min(self.waiting_deliveries);
            self.waiting_deliveries -= gone;
            shared.retry_waits.shrink(gone);
        }
        if !tokens.is_empty() {
            shared.effects.push(Effect::Settle {
                key: self.key.clone(),
                seq,
                id,
                tokens,
                disposition: Disposition::Held,
                stored: false,
            });
        }
    }

    pub(super) fn observe_end(
        &self,
        shared: &mut Shared<D>,
        event: &Event<D>,
        disposition: &Disposition,
        failure: Option<&Failure>,
    ) {
        let what = match (disposition, failure) {
            (Disposition::Halted, Some(failure)) => EventChange::Halted {
                attempts: failure.attempt,
                error: failure.error.clone(),
            },
            (Disposition::DeadLettered, Some(failure)) => EventChange::DeadLettered {
                attempts: failure.attempt,
                error: failure.error.clone(),
            },
            // Of one that waited already this was observed when the wait began.
            (Disposition::Postponed, Some(failure)) if !failure.saved => retrying(failure),
            (Disposition::Duplicate, _) => EventChange::Duplicate,
            (Disposition::Stale, _) => EventChange::Stale,
            (Disposition::Rewound, _) => EventChange::Rewound,
            (Disposition::Late, _) => EventChange::Late,
            (Disposition::Superseded, _) => EventChange::Superseded,
            (Disposition::Conflict(recorded), _) => EventChange::Conflict(recorded.clone()),
            _ => return,
        };
        shared.observe(&self.key, event, what);
    }
}

pub(super) fn is_end_of_failure(how: &Leaving) -> bool {
    matches!(
        how,
        Leaving::As(Disposition::Halted | Disposition::DeadLettered | Disposition::Postponed)
    )
}

fn retrying(failure: &Failure) -> EventChange {
    EventChange::Retrying {
        attempt: failure.attempt,
        error: failure.error.clone(),
        wait: failure.wait,
    }
}
