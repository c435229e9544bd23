//! How far the group had settled each partition before its offsets were set back.

use std::mem;

use super::{Offsets, UnsettledRecords};
use crate::record::Record;

/// How far the group has committed a partition at the most, whatever its offset was set to since.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// One past the last offset; 0 where nothing is known.
    pub(super) offset: i64,
    /// What the broker keeps of it.
    pub(super) kept: i64,
}

impl Mark {
    pub(super) fn is_due(&self) -> bool {
        self.offset != self.kept
    }
}

/// A partition that is read from an offset before its mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rewind {
    pub(crate) partition: i32,
    pub(crate) from: i64,
    /// The mark.
    pub(crate) to: i64,
}

impl UnsettledRecords {
    /// The marks that the broker keeps of partitions that were just assigned.
    pub(crate) fn set_marks(&self, marks: &Offsets) {
        let mut state = self.lock();
        for (number, offset) in marks {
            if let Some(partition) = state.partitions.get_mut(number) {
                // One of its own may be on its way to the broker.
                partition.mark.offset = partition.mark.offset.max(*offset);
                partition.mark.kept = *offset;
            }
        }
    }

    /// Of the partitions of which these records are the first, those that are read from before their mark.
    pub(crate) fn rewinds(&self, records: &[(u64, Record)]) -> Vec<Rewind> {
        let mut state = self.lock();
        let mut rewinds = Vec::new();
        for (as_of, record) in records {
            let Some(partition) = state.partitions.get_mut(&record.partition) else {
                continue;
            };
            if partition.assignment > *as_of || mem::replace(&mut partition.has_begun, true) {
                continue;
            }
            if record.offset < partition.mark.offset {
                rewinds.push(Rewind {
                    partition: record.partition,
                    from: record.offset,
                    to: partition.mark.offset,
                });
            }
        }
        rewinds
    }

    /// The mark of a partition means nothing: its records are not those that were settled.
    pub(crate) fn discard_mark(&self, partition: i32) {
        if let Some(partition) = self.lock().partitions.get_mut(&partition) {
            partition.mark.offset = 0;
        }
    }

    /// The marks that the broker does not keep yet, or all that there are.
    pub(crate) fn marks(&self, all: bool) -> Offsets {
        let state = self.lock();
        let own = state.partitions.iter().map(|(number, p)| (number, &p.mark));
        let own = own.filter(|(_, mark)| mark.is_due() || (all && mark.offset > 0));
        // Those of others now are for others to refresh.
        let left = state.revoked_marks.iter().filter(|(_, mark)| mark.is_due());
        let marks = own.chain(left);
        marks.map(|(number, mark)| (*number, mark.offset)).collect()
    }

    /// Notes which marks the broker keeps.
    pub(crate) fn marks_written(&self, marks: &Offsets) {
        let mut state = self.lock();
        for (number, offset) in marks {
            if let Some(partition) = state.partitions.get_mut(number) {
                partition.mark.kept = *offset;
            }
            if let Some(left) = state.revoked_marks.get_mut(number) {
                left.kept = *offset;
            }
        }
    }
}
