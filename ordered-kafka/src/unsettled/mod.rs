//! What was read of the assigned partitions and is not settled.

mod marks;
mod state;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ordered_core::transport::Token;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::record::Record;
pub(crate) use marks::Rewind;
pub(crate) use state::Entry;
use state::{Partition, State};

/// Everything that was read of the assigned partitions and is not settled.
#[derive(Debug)]
pub(crate) struct UnsettledRecords {
    // A std mutex: it is held for the time of a few map accesses, and never over an await or a call of the client.
    state: Mutex<State>,
    limits: Limits,
    /// Something came, or it is over.
    pub(crate) arrived: Notify,
    /// Room was made, or it is over. A thread waits for it, so it is no `Notify`.
    changed: Condvar,
}

/// How much may be unsettled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Read and not settled, over all partitions; what is deferred does not count.
    pub(crate) unsettled: usize,
    /// Deferred at a time, of one partition, before it is paused.
    pub(crate) deferred: usize,
    /// From the first unsettled offset to the last one that was read, of one partition, before it is paused.
    pub(crate) uncommitted: u64,
}

/// Offsets of partitions.
pub(crate) type Offsets = Vec<(i32, i64)>;

impl UnsettledRecords {
    pub(crate) fn new(limits: Limits) -> Self {
        let unsettled = limits.unsettled.max(1);
        Self {
            state: Mutex::default(),
            limits: Limits {
                unsettled,
                ..limits
            },
            arrived: Notify::new(),
            changed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These partitions are ours now.
    pub(crate) fn assign(&self, partitions: impl IntoIterator<Item = i32>) {
        let mut state = self.lock();
        for partition in partitions {
            state.assign(partition);
        }
    }

    /// These partitions are ours no longer: all that was read of them is forgotten. Returns what of them can be
    /// committed.
    pub(crate) fn revoke(&self, partitions: &[i32]) -> Offsets {
        let mut state = self.lock();
        let mut to_commit = Offsets::new();
        for partition in partitions {
            let Some(revoked) = state.partitions.remove(partition) else {
                continue;
            };
            let offset = revoked.window.to_commit();
            to_commit.extend(offset.map(|offset| (*partition, offset)));
            state.revoked_marks.insert(*partition, revoked.mark);
        }
        state.forget(partitions);
        drop(state);
        self.changed.notify_one();
        self.arrived.notify_waiters();
        to_commit
    }

    /// Which partitions are ours.
    pub(crate) fn assigned(&self) -> Vec<i32> {
        self.lock().partitions.keys().copied().collect()
    }

    /// The number of the last assignment: to be asked right after a record was read, for
    /// [`arrive`](UnsettledRecords::arrive).
    pub(crate) fn last_assignment(&self) -> u64 {
        self.lock().last_assignment
    }

    /// Takes in records in the order in which they were read, each with the number of the last assignment when it was.
    /// What was read before the present assignment of its partition is left out, for it is read again. Nothing else may
    /// be: the first record that arrives says where the assignment begins, and what is before it counts as settled.
    /// Returns the partitions whose offsets went back.
    pub(crate) fn arrive(&self, records: impl IntoIterator<Item = (u64, Record)>) -> Vec<i32> {
        let mut state = self.lock();
        let mut went_back = Vec::new();
        for (as_of, mut record) in records {
            let Some(partition) = state.partitions.get_mut(&record.partition) else {
                continue;
            };
            if partition.assignment > as_of && !went_back.contains(&record.partition) {
                continue;
            }
            record.is_rewound = record.offset < partition.mark.offset;
            if !partition.window.deliver(record.offset) {
                // The broker has lost what was settled, and gives its offsets again.
                record.is_rewound = false;
                went_back.push(record.partition);
                state.restart(record.partition, record.offset);
            }
            state.waiting.push_back(Arc::new(record));
        }
        drop(state);
        self.arrived.notify_waiters();
        went_back
    }

    /// How many more records may be read.
    pub(crate) fn room(&self) -> usize {
        self.lock().room(self.limits)
    }

    /// Waits until there is so much room, or it is over, or the time is. Returns how much there is.
    pub(crate) fn wait_for_room(&self, wanted: usize, time: Duration) -> usize {
        let is_full = |state: &mut State| state.room(self.limits) < wanted && !state.closing;
        let waited = self.changed.wait_timeout_while(self.lock(), time, is_full);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.room(self.limits)
    }

    /// The partitions that must not be read for now, for too much of them is deferred or not committed.
    pub(crate) fn overdue(&self) -> Vec<i32> {
        let state = self.lock();
        let is_overdue = |partition: &Partition| {
            partition.deferred >= self.limits.deferred
                || partition.window.length() >= self.limits.uncommitted
        };
        let overdue = state.partitions.iter().filter(|(_, p)| is_overdue(p));
        overdue.map(|(number, _)| *number).collect()
    }

    /// Hands out what may be handled now, `max` at most; what was deferred comes first.
    pub(crate) fn take(&self, max: usize) -> Vec<(Token, Arc<Record>)> {
        let now = Instant::now();
        let mut state = self.lock();
        let max = max.min(self.limits.unsettled.saturating_sub(state.at_work()));
        let mut taken = Vec::with_capacity(max.min(state.waiting.len()));
        while taken.len() < max {
            let Some(record) = state.next(now) else {
                break;
            };
            let Some(partition) = state.partitions.get(&record.partition) else {
                continue;
            };
            let assignment = partition.assignment;
            state.last_token += 1;
            let token = Token(state.last_token);
            let entry = Entry {
                record: Arc::clone(&record),
                assignment,
            };
            state.delivered.insert(token, entry);
            taken.push((token, record));
        }
        taken
    }

    /// When the next deferred record may be handed out.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let state = self.lock();
        // Otherwise it waits for room, and is noticed with it.
        let has_room = state.at_work() < self.limits.unsettled;
        let first = state.deferred.first_key_value().filter(|_| has_room);
        first.map(|((due, _, _), _)| *due)
    }

    /// Settles deliveries that need nothing more.
    pub(crate) fn acknowledge(&self, tokens: impl IntoIterator<Item = Token>) {
        let mut state = self.lock();
        for token in tokens {
            if let Some(entry) = state.delivered.remove(&token) {
                state.settle(&entry);
            }
        }
        drop(state);
        self.made_room();
    }

    /// Puts a delivery back, to be handed out again after this time.
    pub(crate) fn defer(&self, token: Token, delay: Duration) {
        let mut state = self.lock();
        if let Some(entry) = state.delivered.remove(&token) {
            state.defer(entry, delay);
        }
        drop(state);
        self.made_room();
    }

    /// Takes a delivery out that is to become a dead letter; [`dead_lettered`](UnsettledRecords::dead_lettered) or
    /// [`dead_letter_failed`](UnsettledRecords::dead_letter_failed) follows.
    pub(crate) fn begin_dead_letter(&self, token: Token) -> Option<Entry> {
        let mut state = self.lock();
        let entry = state.delivered.remove(&token)?;
        state.dead_lettering += 1;
        Some(entry)
    }

    /// The dead letter is safe: its offset is settled.
    pub(crate) fn dead_lettered(&self, entry: &Entry) {
        let mut state = self.lock();
        state.dead_lettering -= 1;
        state.settle(entry);
        drop(state);
        self.made_room();
    }

    /// The dead letter could not be written: its record is handed out again after this time.
    pub(crate) fn dead_letter_failed(&self, entry: Entry, delay: Duration) {
        let mut state = self.lock();
        state.dead_lettering -= 1;
        state.defer(entry, delay);
        drop(state);
        self.made_room();
    }

    /// What can be committed now.
    pub(crate) fn to_commit(&self) -> Offsets {
        let state = self.lock();
        let partitions = state.partitions.iter();
        let due = partitions.filter_map(|(number, partition)| {
            let offset = partition.window.to_commit()?;
            Some((*number, offset))
        });
        due.collect()
    }

    /// Notes what the broker has confirmed, also of partitions that were given up with it.
    pub(crate) fn committed(&self, offsets: &Offsets) {
        let mut state = self.lock();
        for (number, offset) in offsets {
            if let Some(partition) = state.partitions.get_mut(number) {
                partition.window.committed(*offset);
                partition.mark.offset = partition.mark.offset.max(*offset);
            } else if let Some(left) = state.revoked_marks.get_mut(number) {
                left.offset = left.offset.max(*offset);
            }
        }
    }

    /// How much may be unsettled.
    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// From now on nothing more is read.
    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.made_room();
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.lock().closing
    }

    /// Notes that it cannot go on, and why. The first reason stays.
    pub(crate) fn fail(&self, why: String) {
        self.lock().fatal.get_or_insert(why);
        self.arrived.notify_waiters();
    }

    /// Why it cannot go on.
    pub(crate) fn fatal(&self) -> Option<String> {
        self.lock().fatal.clone()
    }

    fn made_room(&self) {
        self.changed.notify_one();
        // A deferred record may be due sooner now, or have room.
        self.arrived.notify_waiters();
    }
}
