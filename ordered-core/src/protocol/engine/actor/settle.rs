//! Settling: what the broker is told of the deliveries of an event, and which events are over without a save.

use super::{Actor, Ownership};
use crate::event::EventId;
use crate::protocol::engine::effect::{DeferReason, Effect, EventChange, EventOutcome};
use crate::protocol::engine::event::Event;
use crate::protocol::engine::shared::Shared;
use crate::protocol::{Arrival, Placement, Stamp};

impl<D> Actor<D> {
    /// Settles what the state says is over. What came from the mailbox stays: a save has to take it out there.
    pub(in crate::protocol::engine) fn settle_past(&mut self, shared: &mut Shared<D>) {
        let own = self.ownership.as_ref();
        let Some(own) = own.filter(|own| own.lost_epoch.is_none()) else {
            return;
        };
        let (now, policy) = (shared.now, &shared.rules.policy);
        let state = &own.state;
        let place = |event: &Event<D>| {
            if event.is_stored() || event.replay {
                return None;
            }
            if let Some(stamp) = &event.stamp {
                return own.place_stamped(event, stamp);
            }
            // Without a look-up nothing is certain but that it lies ahead, or in another epoch.
            let seen = || event.seen.unwrap_or(false) || own.ids.contains(&event.id);
            let is_ahead = !state.is_past(event.seq) && event.is_of(state.epoch);
            if is_ahead && (!policy.order.numbers_itself() || !seen()) {
                return None;
            }
            let seen = seen();
            match state.place(event.seq, event.epoch, seen, policy, now) {
                Placement::Ahead | Placement::Compare(_) => None,
                // What only the newest is of use for needs no look-up.
                Placement::Superseded if policy.order.coalesces() => Some(Placement::Superseded),
                _ if event.seen.is_none() => None,
                past => Some(past),
            }
        };
        let past = self.queue.take_waiting(|event| place(event).is_some());
        let placed: Vec<_> = past
            .into_iter()
            .map(|event| (place(&event), event))
            .collect();
        for (placement, event) in placed {
            self.settle_as(shared, event, placement);
        }
    }

    fn settle_as(
        &self,
        shared: &mut Shared<D>,
        event: Box<Event<D>>,
        placement: Option<Placement>,
    ) {
        match placement {
            Some(Placement::Duplicate) => {
                shared.observe(&self.key, &event, EventChange::Duplicate);
                self.settle(shared, event, EventOutcome::Duplicate);
            }
            Some(Placement::Stale) if event.is_rewound() => {
                shared.observe(&self.key, &event, EventChange::Rewound);
                self.settle(shared, event, EventOutcome::Rewound);
            }
            Some(Placement::Stale) => {
                shared.observe(&self.key, &event, EventChange::Stale);
                self.settle(shared, event, EventOutcome::Stale);
            }
            Some(Placement::Late) => {
                shared.observe(&self.key, &event, EventChange::Late);
                self.settle(shared, event, EventOutcome::Late);
            }
            Some(Placement::Superseded) => {
                shared.observe(&self.key, &event, EventChange::Superseded);
                self.settle(shared, event, EventOutcome::Superseded);
            }
            Some(Placement::NotYet) => self.defer(shared, event, DeferReason::NotYet),
            Some(Placement::Conflict) => self.settle_conflict(shared, event, None),
            Some(Placement::Ahead | Placement::Compare(_)) | None => {}
        }
    }

    pub(in crate::protocol::engine) fn settle_conflict(
        &self,
        shared: &mut Shared<D>,
        event: Box<Event<D>>,
        recorded: Option<EventId>,
    ) {
        shared.observe(&self.key, &event, EventChange::Conflict(recorded.clone()));
        self.settle(shared, event, EventOutcome::Conflict(recorded));
    }

    #[expect(clippy::boxed_local, reason = "events are boxed wherever they are")]
    pub(in crate::protocol::engine) fn settle(
        &self,
        shared: &mut Shared<D>,
        event: Box<Event<D>>,
        outcome: EventOutcome,
    ) {
        if !event.tokens.is_empty() {
            shared.effects.push(Effect::Settle {
                key: self.key.clone(),
                seq: event.seq,
                stored: event.is_stored(),
                id: event.id,
                tokens: event.tokens,
                outcome,
            });
        }
    }

    pub(in crate::protocol::engine) fn defer(
        &self,
        shared: &mut Shared<D>,
        event: Box<Event<D>>,
        why: DeferReason,
    ) {
        shared.observe(&self.key, &event, EventChange::Deferred(why));
        self.settle(shared, event, EventOutcome::Deferred(why));
    }
}

impl Ownership {
    /// What an event without a number is whose producer says where it belongs; `None` where it lies ahead, or that is
    /// not known.
    fn place_stamped<D>(&self, event: &Event<D>, stamp: &Stamp) -> Option<Placement> {
        if !Arrival::is_unnumbered(event.seq) {
            return None;
        }
        let seen = self.has_seen(event);
        let place = self.state.producers.place(stamp, &event.id, seen)?;
        (place != Placement::Ahead).then_some(place)
    }
}
