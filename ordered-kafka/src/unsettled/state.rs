use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use ordered_core::transport::Token;
use tokio::time::Instant;

use super::Limits;
use super::marks::Mark;
use crate::offset_window::OffsetWindow;
use crate::record::Record;

/// What [`UnsettledRecords`](super::UnsettledRecords) guards.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) last_token: u64,
    pub(super) last_assignment: u64,
    pub(super) partitions: HashMap<i32, Partition>,
    /// Read, and not handed out yet.
    pub(super) waiting: VecDeque<Arc<Record>>,
    /// With the worker.
    pub(super) delivered: HashMap<Token, Entry>,
    /// To be handed out again, from this time on.
    pub(super) deferred: BTreeMap<(Instant, i32, i64), Arc<Record>>,
    /// On their way to the dead letters.
    pub(super) dead_lettering: usize,
    /// The marks of partitions that were given up.
    pub(super) revoked_marks: BTreeMap<i32, Mark>,
    pub(super) closing: bool,
    pub(super) fatal: Option<String>,
}

#[derive(Debug)]
pub(super) struct Partition {
    /// Which assignment of it this is: what was read during an earlier one settles nothing.
    pub(super) assignment: u64,
    pub(super) window: OffsetWindow,
    pub(super) deferred: usize,
    pub(super) mark: Mark,
    /// A record of it has come.
    pub(super) has_begun: bool,
}

/// A record that the worker has.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) record: Arc<Record>,
    pub(super) assignment: u64,
}

impl State {
    pub(super) fn assign(&mut self, partition: i32) -> &mut Partition {
        self.last_assignment += 1;
        let assigned = Partition {
            assignment: self.last_assignment,
            window: OffsetWindow::default(),
            deferred: 0,
            mark: self.revoked_marks.remove(&partition).unwrap_or_default(),
            has_begun: false,
        };
        self.partitions.insert(partition, assigned);
        self.partitions
            .get_mut(&partition)
            .expect("it is there now")
    }

    /// Forgets all that was read of these partitions.
    pub(super) fn forget(&mut self, partitions: &[i32]) {
        let is_other = |record: &Record| !partitions.contains(&record.partition);
        self.waiting.retain(|record| is_other(record));
        self.delivered.retain(|_, entry| is_other(&entry.record));
        self.deferred.retain(|_, record| is_other(record));
    }

    /// The partition goes on at an offset before the last one: what was read of it before is read again, or is no more.
    pub(super) fn restart(&mut self, partition: i32, offset: i64) {
        self.forget(&[partition]);
        let kept = self.partitions.get(&partition).map(|p| p.mark.kept);
        let restarted = self.assign(partition);
        restarted.window.deliver(offset);
        restarted.has_begun = true;
        // What it means is over, also with the broker.
        restarted.mark.kept = kept.unwrap_or_default();
    }

    pub(super) fn at_work(&self) -> usize {
        self.delivered.len() + self.dead_lettering
    }

    pub(super) fn room(&self, limits: Limits) -> usize {
        let here = self.waiting.len() + self.at_work();
        limits.unsettled.saturating_sub(here)
    }

    pub(super) fn next(&mut self, now: Instant) -> Option<Arc<Record>> {
        let first = self.deferred.first_entry();
        let Some(due) = first.filter(|first| first.key().0 <= now) else {
            return self.waiting.pop_front();
        };
        let record = due.remove();
        if let Some(partition) = self.partitions.get_mut(&record.partition) {
            partition.deferred -= 1;
        }
        Some(record)
    }

    /// The partition of an entry, if it has been ours ever since.
    pub(super) fn partition(&mut self, entry: &Entry) -> Option<&mut Partition> {
        let partition = self.partitions.get_mut(&entry.record.partition)?;
        (partition.assignment == entry.assignment).then_some(partition)
    }

    pub(super) fn settle(&mut self, entry: &Entry) {
        if let Some(partition) = self.partition(entry) {
            partition.window.settle(entry.record.offset);
        }
    }

    pub(super) fn defer(&mut self, entry: Entry, delay: Duration) {
        let Some(partition) = self.partition(&entry) else {
            return;
        };
        partition.deferred += 1;
        let now = Instant::now();
        // A time that no clock reaches: a year is as good.
        let due = now
            .checked_add(delay)
            .unwrap_or(now + Duration::from_secs(365 * 24 * 60 * 60));
        let place = (due, entry.record.partition, entry.record.offset);
        self.deferred.insert(place, entry.record);
    }
}
