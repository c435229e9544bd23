//! The changes of a mailbox, as the script is given them.

use std::collections::HashMap;

use ordered_core::store::StoreError;
use ordered_core::store::{Change, Letter, PutMode, Slot};
use redis::Cmd;

use super::record::{put_letter, put_text};
use super::wire::{self, put_count};

/// The changes of one mailbox.
#[derive(Default)]
pub(super) struct MailboxChange {
    /// Each slot that is changed, once.
    slots: Vec<Slot>,
    places: HashMap<Slot, usize, foldhash::fast::FixedState>,
    changes: Vec<(Vec<u8>, Vec<u8>)>,
}

impl MailboxChange {
    pub(super) fn push(&mut self, change: &Change) -> Result<(), StoreError> {
        match change {
            Change::Put { slot, letter, mode } => {
                let operation = match mode {
                    PutMode::New => b'n',
                    PutMode::Force => b'f',
                    PutMode::Replace => b'r',
                };
                self.put(operation, *slot, letter)?;
            }
            Change::Delete(slot) => self.add(b'd', *slot, *slot, Vec::new()),
            Change::Move { from, to, note } => {
                let mut value = Vec::with_capacity(2 + note.len());
                put_text(&mut value, note)?;
                self.add(b'm', *from, *to, value);
            }
        }
        Ok(())
    }

    pub(super) fn put(
        &mut self,
        operation: u8,
        slot: Slot,
        letter: &Letter,
    ) -> Result<(), StoreError> {
        let mut value = Vec::with_capacity(64 + letter.note.len() + letter.data.len());
        put_letter(&mut value, letter)?;
        self.add(operation, slot, slot, value);
        Ok(())
    }

    fn add(&mut self, operation: u8, slot: Slot, to: Slot, value: Vec<u8>) {
        let mut change = Vec::with_capacity(9);
        change.push(operation);
        for slot in [slot, to] {
            let at = self.place(slot);
            put_count(&mut change, at);
        }
        self.changes.push((change, value));
    }

    /// The place of a slot: 1 is the field that counts.
    fn place(&mut self, slot: Slot) -> usize {
        let next = self.slots.len() + 2;
        let at = *self.places.entry(slot).or_insert(next);
        if at == next {
            self.slots.push(slot);
        }
        at
    }

    pub(super) fn finish(self, command: &mut Cmd, place: usize, fetch: &[Slot]) {
        let counted = if self.slots.is_empty() {
            0
        } else {
            self.slots.len() + 1
        };
        let mut head = Vec::with_capacity(16);
        for count in [place, counted, self.changes.len(), fetch.len()] {
            put_count(&mut head, count);
        }
        command.arg(head);
        if counted > 0 {
            command.arg(wire::HELD);
        }
        for slot in self.slots {
            command.arg(slot.encode());
        }
        for (change, value) in self.changes {
            command.arg(change).arg(value);
        }
        for slot in fetch {
            command.arg(slot.encode());
        }
    }
}
