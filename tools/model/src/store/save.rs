use ordered_core::store::{Answer, Change, Letter, Listing, ListingChange, Posted, Save, Saved};

use super::{Manner, NOW, Record, Store, Who};
use crate::event::KeyNumber;
use crate::mutation::Mutation;

impl Store {
    /// Writes what a worker decided.
    pub(super) fn save(&mut self, key: KeyNumber, manner: Manner, save: &Save) -> Answer {
        self.save_as(key, Who::Worker(manner.slot), manner, save)
    }

    pub(crate) fn save_as(
        &mut self,
        key: KeyNumber,
        who: Who,
        manner: Manner,
        save: &Save,
    ) -> Answer {
        let (quota, mutation) = (self.quota, manner.mutation);
        let record = &mut self.records[key];
        let owner = record.owner.as_ref();
        let is_owner = match mutation {
            Some(Mutation::NoFence) => owner.is_some(),
            _ => owner.is_some_and(|owner| owner.who == who && owner.fence == save.fence),
        };
        if !is_owner {
            return Answer::Lost;
        }
        let before = record.clone();
        let puts = match record.change(&save.changes, quota, mutation) {
            Ok(puts) => puts,
            Err(full) => {
                *record = before;
                return full;
            }
        };
        if let Some(bytes) = save.body.clone()
            && mutation != Some(Mutation::BodyIsLost)
        {
            record.body = Some((bytes, save.fence));
        }
        record.listing = changed(record.listing, save.listing);
        let seen = record.look_up(&save.look_up);
        if mutation != Some(Mutation::ForgetsIds) {
            let until = NOW + manner.dedup_ttl;
            let ids = save.remember.iter().cloned();
            record.remembered.extend(ids.map(|id| (id, until)));
        }
        let letters = save
            .fetch
            .iter()
            .map(|slot| record.letters.get(slot).cloned());
        let letters: Vec<Option<Letter>> = letters.collect();
        let owner = record.owner.as_mut().expect("the owner saves");
        match mutation {
            Some(Mutation::TakesAllMail) => owner.mail.clear(),
            Some(Mutation::TakesNoMail) => {}
            _ => drop(owner.mail.drain(..save.taken.min(owner.mail.len()))),
        }
        let (mail, hand_over) = (owner.mail.clone(), owner.hand_over);
        let released =
            save.release && (mail.is_empty() || mutation == Some(Mutation::ReleasesDespiteMail));
        if released && mutation != Some(Mutation::ReleaseKeepsOwner) {
            record.owner = None;
        }
        Answer::Saved(Saved {
            released,
            hand_over,
            mail,
            seen,
            letters,
            puts,
        })
    }
}

impl Record {
    fn change(
        &mut self,
        changes: &[Change],
        quota: u64,
        mutation: Option<Mutation>,
    ) -> Result<Vec<Posted>, Answer> {
        let mut puts = Vec::new();
        for change in changes {
            match change {
                Change::Put { slot, letter, mode } => {
                    match self.put(*slot, letter, *mode, quota, mutation) {
                        Posted::Full(limit) => return Err(Answer::Full(limit)),
                        posted => puts.push(posted),
                    }
                }
                Change::Delete(slot) => drop(self.letters.remove(slot)),
                Change::Move { from, to, note } => {
                    if let Some(letter) = self.letters.remove(from) {
                        let note = note.clone();
                        self.letters.insert(*to, Letter { note, ..letter });
                    }
                }
            }
        }
        Ok(puts)
    }
}

fn changed(listing: Listing, change: ListingChange) -> Listing {
    Listing {
        due: change.due.unwrap_or(listing.due),
        gap: change.gap.unwrap_or(listing.gap),
        halted: change.halted.unwrap_or(listing.halted),
    }
}
