use super::KeyState;
use super::state::{behind, millis};
use crate::protocol::{Millis, Policy};
use crate::store::Slot;

/// What an event is to its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Placement {
    /// It lies at the head or beyond it. It runs in its turn.
    Ahead,
    /// It was processed before.
    Duplicate,
    /// Its seq was committed so long ago that its id is not remembered.
    Stale,
    /// Its seq was skipped.
    Late,
    /// It belongs to an epoch of the key that has not begun.
    NotYet,
    /// Its version is older than the head of its key.
    Superseded,
    /// Another event was committed under its seq.
    Conflict,
    /// It is a duplicate of what is in this slot, or in conflict with it. The store compares the ids.
    Compare(Slot),
}

impl KeyState {
    /// What an event is that the broker delivered. `seen` says whether its id is remembered.
    #[must_use]
    pub fn place(
        &self,
        seq: u64,
        epoch: Option<u64>,
        seen: bool,
        policy: &Policy,
        now: Millis,
    ) -> Placement {
        match epoch {
            Some(epoch) if epoch > self.epoch => return Placement::NotYet,
            Some(epoch) if epoch < self.epoch && seen => return Placement::Duplicate,
            Some(epoch) if epoch < self.epoch => return Placement::Late,
            _ => {}
        }
        if let Some(placement) = policy.order.place_by_id(seen) {
            return placement;
        }
        if !self.is_past(seq) {
            return if self.held.contains(seq) {
                Placement::Compare(Slot::Held(seq))
            } else if self.is_dead(seq) {
                Placement::Compare(self.dead_slot(seq))
            } else {
                Placement::Ahead
            };
        }
        if seen {
            Placement::Duplicate
        } else if self.is_dead(seq) {
            Placement::Compare(self.dead_slot(seq))
        } else if self.was_skipped(seq, now) {
            Placement::Late
        } else {
            policy
                .order
                .place_passed(self.remembers_ids_at(seq, policy, now))
        }
    }

    /// The slot of a dead letter of the present epoch.
    #[must_use]
    pub fn dead_slot(&self, seq: u64) -> Slot {
        Slot::Dead {
            epoch: self.epoch,
            seq,
        }
    }

    pub(super) fn was_skipped(&self, seq: u64, now: Millis) -> bool {
        let covers = |range: &super::Skipped| (range.from..=range.to).contains(&seq);
        self.skipped
            .iter()
            .any(|range| covers(range) && range.until > now)
    }

    /// Whether the id of the event that was committed under this seq is surely remembered.
    fn remembers_ids_at(&self, seq: u64, policy: &Policy, now: Millis) -> bool {
        let ttl = millis(policy.dedup_ttl);
        let is_young = |anchor: &&super::Anchor| anchor.at.saturating_add(ttl) > now;
        let oldest = self.anchors.iter().find(is_young);
        oldest.is_some_and(|anchor| seq >= behind(anchor.seq))
    }
}
