use ordered_core::protocol::{Fence, QuotaLimit};
use ordered_core::store::{
    Acquire, AcquireMode, Answer, Busy, Letter, Owned, Posted, Previous, PutMode, Slot,
};

use super::{Lease, NOW, Owner, Record, Store, Who};
use crate::event::{KeyNumber, Slot as WorkerSlot, operator, worker};
use crate::mutation::Mutation;

/// Who asks for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    Worker(WorkerSlot),
    /// An operator, whose lease is good.
    Operator,
}

impl Store {
    pub(crate) fn acquire(
        &mut self,
        key: KeyNumber,
        caller: Caller,
        acquire: &Acquire,
        mutation: Option<Mutation>,
    ) -> Answer {
        let who = match caller {
            Caller::Worker(slot) => Who::Worker(slot),
            Caller::Operator => Who::Operator(false),
        };
        if self.lease(who) != Lease::Alive {
            return Answer::NoLease;
        }
        let owner = self.records[key].owner();
        let previous = match owner {
            None => Previous::Nobody,
            Some(owner) if owner == who && caller != Caller::Operator => Previous::Myself,
            Some(owner) => match self.lease(owner) {
                Lease::Dead => Previous::Died(name(owner)),
                Lease::Absent if mutation == Some(Mutation::LeavingIsDying) => {
                    Previous::Died(name(owner))
                }
                Lease::Absent => Previous::Other(name(owner)),
                Lease::Alive
                    if acquire.mode == AcquireMode::Steal
                        || mutation == Some(Mutation::TakesFromTheLiving) =>
                {
                    Previous::Other(name(owner))
                }
                Lease::Alive => return self.busy(key, owner, acquire, mutation),
            },
        };
        self.grant(key, who, previous, acquire, mutation)
    }

    fn busy(
        &mut self,
        key: KeyNumber,
        who: Who,
        acquire: &Acquire,
        mutation: Option<Mutation>,
    ) -> Answer {
        let quota = self.quota;
        let record = &mut self.records[key];
        if acquire.mode == AcquireMode::HandOver
            && mutation != Some(Mutation::NoHandOver)
            && let Some(owner) = &mut record.owner
        {
            owner.hand_over = true;
        }
        let mut post = |(slot, letter): &(Slot, Letter)| {
            let posted = record.put(*slot, letter, PutMode::New, quota, mutation);
            if let (Posted::Stored, Slot::Held(seq), Some(owner)) =
                (&posted, slot, &mut record.owner)
            {
                match mutation {
                    Some(Mutation::PostIsNotKept) => drop(record.letters.remove(slot)),
                    Some(Mutation::PostWithoutMail) => {}
                    Some(Mutation::MailIsSorted) => {
                        owner.mail.push(*seq);
                        owner.mail.sort_unstable();
                    }
                    _ => owner.mail.push(*seq),
                }
            }
            posted
        };
        let posted = acquire.letters.iter().map(&mut post).collect();
        Answer::Busy(Box::new(Busy {
            owner: name(who),
            posted,
        }))
    }

    fn grant(
        &mut self,
        key: KeyNumber,
        who: Who,
        previous: Previous,
        acquire: &Acquire,
        mutation: Option<Mutation>,
    ) -> Answer {
        let record = &mut self.records[key];
        let before = record.owner.take();
        let body_fence = record.body.as_ref().map_or(Fence(0), |(_, fence)| *fence);
        let last = before
            .as_ref()
            .map_or(body_fence, |owner| owner.fence.max(body_fence));
        let fence = Fence(last.0 + 1);
        let (mut mail, hand_over) = before.map_or_else(Default::default, |before| {
            let kept = before.hand_over && previous == Previous::Myself;
            (before.mail, kept)
        });
        if mutation == Some(Mutation::TakeOverDropsMail) && previous != Previous::Myself {
            mail.clear();
        }
        record.owner = Some(Owner {
            who,
            fence,
            mail: mail.clone(),
            hand_over,
        });
        Answer::Owned(Box::new(Owned {
            fence,
            previous,
            body: record.body.as_ref().map(|(bytes, _)| bytes.clone()),
            body_fence,
            mail,
            seen: record.look_up(&acquire.look_up),
        }))
    }
}

impl Record {
    pub(super) fn look_up(&self, ids: &[ordered_core::event::EventId]) -> Vec<bool> {
        let seen = |id| self.remembered.get(id).is_some_and(|until| *until > NOW);
        ids.iter().map(seen).collect()
    }

    /// Stores a letter, under the condition of the mode.
    pub(super) fn put(
        &mut self,
        slot: Slot,
        letter: &Letter,
        mode: PutMode,
        quota: u64,
        mutation: Option<Mutation>,
    ) -> Posted {
        let present = self.letters.get(&slot);
        match (mode, present) {
            (PutMode::New | PutMode::Force, Some(present)) if present.id == letter.id => {
                return Posted::Known;
            }
            (PutMode::New | PutMode::Force, Some(_)) if mutation == Some(Mutation::LastWins) => {}
            (PutMode::New | PutMode::Force, Some(_))
                if mutation == Some(Mutation::TakenIsKnown) =>
            {
                return Posted::Known;
            }
            (PutMode::New | PutMode::Force, Some(present)) => {
                return Posted::Taken(present.id.clone());
            }
            (PutMode::New, None) if matches!(slot, Slot::Held(_)) && self.held() >= quota => {
                return Posted::Full(QuotaLimit::KeyEvents);
            }
            _ => {}
        }
        self.letters.insert(slot, letter.clone());
        Posted::Stored
    }
}

fn name(who: Who) -> ordered_core::protocol::WorkerId {
    match who {
        Who::Operator(_) => operator(),
        _ => worker(),
    }
}
