use super::Step;
use crate::event::Envelope;
use crate::protocol::{Event, Held, QuotaLimit};

impl Step<'_> {
    pub(super) fn keep(&mut self, event: &Event, envelope: &Envelope) {
        let size = envelope.size();
        self.bucket.held_events += 1;
        self.bucket.held_bytes += size;
        self.key.held_bytes += size;
        let held = Held {
            id: event.id.clone(),
            envelope: envelope.clone(),
            since: self.at.now,
        };
        self.key.held.insert(event.seq.get(), held);
    }

    pub(super) fn drop_held(&mut self, seq: u64) -> Option<Held> {
        let held = self.key.held.remove(&seq)?;
        let size = held.envelope.size();
        self.bucket.held_events -= 1;
        self.bucket.held_bytes -= size;
        self.key.held_bytes -= size;
        Some(held)
    }

    /// The quota that the event would break. The head of a key is always taken: it is what lets the others go.
    pub(super) fn full(&self, seq: u64, size: u64) -> Option<QuotaLimit> {
        let (key, share) = (self.at.policy.key_quota, self.at.bucket_quota);
        if seq == self.key.head() {
            None
        } else if self.key.held.len() as u64 >= key.events {
            Some(QuotaLimit::KeyEvents)
        } else if self.key.held_bytes + size > key.bytes {
            Some(QuotaLimit::KeyBytes)
        } else if self.bucket.held_events >= share.events {
            Some(QuotaLimit::GroupEvents)
        } else if self.bucket.held_bytes + size > share.bytes {
            Some(QuotaLimit::GroupBytes)
        } else {
            None
        }
    }
}
