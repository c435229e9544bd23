use super::mailbox::Mailbox;
use super::state::{Body, Bucket, Rules};
use crate::event::Key;
use crate::protocol::{QuotaLimit, WorkerId};
use crate::store::{Answer, Listing, ListingChange, Posted, Save, Saved, Slot};

impl Bucket {
    pub(super) fn save(&mut self, rules: Rules, worker: &WorkerId, save: &Save) -> Answer {
        let key = &save.key;
        let owner = self.owners.get(key);
        if !owner.is_some_and(|owner| owner.worker == *worker && owner.fence == save.fence) {
            return Answer::Lost;
        }
        let puts = match self.change_mailbox(rules, save) {
            Ok(puts) => puts,
            Err(limit) => return Answer::Full(limit),
        };
        if let Some(bytes) = save.body.clone() {
            let fence = save.fence;
            self.bodies.insert(key.clone(), Body { bytes, fence });
        }
        self.list(key, save.listing);
        let seen = self.remembered.look_up(key, &save.look_up, rules.now);
        self.remembered
            .add(key, &save.remember, rules.now, rules.dedup_ttl);
        let mailbox = self.mailboxes.get(key);
        let fetch = |slot: &Slot| mailbox.and_then(|mailbox| mailbox.get(*slot)).cloned();
        let letters = save.fetch.iter().map(fetch).collect();
        let owner = self.owners.get_mut(key).expect("the owner saves");
        owner.mail.drain(..save.taken.min(owner.mail.len()));
        let (mail, hand_over) = (owner.mail.clone(), owner.hand_over);
        let released = save.release && mail.is_empty();
        if released {
            self.owners.remove(key);
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

    /// Carries out the changes of the mailbox: all, or none where a quota has no room.
    fn change_mailbox(&mut self, rules: Rules, save: &Save) -> Result<Vec<Posted>, QuotaLimit> {
        if save.changes.is_empty() {
            return Ok(Vec::new());
        }
        let mut mailbox = self.mailboxes.remove(&save.key).unwrap_or_default();
        let puts = mailbox.change(&mut self.held, rules.room, &save.changes);
        self.keep_mailbox(&save.key, mailbox);
        puts
    }

    /// Keeps a mailbox, unless nothing is in it.
    pub(super) fn keep_mailbox(&mut self, key: &Key, mailbox: Mailbox) {
        if mailbox.is_empty() {
            self.mailboxes.remove(key);
        } else {
            self.mailboxes.insert(key.clone(), mailbox);
        }
    }

    fn list(&mut self, key: &Key, change: ListingChange) {
        let mut listing = self.listings.get(key).copied().unwrap_or_default();
        listing.due = change.due.unwrap_or(listing.due);
        listing.gap = change.gap.unwrap_or(listing.gap);
        listing.halted = change.halted.unwrap_or(listing.halted);
        if listing == Listing::default() {
            self.listings.remove(key);
        } else {
            self.listings.insert(key.clone(), listing);
        }
    }
}
