use std::collections::{BTreeMap, HashMap, VecDeque};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ordered_core::transport::Token;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::record::Record;
use crate::window::Window;

/// Everything that was read of the assigned partitions and is not settled.
#[derive(Debug)]
pub(crate) struct Ledger {
    // A std mutex: it is held for the time of a few map accesses, and never over an await or a call of the client.
    pages: Mutex<Pages>,
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

#[derive(Debug, Default)]
struct Pages {
    last_token: u64,
    last_assignment: u64,
    partitions: HashMap<i32, Partition>,
    /// Read, and not handed out yet.
    waiting: VecDeque<Arc<Record>>,
    /// With the worker.
    out: HashMap<Token, Entry>,
    /// To be handed out again, from this time on.
    deferred: BTreeMap<(Instant, i32, i64), Arc<Record>>,
    /// On their way to the dead letters.
    dying: usize,
    /// The marks of partitions that were given up.
    left: BTreeMap<i32, Mark>,
    closing: bool,
    fatal: Option<String>,
}

#[derive(Debug)]
struct Partition {
    /// Which assignment of it this is: what was read during an earlier one settles nothing.
    assignment: u64,
    window: Window,
    deferred: usize,
    mark: Mark,
    /// A record of it has come.
    has_begun: bool,
}

/// How far the group has committed a partition at the most, whatever its offset was set to since.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Mark {
    /// One past the last offset; 0 where nothing is known.
    offset: i64,
    /// What the broker keeps of it.
    kept: i64,
}

