use super::lease::Liveness;
use super::state::{Bucket, Ownership, Rules};
use crate::event::{EventId, Key};
use crate::protocol::{Fence, Millis, WorkerId};
use crate::store::{
    Acquire, AcquireMode, Answer, Busy, Letter, Owned, Posted, Previous, PutMode, Slot,
};

impl Bucket {
    pub(super) fn acquire(&mut self, rules: Rules, worker: &WorkerId, acquire: &Acquire) -> Answer {
        let Acquire { key, mode, .. } = acquire;
        if self.leases.look(worker, rules.now) != Liveness::Alive {
            return Answer::NoLease;
        }
        let owner = self.owners.get(key).map(|owner| owner.worker.clone());
        let previous = match owner {
            None => Previous::Nobody,
            Some(owner) if owner == *worker => Previous::Myself,
            Some(owner) => match self.leases.look(&owner, rules.now) {
                Liveness::Dead => Previous::Died(owner),
                Liveness::Absent => Previous::Other(owner),
                Liveness::Alive if *mode == AcquireMode::Steal => Previous::Other(owner),
                Liveness::Alive => return self.busy(rules, owner, acquire),
            },
        };
        self.grant(rules.now, worker, key, previous, &acquire.look_up)
    }

    fn busy(&mut self, rules: Rules, owner: WorkerId, acquire: &Acquire) -> Answer {
        let key = &acquire.key;
        if acquire.mode == AcquireMode::HandOver
            && let Some(ownership) = self.owners.get_mut(key)
        {
            ownership.hand_over = true;
        }
        let post = |(slot, letter): &(Slot, Letter)| self.post(rules, key, *slot, letter);
        let posted = acquire.letters.iter().map(post).collect();
        Answer::Busy(Box::new(Busy { owner, posted }))
    }

    fn post(&mut self, rules: Rules, key: &Key, slot: Slot, letter: &Letter) -> Posted {
        debug_assert!(matches!(slot, Slot::Held(_)), "only held events are posted");
        let mut mailbox = self.mailboxes.remove(key).unwrap_or_default();
        let posted = mailbox.put(&mut self.held, rules.room, slot, letter, PutMode::New);
        self.keep_mailbox(key, mailbox);
        if let (Posted::Stored, Slot::Held(seq)) = (&posted, slot)
            && let Some(owner) = self.owners.get_mut(key)
        {
            owner.mail.push(seq);
        }
        posted
    }

    fn grant(
        &mut self,
        now: Millis,
        worker: &WorkerId,
        key: &Key,
        previous: Previous,
        look_up: &[EventId],
    ) -> Answer {
        // The time keeps fences from running backwards where the state was lost.
        let micros = now.saturating_mul(1_000);
        let fence = Fence(self.last_fence(key).0.saturating_add(1).max(micros));
        let before = self.owners.remove(key);
        let (mail, hand_over) = before.map_or_else(Default::default, |before| {
            let kept = before.hand_over && previous == Previous::Myself;
            (before.mail, kept)
        });
        let ownership = Ownership {
            worker: worker.clone(),
            fence,
            since: now,
            mail: mail.clone(),
            hand_over,
        };
        self.owners.insert(key.clone(), ownership);
        let body = self.bodies.get(key).map(|body| body.bytes.clone());
        Answer::Owned(Box::new(Owned {
            fence,
            previous,
            body,
            body_fence: self.body_fence(key),
            mail,
            seen: self.remembered.look_up(key, look_up, now),
        }))
    }
}
