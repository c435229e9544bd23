use super::*;

const LIMITS: Limits = Limits {
    unsettled: 4,
    deferred: 2,
    uncommitted: 10,
};

impl UnsettledRecords {
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

fn unsettled(partitions: &[i32]) -> UnsettledRecords {
    let unsettled = UnsettledRecords::new(LIMITS);
    unsettled.assign(partitions.iter().copied());
    unsettled
}

fn tokens(unsettled: &UnsettledRecords, max: usize) -> Vec<Token> {
    let taken = unsettled.take(max).into_iter();
    taken.map(|(token, _)| token).collect()
}

fn offsets(unsettled: &UnsettledRecords) -> Vec<i64> {
    let taken = unsettled.take(usize::MAX).into_iter();
    taken.map(|(_, record)| record.offset).collect()
}

#[tokio::test]
async fn no_more_is_out_than_is_allowed() {
    let unsettled = unsettled(&[0]);
    unsettled.arrive_now((0..4).map(|offset| record(0, offset)));
    assert_eq!(unsettled.room(), 0);
    let first = tokens(&unsettled, 3);
    assert_eq!((first.len(), unsettled.room()), (3, 0));
    unsettled.acknowledge([first[1]]);
    assert_eq!(unsettled.room(), 1);
    assert_eq!(unsettled.to_commit(), [], "the first is not settled");
    unsettled.acknowledge([first[0], first[0], Token(99)]);
    assert_eq!(unsettled.to_commit(), [(0, 2)]);
    unsettled.committed(&vec![(0, 2)]);
    assert_eq!(unsettled.to_commit(), []);
}

#[tokio::test]
async fn what_lies_before_the_mark_was_settled_before() {
    let unsettled = unsettled(&[0]);
    unsettled.set_marks(&vec![(0, 7)]);
    let as_of = unsettled.last_assignment();
    let records = [5, 6, 7].map(|offset| (as_of, record(0, offset)));
    let (partition, from, to) = (0, 5, 7);
    let rewind = Rewind {
        partition,
        from,
        to,
    };
    assert_eq!(unsettled.rewinds(&records), [rewind]);
    assert_eq!(unsettled.rewinds(&records), [], "it is told once");
    unsettled.arrive(records);
    let taken = unsettled.take(3);
    let rewound = taken.iter().map(|(_, record)| record.is_rewound);
    assert_eq!(rewound.collect::<Vec<_>>(), [true, true, false]);
    unsettled.acknowledge([taken[0].0]);
    unsettled.committed(&unsettled.to_commit());
    assert_eq!(unsettled.marks(false), [], "6 is not as far as it was");
    assert_eq!(unsettled.marks(true), [(0, 7)]);
    unsettled.acknowledge([taken[1].0, taken[2].0]);
    unsettled.committed(&unsettled.to_commit());
    assert_eq!(unsettled.marks(false), [(0, 8)]);
    unsettled.marks_written(&vec![(0, 8)]);
    assert_eq!(unsettled.marks(false), []);
}

#[tokio::test]
async fn the_mark_of_a_partition_that_was_given_up_is_kept_and_not_lowered() {
    let unsettled = unsettled(&[0, 1]);
    unsettled.set_marks(&vec![(0, 7)]);
    unsettled.arrive_now([record(0, 5), record(1, 3)]);
    let all = tokens(&unsettled, 2);
    unsettled.acknowledge(all);
    let mut last = unsettled.revoke(&[0, 1]);
    last.sort_unstable();
    assert_eq!(last, [(0, 6), (1, 4)]);
    assert_eq!(
        unsettled.marks(false),
        [],
        "the broker has not confirmed them"
    );
    unsettled.committed(&last);
    assert_eq!(unsettled.marks(false), [(1, 4)]);
    // It comes back before that was written.
    unsettled.assign([1]);
    unsettled.set_marks(&vec![(1, 2)]);
    assert_eq!(unsettled.marks(false), [(1, 4)]);
    unsettled.marks_written(&vec![(1, 4)]);
    assert_eq!(
        unsettled.marks(true),
        [(1, 4)],
        "0 is for others to refresh"
    );
}

#[tokio::test]
async fn a_mark_that_is_not_of_these_records_means_nothing() {
    let unsettled = unsettled(&[0, 1]);
    unsettled.set_marks(&vec![(0, 7), (1, 7)]);
    unsettled.discard_mark(0);
    unsettled.arrive_now([record(0, 5), record(1, 8)]);
    // The broker gives offsets again.
    assert_eq!(unsettled.arrive_now([record(1, 2)]), [1]);
    let taken = unsettled.take(9);
    assert!(taken.iter().all(|(_, record)| !record.is_rewound));
    let mut marks = unsettled.marks(false);
    marks.sort_unstable();
    assert_eq!(marks, [(0, 0), (1, 0)], "nor for others");
}

#[tokio::test]
async fn tokens_of_a_lost_assignment_settle_nothing() {
    let unsettled = unsettled(&[0, 1]);
    unsettled.arrive_now([record(0, 5), record(1, 7), record(0, 6)]);
    let taken = tokens(&unsettled, 2);
    let dead_lettering = unsettled.begin_dead_letter(taken[0]).unwrap();
    assert_eq!(unsettled.revoke(&[0]), []);
    assert_eq!(offsets(&unsettled), [0; 0], "what waited of it is gone");
    unsettled.assign([0]);
    unsettled.arrive_now([record(0, 5)]);
    unsettled.dead_lettered(&dead_lettering);
    unsettled.acknowledge([taken[0]]);
    assert_eq!(unsettled.to_commit(), []);
    assert_eq!(offsets(&unsettled), [5]);
    unsettled.acknowledge([taken[1]]);
    assert_eq!(unsettled.to_commit(), [(1, 8)]);
}

#[tokio::test]
async fn what_is_settled_of_a_revoked_partition_is_committed_a_last_time() {
    let unsettled = unsettled(&[0]);
    unsettled.arrive_now((0..3).map(|offset| record(0, offset)));
    let taken = tokens(&unsettled, 3);
    unsettled.acknowledge(taken[..2].iter().copied());
    assert_eq!(unsettled.revoke(&[0]), [(0, 2)]);
    assert_eq!(unsettled.to_commit(), []);
    assert_eq!(unsettled.revoke(&[0]), []);
    unsettled.arrive_now([record(0, 3)]);
    assert_eq!(offsets(&unsettled), [0; 0], "it is not ours");
}

#[tokio::test]
async fn what_was_read_before_an_assignment_is_left_out() {
    let unsettled = unsettled(&[0]);
    let before = unsettled.last_assignment();
    unsettled.revoke(&[0]);
    unsettled.assign([0]);
    // It would hide what is read from the committed offset on.
    assert_eq!(unsettled.arrive([(before, record(0, 9))]), [0; 0]);
    assert_eq!(offsets(&unsettled), [0; 0]);
}

/// The client may take part in a rebalance in the middle of a batch. A first record that was left out would count
/// as settled with the next one.
#[tokio::test]
async fn what_is_read_after_an_assignment_in_the_middle_of_a_batch_is_taken_in() {
    let unsettled = unsettled(&[0]);
    let mut batch = vec![(unsettled.last_assignment(), record(0, 9))];
    unsettled.revoke(&[0]);
    unsettled.assign([0]);
    let after = unsettled.last_assignment();
    batch.extend((5..7).map(|offset| (after, record(0, offset))));
    assert_eq!(unsettled.arrive(batch), [0; 0]);
    let taken = tokens(&unsettled, 2);
    assert_eq!(unsettled.to_commit(), []);
    unsettled.acknowledge([taken[0]]);
    assert_eq!(unsettled.to_commit(), [(0, 6)]);
}

#[tokio::test]
async fn offsets_that_go_back_begin_anew() {
    let unsettled = unsettled(&[0, 1]);
    unsettled.arrive_now([record(0, 8), record(0, 9), record(1, 0)]);
    let taken = tokens(&unsettled, 1);
    let again = [record(0, 5), record(0, 6), record(1, 1)];
    assert_eq!(unsettled.arrive_now(again), [0]);
    unsettled.acknowledge(taken);
    assert_eq!(unsettled.to_commit(), []);
    assert_eq!(offsets(&unsettled), [0, 5, 6, 1]);
}

#[tokio::test(start_paused = true)]
async fn what_is_deferred_comes_again_in_its_time_and_takes_no_room() {
    let unsettled = unsettled(&[0]);
    unsettled.arrive_now((0..4).map(|offset| record(0, offset)));
    let taken = tokens(&unsettled, 4);
    unsettled.defer(taken[2], Duration::from_secs(5));
    unsettled.defer(taken[2], Duration::ZERO);
    assert_eq!(unsettled.room(), 1);
    assert_eq!(offsets(&unsettled), [0; 0]);
    let due = unsettled.next_due().unwrap();
    tokio::time::sleep_until(due).await;
    unsettled.arrive_now([record(0, 4)]);
    assert_eq!(
        offsets(&unsettled),
        [2],
        "before what came after it, and within the bound"
    );
    unsettled.acknowledge([taken[0], taken[1], taken[3]]);
    assert_eq!(unsettled.to_commit(), [(0, 2)]);
}

#[tokio::test]
async fn a_partition_of_which_too_much_is_deferred_is_overdue() {
    let unsettled = unsettled(&[0, 1]);
    unsettled.arrive_now([record(0, 0), record(0, 1), record(1, 0)]);
    let taken = tokens(&unsettled, 3);
    unsettled.defer(taken[0], Duration::ZERO);
    assert_eq!(unsettled.overdue(), [0; 0]);
    unsettled.defer(taken[1], Duration::MAX);
    assert_eq!(unsettled.overdue(), [0]);
    assert_eq!(offsets(&unsettled), [0]);
    assert_eq!(unsettled.overdue(), [0; 0]);
}

#[tokio::test]
async fn a_partition_of_which_too_much_is_not_committed_is_overdue() {
    let unsettled = unsettled(&[0]);
    unsettled.arrive_now([record(0, 0)]);
    let first = tokens(&unsettled, 1);
    for offset in 1..10 {
        assert_eq!(unsettled.overdue(), [0; 0], "{offset}");
        unsettled.arrive_now([record(0, offset)]);
        unsettled.acknowledge(tokens(&unsettled, 1));
    }
    assert_eq!(unsettled.overdue(), [0]);
    unsettled.acknowledge(first);
    assert_eq!(unsettled.overdue(), [0; 0]);
    assert_eq!(unsettled.to_commit(), [(0, 10)]);
}

#[tokio::test]
async fn a_dead_letter_that_was_not_written_comes_again() {
    let unsettled = unsettled(&[0]);
    unsettled.arrive_now([record(0, 0)]);
    let taken = tokens(&unsettled, 1);
    let entry = unsettled.begin_dead_letter(taken[0]).unwrap();
    assert!(unsettled.begin_dead_letter(taken[0]).is_none());
    assert_eq!(unsettled.room(), 3);
    unsettled.dead_letter_failed(entry, Duration::ZERO);
    let again = tokens(&unsettled, 1);
    assert_ne!(again, taken);
    let entry = unsettled.begin_dead_letter(again[0]).unwrap();
    unsettled.dead_lettered(&entry);
    assert_eq!(unsettled.to_commit(), [(0, 1)]);
}
