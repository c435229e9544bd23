use std::sync::Arc;

use crate::protocol::engine::actor::Actor;
use crate::protocol::engine::effect::{EventChange, KeyChange};
use crate::protocol::engine::event::{Event, Tokens};
use crate::protocol::engine::shared::Shared;
use crate::protocol::order::POSTED;
use crate::protocol::state::behind;
use crate::protocol::{HeldNote, Stamp, Transition, stored_event};
use crate::store::{Letter, Slot};

impl<D: Default> Actor<D> {
    /// Puts what was fetched into the queue.
    pub(super) fn on_letters(
        &mut self,
        shared: &mut Shared<D>,
        slots: &[Slot],
        letters: Vec<Option<Letter>>,
    ) {
        let mut first = self.claimed;
        for (slot, letter) in slots.iter().zip(letters) {
            let Some(mut event) = letter.and_then(|letter| self.fetched_event(*slot, letter))
            else {
                self.missing(shared, *slot);
                continue;
            };
            if event.seq >= POSTED {
                // What it is shows with the next save.
                event.posted = Some(event.seq);
                event.arrive(self.arrivals);
                self.arrivals += 1;
                self.add(shared, event);
                continue;
            }
            if std::mem::take(&mut first)
                && let Some(own) = &self.ownership
            {
                let what = EventChange::TakenOver {
                    attempt: own.state.next_attempt(),
                    fence: own.fence,
                };
                shared.observe(&self.key, &event, what);
            }
            self.add(shared, event);
        }
    }

    fn fetched_event(&self, slot: Slot, letter: Letter) -> Option<Box<Event<D>>> {
        let own = self.ownership.as_ref()?;
        let envelope = stored_event(&letter).ok()?;
        let (seq, replay) = match slot {
            Slot::Held(seq) => (seq, false),
            Slot::Dead { seq, .. } => (seq, true),
        };
        let note = HeldNote::decode(&letter.note);
        // Nothing was committed since the id was looked up but what this owner knows.
        let is_known = !replay
            && note
                .checked
                .is_some_and(|seq| behind(seq) >= behind(own.known_from));
        let seen = is_known.then(|| own.ids.contains(&letter.id));
        Some(Box::new(Event {
            seq,
            epoch: None,
            stamp: Stamp::of_note(&letter.note).map(Arc::new),
            envelope,
            data: D::default(),
            tokens: Tokens::default(),
            received_at: 0,
            redelivered: false,
            held_since: Some(if replay { 0 } else { note.since }),
            seen: if replay { Some(false) } else { seen },
            replay,
            arrived: None,
            posted: None,
            id: letter.id,
        }))
    }

    fn missing(&mut self, shared: &mut Shared<D>, slot: Slot) {
        let Some(own) = &mut self.ownership else {
            return;
        };
        let rules = std::sync::Arc::clone(&shared.rules);
        Transition::new(&mut own.state, &rules.policy, shared.now).forget_missing(slot);
        own.dirty = true;
        let (Slot::Held(seq) | Slot::Dead { seq, .. }) = slot;
        shared.observe_key(&self.key, KeyChange::Missing { seq });
    }
}