impl Mark {
    fn is_due(&self) -> bool {
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

/// A record that the worker has.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) record: Arc<Record>,
    assignment: u64,
}

/// Offsets of partitions.
pub(crate) type Offsets = Vec<(i32, i64)>;

impl Ledger {
    pub(crate) fn new(limits: Limits) -> Self {
        let unsettled = limits.unsettled.max(1);
        Self {
            pages: Mutex::default(),
            limits: Limits {
                unsettled,
                ..limits
            },
            arrived: Notify::new(),
            changed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These partitions are ours now.
    pub(crate) fn assign(&self, partitions: impl IntoIterator<Item = i32>) {
        let mut pages = self.lock();
        for partition in partitions {
            pages.assign(partition);
        }
    }

    /// These partitions are ours no longer: all that was read of them is forgotten. Returns what of them can be
    /// committed.
    pub(crate) fn revoke(&self, partitions: &[i32]) -> Offsets {
        let mut pages = self.lock();
        let mut to_commit = Offsets::new();
        for partition in partitions {
            let Some(revoked) = pages.partitions.remove(partition) else {
                continue;
            };
            let offset = revoked.window.to_commit();
            to_commit.extend(offset.map(|offset| (*partition, offset)));
            pages.left.insert(*partition, revoked.mark);
        }
        pages.forget(partitions);
        drop(pages);
        self.changed.notify_one();
        self.arrived.notify_waiters();
        to_commit
    }

    /// The marks that the broker keeps of partitions that were just assigned.
    pub(crate) fn recall(&self, marks: &Offsets) {
        let mut pages = self.lock();
        for (number, offset) in marks {
            if let Some(partition) = pages.partitions.get_mut(number) {
                // One of its own may be on its way to the broker.
                partition.mark.offset = partition.mark.offset.max(*offset);
                partition.mark.kept = *offset;
            }
        }
    }

    /// Of the partitions of which these records are the first, those that are read from before their mark.
    pub(crate) fn rewinds(&self, records: &[(u64, Record)]) -> Vec<Rewind> {
        let mut pages = self.lock();
        let mut rewinds = Vec::new();
        for (as_of, record) in records {
            let Some(partition) = pages.partitions.get_mut(&record.partition) else {
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
    pub(crate) fn disown_mark(&self, partition: i32) {
        if let Some(partition) = self.lock().partitions.get_mut(&partition) {
            partition.mark.offset = 0;
        }
    }

    /// The marks that the broker does not keep yet, or all that there are.
    pub(crate) fn marks(&self, all: bool) -> Offsets {
        let pages = self.lock();
        let own = pages.partitions.iter().map(|(number, p)| (number, &p.mark));
        let own = own.filter(|(_, mark)| mark.is_due() || (all && mark.offset > 0));
        // Those of others now are for others to refresh.
        let left = pages.left.iter().filter(|(_, mark)| mark.is_due());
        let marks = own.chain(left);
        marks.map(|(number, mark)| (*number, mark.offset)).collect()
    }

    /// Notes which marks the broker keeps.
    pub(crate) fn kept(&self, marks: &Offsets) {
        let mut pages = self.lock();
        for (number, offset) in marks {
            if let Some(partition) = pages.partitions.get_mut(number) {
                partition.mark.kept = *offset;
            }
            if let Some(left) = pages.left.get_mut(number) {
                left.kept = *offset;
            }
        }
    }

    /// Which partitions are ours.
    pub(crate) fn assigned(&self) -> Vec<i32> {
        self.lock().partitions.keys().copied().collect()
    }

    /// The number of the last assignment: to be asked right after a record was read, for [`arrive`](Ledger::arrive).
    pub(crate) fn last_assignment(&self) -> u64 {
        self.lock().last_assignment
    }

    /// Takes in records in the order in which they were read, each with the number of the last assignment when it was.
    /// What was read before the present assignment of its partition is left out, for it is read again. Nothing else may
    /// be: the first record that arrives says where the assignment begins, and what is before it counts as settled.
    /// Returns the partitions whose offsets went back.
    pub(crate) fn arrive(&self, records: impl IntoIterator<Item = (u64, Record)>) -> Vec<i32> {
        let mut pages = self.lock();
        let mut went_back = Vec::new();
        for (as_of, mut record) in records {
            let Some(partition) = pages.partitions.get_mut(&record.partition) else {
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
                pages.restart(record.partition, record.offset);
            }
            pages.waiting.push_back(Arc::new(record));
        }
        drop(pages);
        self.arrived.notify_waiters();
        went_back
    }

    /// How many more records may be read.
    pub(crate) fn room(&self) -> usize {
        self.lock().room(self.limits)
    }

    /// Waits until there is so much room, or it is over, or the time is. Returns how much there is.
    pub(crate) fn wait_for_room(&self, wanted: usize, time: Duration) -> usize {
        let is_full = |pages: &mut Pages| pages.room(self.limits) < wanted && !pages.closing;
        let waited = self.changed.wait_timeout_while(self.lock(), time, is_full);
        let (pages, _) = waited.unwrap_or_else(PoisonError::into_inner);
        pages.room(self.limits)
    }

    /// The partitions that must not be read for now, for too much of them is deferred or not committed.
    pub(crate) fn overdue(&self) -> Vec<i32> {
        let pages = self.lock();
        let is_overdue = |partition: &Partition| {
            partition.deferred >= self.limits.deferred
                || partition.window.length() >= self.limits.uncommitted
        };
        let overdue = pages.partitions.iter().filter(|(_, p)| is_overdue(p));
        overdue.map(|(number, _)| *number).collect()
    }

    /// Hands out what may be handled now, `max` at most; what was deferred comes first.
    pub(crate) fn take(&self, max: usize) -> Vec<(Token, Arc<Record>)> {
        let now = Instant::now();
        let mut pages = self.lock();
        let max = max.min(self.limits.unsettled.saturating_sub(pages.at_work()));
        let mut taken = Vec::with_capacity(max.min(pages.waiting.len()));
        while taken.len() < max {
            let Some(record) = pages.next(now) else {
                break;
            };
            let Some(partition) = pages.partitions.get(&record.partition) else {
                continue;
            };
            let assignment = partition.assignment;
            pages.last_token += 1;
            let token = Token(pages.last_token);
            let entry = Entry {
                record: Arc::clone(&record),
                assignment,
            };
            pages.out.insert(token, entry);
            taken.push((token, record));
        }
        taken
    }

    /// When the next deferred record may be handed out.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let pages = self.lock();
        // Otherwise it waits for room, and is noticed with it.
        let has_room = pages.at_work() < self.limits.unsettled;
        let first = pages.deferred.first_key_value().filter(|_| has_room);
        first.map(|((due, _, _), _)| *due)
    }

    /// Settles deliveries that need nothing more.
    pub(crate) fn acknowledge(&self, tokens: impl IntoIterator<Item = Token>) {
        let mut pages = self.lock();
        for token in tokens {
            if let Some(entry) = pages.out.remove(&token) {
                pages.settle(&entry);
            }
        }
        drop(pages);
        self.made_room();
    }

    /// Puts a delivery back, to be handed out again after this time.
    pub(crate) fn defer(&self, token: Token, delay: Duration) {
        let mut pages = self.lock();
        if let Some(entry) = pages.out.remove(&token) {
            pages.defer(entry, delay);
        }
        drop(pages);
        self.made_room();
    }

    /// Takes a delivery out that is to become a dead letter; [`buried`](Ledger::buried) or [`spared`](Ledger::spared)
    /// follows.
    pub(crate) fn condemn(&self, token: Token) -> Option<Entry> {
        let mut pages = self.lock();
        let entry = pages.out.remove(&token)?;
        pages.dying += 1;
        Some(entry)
    }

    /// The dead letter is safe: its offset is settled.
    pub(crate) fn buried(&self, entry: &Entry) {
        let mut pages = self.lock();
        pages.dying -= 1;
        pages.settle(entry);
        drop(pages);
        self.made_room();
    }

    /// The dead letter could not be written: its record is handed out again after this time.
    pub(crate) fn spared(&self, entry: Entry, delay: Duration) {
        let mut pages = self.lock();
        pages.dying -= 1;
        pages.defer(entry, delay);
        drop(pages);
        self.made_room();
    }

    /// What can be committed now.
    pub(crate) fn to_commit(&self) -> Offsets {
        let pages = self.lock();
        let partitions = pages.partitions.iter();
        let due = partitions.filter_map(|(number, partition)| {
            let offset = partition.window.to_commit()?;
            Some((*number, offset))
        });
        due.collect()
    }

    /// Notes what the broker has confirmed, also of partitions that were given up with it.
    pub(crate) fn committed(&self, offsets: &Offsets) {
        let mut pages = self.lock();
        for (number, offset) in offsets {
            if let Some(partition) = pages.partitions.get_mut(number) {
                partition.window.committed(*offset);
                partition.mark.offset = partition.mark.offset.max(*offset);
            } else if let Some(left) = pages.left.get_mut(number) {
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

impl Pages {
    fn assign(&mut self, partition: i32) -> &mut Partition {
        self.last_assignment += 1;
        let assigned = Partition {
            assignment: self.last_assignment,
            window: Window::default(),
            deferred: 0,
            mark: self.left.remove(&partition).unwrap_or_default(),
            has_begun: false,
        };
        self.partitions.insert(partition, assigned);
        self.partitions
            .get_mut(&partition)
            .expect("it is there now")
    }

    /// Forgets all that was read of these partitions.
    fn forget(&mut self, partitions: &[i32]) {
        let is_other = |record: &Record| !partitions.contains(&record.partition);
        self.waiting.retain(|record| is_other(record));
        self.out.retain(|_, entry| is_other(&entry.record));
        self.deferred.retain(|_, record| is_other(record));
    }

    /// The partition goes on at an offset before the last one: what was read of it before is read again, or is no more.
    fn restart(&mut self, partition: i32, offset: i64) {
        self.forget(&[partition]);
        let kept = self.partitions.get(&partition).map(|p| p.mark.kept);
        let restarted = self.assign(partition);
        restarted.window.deliver(offset);
        restarted.has_begun = true;
        // What it means is over, also with the broker.
        restarted.mark.kept = kept.unwrap_or_default();
    }

    fn at_work(&self) -> usize {
        self.out.len() + self.dying
    }

    fn room(&self, limits: Limits) -> usize {
        let here = self.waiting.len() + self.at_work();
        limits.unsettled.saturating_sub(here)
    }

    fn next(&mut self, now: Instant) -> Option<Arc<Record>> {
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
    fn partition(&mut self, entry: &Entry) -> Option<&mut Partition> {
        let partition = self.partitions.get_mut(&entry.record.partition)?;
        (partition.assignment == entry.assignment).then_some(partition)
    }

    fn settle(&mut self, entry: &Entry) {
        if let Some(partition) = self.partition(entry) {
            partition.window.settle(entry.record.offset);
        }
    }

    fn defer(&mut self, entry: Entry, delay: Duration) {
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

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        unsettled: 4,
        deferred: 2,
        uncommitted: 10,
    };

    impl Ledger {
        /// Records that were read during the present assignments.
        fn arrive_now(&self, records: impl IntoIterator<Item = Record>) -> Vec<i32> {
            let as_of = self.last_assignment();
            self.arrive(records.into_iter().map(|record| (as_of, record)))
        }
    }

    fn record(partition: i32, offset: i64) -> Record {
        Record {
            partition,
            offset,
            ..Record::default()
        }
    }

    fn ledger(partitions: &[i32]) -> Ledger {
        let ledger = Ledger::new(LIMITS);
        ledger.assign(partitions.iter().copied());
        ledger
    }

    fn tokens(ledger: &Ledger, max: usize) -> Vec<Token> {
        let taken = ledger.take(max).into_iter();
        taken.map(|(token, _)| token).collect()
    }

    fn offsets(ledger: &Ledger) -> Vec<i64> {
        let taken = ledger.take(usize::MAX).into_iter();
        taken.map(|(_, record)| record.offset).collect()
    }

    #[tokio::test]
    async fn no_more_is_out_than_is_allowed() {
        let ledger = ledger(&[0]);
        ledger.arrive_now((0..4).map(|offset| record(0, offset)));
        assert_eq!(ledger.room(), 0);
        let first = tokens(&ledger, 3);
        assert_eq!((first.len(), ledger.room()), (3, 0));
        ledger.acknowledge([first[1]]);
        assert_eq!(ledger.room(), 1);
        assert_eq!(ledger.to_commit(), [], "the first is not settled");
        ledger.acknowledge([first[0], first[0], Token(99)]);
        assert_eq!(ledger.to_commit(), [(0, 2)]);
        ledger.committed(&vec![(0, 2)]);
        assert_eq!(ledger.to_commit(), []);
    }

    #[tokio::test]
    async fn what_lies_before_the_mark_was_settled_before() {
        let ledger = ledger(&[0]);
        ledger.recall(&vec![(0, 7)]);
        let as_of = ledger.last_assignment();
        let records = [5, 6, 7].map(|offset| (as_of, record(0, offset)));
        let (partition, from, to) = (0, 5, 7);
        let rewind = Rewind {
            partition,
            from,
            to,
        };
        assert_eq!(ledger.rewinds(&records), [rewind]);
        assert_eq!(ledger.rewinds(&records), [], "it is told once");
        ledger.arrive(records);
        let taken = ledger.take(3);
        let rewound = taken.iter().map(|(_, record)| record.is_rewound);
        assert_eq!(rewound.collect::<Vec<_>>(), [true, true, false]);
        ledger.acknowledge([taken[0].0]);
        ledger.committed(&ledger.to_commit());
        assert_eq!(ledger.marks(false), [], "6 is not as far as it was");
        assert_eq!(ledger.marks(true), [(0, 7)]);
        ledger.acknowledge([taken[1].0, taken[2].0]);
        ledger.committed(&ledger.to_commit());
        assert_eq!(ledger.marks(false), [(0, 8)]);
        ledger.kept(&vec![(0, 8)]);
        assert_eq!(ledger.marks(false), []);
    }

    #[tokio::test]
    async fn the_mark_of_a_partition_that_was_given_up_is_kept_and_not_lowered() {
        let ledger = ledger(&[0, 1]);
        ledger.recall(&vec![(0, 7)]);
        ledger.arrive_now([record(0, 5), record(1, 3)]);
        let all = tokens(&ledger, 2);
        ledger.acknowledge(all);
        let mut last = ledger.revoke(&[0, 1]);
        last.sort_unstable();
        assert_eq!(last, [(0, 6), (1, 4)]);
        assert_eq!(ledger.marks(false), [], "the broker has not confirmed them");
        ledger.committed(&last);
        assert_eq!(ledger.marks(false), [(1, 4)]);
        // It comes back before that was written.
        ledger.assign([1]);
        ledger.recall(&vec![(1, 2)]);
        assert_eq!(ledger.marks(false), [(1, 4)]);
        ledger.kept(&vec![(1, 4)]);
        assert_eq!(ledger.marks(true), [(1, 4)], "0 is for others to refresh");
    }

    #[tokio::test]
    async fn a_mark_that_is_not_of_these_records_means_nothing() {
        let ledger = ledger(&[0, 1]);
        ledger.recall(&vec![(0, 7), (1, 7)]);
        ledger.disown_mark(0);
        ledger.arrive_now([record(0, 5), record(1, 8)]);
        // The broker gives offsets again.
        assert_eq!(ledger.arrive_now([record(1, 2)]), [1]);
        let taken = ledger.take(9);
        assert!(taken.iter().all(|(_, record)| !record.is_rewound));
        let mut marks = ledger.marks(false);
        marks.sort_unstable();
        assert_eq!(marks, [(0, 0), (1, 0)], "nor for others");
    }

    #[tokio::test]
    async fn tokens_of_a_lost_assignment_settle_nothing() {
        let ledger = ledger(&[0, 1]);
        ledger.arrive_now([record(0, 5), record(1, 7), record(0, 6)]);
        let taken = tokens(&ledger, 2);
        let dying = ledger.condemn(taken[0]).unwrap();
        assert_eq!(ledger.revoke(&[0]), []);
        assert_eq!(offsets(&ledger), [0; 0], "what waited of it is gone");
        ledger.assign([0]);
        ledger.arrive_now([record(0, 5)]);
        ledger.buried(&dying);
        ledger.acknowledge([taken[0]]);
        assert_eq!(ledger.to_commit(), []);
        assert_eq!(offsets(&ledger), [5]);
        ledger.acknowledge([taken[1]]);
        assert_eq!(ledger.to_commit(), [(1, 8)]);
    }

    #[tokio::test]
    async fn what_is_settled_of_a_revoked_partition_is_committed_a_last_time() {
        let ledger = ledger(&[0]);
        ledger.arrive_now((0..3).map(|offset| record(0, offset)));
        let taken = tokens(&ledger, 3);
        ledger.acknowledge(taken[..2].iter().copied());
        assert_eq!(ledger.revoke(&[0]), [(0, 2)]);
        assert_eq!(ledger.to_commit(), []);
        assert_eq!(ledger.revoke(&[0]), []);
        ledger.arrive_now([record(0, 3)]);
        assert_eq!(offsets(&ledger), [0; 0], "it is not ours");
    }

    #[tokio::test]
    async fn what_was_read_before_an_assignment_is_left_out() {
        let ledger = ledger(&[0]);
        let before = ledger.last_assignment();
        ledger.revoke(&[0]);
        ledger.assign([0]);
        // It would hide what is read from the committed offset on.
        assert_eq!(ledger.arrive([(before, record(0, 9))]), [0; 0]);
        assert_eq!(offsets(&ledger), [0; 0]);
    }

    /// The client may take part in a rebalance in the middle of a batch. A first record that was left out would count
    /// as settled with the next one.
    #[tokio::test]
    async fn what_is_read_after_an_assignment_in_the_middle_of_a_batch_is_taken_in() {
        let ledger = ledger(&[0]);
        let mut batch = vec![(ledger.last_assignment(), record(0, 9))];
        ledger.revoke(&[0]);
        ledger.assign([0]);
        let after = ledger.last_assignment();
        batch.extend((5..7).map(|offset| (after, record(0, offset))));
        assert_eq!(ledger.arrive(batch), [0; 0]);
        let taken = tokens(&ledger, 2);
        assert_eq!(ledger.to_commit(), []);
        ledger.acknowledge([taken[0]]);
        assert_eq!(ledger.to_commit(), [(0, 6)]);
    }

    #[tokio::test]
    async fn offsets_that_go_back_begin_anew() {
        let ledger = ledger(&[0, 1]);
        ledger.arrive_now([record(0, 8), record(0, 9), record(1, 0)]);
        let taken = tokens(&ledger, 1);
        let again = [record(0, 5), record(0, 6), record(1, 1)];
        assert_eq!(ledger.arrive_now(again), [0]);
        ledger.acknowledge(taken);
        assert_eq!(ledger.to_commit(), []);
        assert_eq!(offsets(&ledger), [0, 5, 6, 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_deferred_comes_again_in_its_time_and_takes_no_room() {
        let ledger = ledger(&[0]);
        ledger.arrive_now((0..4).map(|offset| record(0, offset)));
        let taken = tokens(&ledger, 4);
        ledger.defer(taken[2], Duration::from_secs(5));
        ledger.defer(taken[2], Duration::ZERO);
        assert_eq!(ledger.room(), 1);
        assert_eq!(offsets(&ledger), [0; 0]);
        let due = ledger.next_due().unwrap();
        tokio::time::sleep_until(due).await;
        ledger.arrive_now([record(0, 4)]);
        assert_eq!(
            offsets(&ledger),
            [2],
            "before what came after it, and within the bound"
        );
        ledger.acknowledge([taken[0], taken[1], taken[3]]);
        assert_eq!(ledger.to_commit(), [(0, 2)]);
    }

    #[tokio::test]
    async fn a_partition_of_which_too_much_is_deferred_is_overdue() {
        let ledger = ledger(&[0, 1]);
        ledger.arrive_now([record(0, 0), record(0, 1), record(1, 0)]);
        let taken = tokens(&ledger, 3);
        ledger.defer(taken[0], Duration::ZERO);
        assert_eq!(ledger.overdue(), [0; 0]);
        ledger.defer(taken[1], Duration::MAX);
        assert_eq!(ledger.overdue(), [0]);
        assert_eq!(offsets(&ledger), [0]);
        assert_eq!(ledger.overdue(), [0; 0]);
    }

    #[tokio::test]
    async fn a_partition_of_which_too_much_is_not_committed_is_overdue() {
        let ledger = ledger(&[0]);
        ledger.arrive_now([record(0, 0)]);
        let first = tokens(&ledger, 1);
        for offset in 1..10 {
            assert_eq!(ledger.overdue(), [0; 0], "{offset}");
            ledger.arrive_now([record(0, offset)]);
            ledger.acknowledge(tokens(&ledger, 1));
        }
        assert_eq!(ledger.overdue(), [0]);
        ledger.acknowledge(first);
        assert_eq!(ledger.overdue(), [0; 0]);
        assert_eq!(ledger.to_commit(), [(0, 10)]);
    }

    #[tokio::test]
    async fn a_dead_letter_that_was_not_written_comes_again() {
        let ledger = ledger(&[0]);
        ledger.arrive_now([record(0, 0)]);
        let taken = tokens(&ledger, 1);
        let entry = ledger.condemn(taken[0]).unwrap();
        assert!(ledger.condemn(taken[0]).is_none());
        assert_eq!(ledger.room(), 3);
        ledger.spared(entry, Duration::ZERO);
        let again = tokens(&ledger, 1);
        assert_ne!(again, taken);
        let entry = ledger.condemn(again[0]).unwrap();
        ledger.buried(&entry);
        assert_eq!(ledger.to_commit(), [(0, 1)]);
    }
}
