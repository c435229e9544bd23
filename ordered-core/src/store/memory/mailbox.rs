use std::collections::BTreeMap;

use bytes::Bytes;

use crate::protocol::{Quota, QuotaLimit};
use crate::store::{Change, Letter, Posted, PutMode, Slot};

/// The letters of one key.
#[derive(Debug, Clone, Default)]
pub(super) struct Mailbox {
    letters: BTreeMap<Slot, Letter>,
    /// What is held of the key.
    pub(super) held: Held,
}

/// How much is held. Dead letters do not count.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Held {
    pub(super) events: u64,
    pub(super) bytes: u64,
}

/// What may be held of one key, and of its bucket.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) key: Quota,
    pub(super) bucket: Quota,
}

impl Held {
    fn add(&mut self, slot: Slot, letter: &Letter) {
        if matches!(slot, Slot::Held(_)) {
            self.events += 1;
            self.bytes += letter.data.len() as u64;
        }
    }

    fn subtract(&mut self, slot: Slot, letter: &Letter) {
        if matches!(slot, Slot::Held(_)) {
            self.events -= 1;
            self.bytes -= letter.data.len() as u64;
        }
    }
}

impl Room {
    /// The quota that has no room for the letter.
    fn missing(self, slot: Slot, letter: &Letter, key: Held, bucket: Held) -> Option<QuotaLimit> {
        let size = letter.data.len() as u64;
        if !matches!(slot, Slot::Held(_)) {
            None
        } else if key.events >= self.key.events {
            Some(QuotaLimit::KeyEvents)
        } else if key.bytes.saturating_add(size) > self.key.bytes {
            Some(QuotaLimit::KeyBytes)
        } else if bucket.events >= self.bucket.events {
            Some(QuotaLimit::GroupEvents)
        } else if bucket.bytes.saturating_add(size) > self.bucket.bytes {
            Some(QuotaLimit::GroupBytes)
        } else {
            None
        }
    }
}

impl Mailbox {
    pub(super) fn is_empty(&self) -> bool {
        self.letters.is_empty()
    }

    pub(super) fn get(&self, slot: Slot) -> Option<&Letter> {
        self.letters.get(&slot)
    }

    fn insert(&mut self, bucket: &mut Held, slot: Slot, letter: Letter) {
        self.remove(bucket, slot);
        self.held.add(slot, &letter);
        bucket.add(slot, &letter);
        self.letters.insert(slot, letter);
    }

    fn remove(&mut self, bucket: &mut Held, slot: Slot) -> Option<Letter> {
        let letter = self.letters.remove(&slot)?;
        self.held.subtract(slot, &letter);
        bucket.subtract(slot, &letter);
        Some(letter)
    }

    /// Stores a letter, under the condition of the mode.
    pub(super) fn put(
        &mut self,
        bucket: &mut Held,
        room: Room,
        slot: Slot,
        letter: &Letter,
        mode: PutMode,
    ) -> Posted {
        let present = self.letters.get(&slot);
        match (mode, present) {
            (PutMode::New | PutMode::Force, Some(present)) if present.id == letter.id => {
                return Posted::Known;
            }
            (PutMode::New | PutMode::Force, Some(present)) => {
                return Posted::Taken(present.id.clone());
            }
            (PutMode::New, None) => {
                if let Some(limit) = room.missing(slot, letter, self.held, *bucket) {
                    return Posted::Full(limit);
                }
            }
            (PutMode::Force, None) | (PutMode::Replace, _) => {}
        }
        self.insert(bucket, slot, letter.clone());
        Posted::Stored
    }

    fn relocate(&mut self, bucket: &mut Held, from: Slot, to: Slot, note: &Bytes) {
        if let Some(letter) = self.remove(bucket, from) {
            let note = note.clone();
            self.insert(bucket, to, Letter { note, ..letter });
        }
    }

    /// Carries out the changes in order, and says what happened to each put. Where a quota has no room for one of them,
    /// all is as it was.
    pub(super) fn change(
        &mut self,
        bucket: &mut Held,
        room: Room,
        changes: &[Change],
    ) -> Result<Vec<Posted>, QuotaLimit> {
        let held = (self.held, *bucket);
        let (mut puts, mut undo) = (Vec::new(), Vec::new());
        let mut note_before = |letters: &BTreeMap<Slot, Letter>, slot: Slot| {
            undo.push((slot, letters.get(&slot).cloned()));
        };
        for change in changes {
            match change {
                Change::Put { slot, letter, mode } => {
                    note_before(&self.letters, *slot);
                    match self.put(bucket, room, *slot, letter, *mode) {
                        Posted::Full(limit) => {
                            (self.held, *bucket) = held;
                            self.put_back(undo);
                            return Err(limit);
                        }
                        posted => puts.push(posted),
                    }
                }
                Change::Delete(slot) => {
                    note_before(&self.letters, *slot);
                    self.remove(bucket, *slot);
                }
                Change::Move { from, to, note } => {
                    note_before(&self.letters, *from);
                    note_before(&self.letters, *to);
                    self.relocate(bucket, *from, *to, note);
                }
            }
        }
        Ok(puts)
    }

    /// Puts back what was in the slots, the last change first.
    fn put_back(&mut self, undo: Vec<(Slot, Option<Letter>)>) {
        for (slot, before) in undo.into_iter().rev() {
            match before {
                Some(letter) => self.letters.insert(slot, letter),
                None => self.letters.remove(&slot),
            };
        }
    }
}
