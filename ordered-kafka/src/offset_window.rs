use std::collections::BTreeSet;

/// What was delivered of one partition during one assignment, and what of it is not settled yet.
///
/// Offsets grow, with holes: compaction and transactions leave some out. What may be committed is everything before the
/// first delivery that is not settled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct OffsetWindow {
    unsettled: BTreeSet<i64>,
    /// One past the last offset that was delivered.
    end: Option<i64>,
    /// What the broker has confirmed.
    committed: Option<i64>,
}

impl OffsetWindow {
    /// Notes a delivery. One that was delivered before, as after a seek, is refused.
    pub(crate) fn deliver(&mut self, offset: i64) -> bool {
        if self.end.is_some_and(|end| offset < end) {
            return false;
        }
        self.end = Some(offset + 1);
        // What is before the first delivery was committed by somebody else, or never there.
        self.committed.get_or_insert(offset);
        self.unsettled.insert(offset)
    }

    /// Notes that a delivery is settled; `false` when it was settled before, or never delivered.
    pub(crate) fn settle(&mut self, offset: i64) -> bool {
        self.unsettled.remove(&offset)
    }

    /// The offset to commit, which is that of the next record to read; `None` when all that can be is committed.
    pub(crate) fn to_commit(&self) -> Option<i64> {
        let next = self.unsettled.first().copied().or(self.end)?;
        (self.committed < Some(next)).then_some(next)
    }

    /// Notes that the broker has confirmed an offset. One that is lower than an earlier one changes nothing.
    pub(crate) fn committed(&mut self, offset: i64) {
        self.committed = self.committed.max(Some(offset));
    }

    /// From the first delivery that is not settled to the last delivery: what a crash delivers again, at the most.
    pub(crate) fn length(&self) -> u64 {
        match (self.unsettled.first(), self.end) {
            (Some(first), Some(end)) => u64::try_from(end - first).unwrap_or(0),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use hostile_input::check;
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn window(offsets: impl IntoIterator<Item = i64>) -> OffsetWindow {
        let mut window = OffsetWindow::default();
        for offset in offsets {
            assert!(window.deliver(offset));
        }
        window
    }

    #[test]
    fn nothing_is_committed_before_anything_is_settled() {
        assert_eq!(OffsetWindow::default().to_commit(), None);
        assert_eq!(window(5..9).to_commit(), None);
    }

    #[test]
    fn what_is_settled_behind_something_unsettled_waits_for_it() {
        let mut window = window(5..9);
        for (settled, to_commit) in [(6, None), (8, None), (5, Some(7)), (7, Some(9))] {
            assert!(window.settle(settled));
            assert_eq!(window.to_commit(), to_commit, "after {settled}");
        }
    }

    #[test]
    fn holes_are_passed_over() {
        let mut window = window([3, 10, 11, 40]);
        assert!(window.settle(3));
        assert_eq!(window.to_commit(), Some(10));
        assert!(window.settle(10) && window.settle(11));
        assert_eq!(window.to_commit(), Some(40));
        assert!(!window.settle(20), "it was never delivered");
        assert!(window.settle(40));
        assert_eq!(window.to_commit(), Some(41));
    }

    #[test]
    fn a_delivery_is_settled_once() {
        let mut window = window([0]);
        assert!(window.settle(0));
        assert!(!window.settle(0));
        assert!(!window.deliver(0), "it was delivered before");
    }

    #[test]
    fn what_is_committed_is_not_committed_again() {
        let mut window = window([0, 1]);
        window.settle(0);
        window.committed(1);
        assert_eq!(window.to_commit(), None);
        window.committed(0);
        assert_eq!(window.to_commit(), None, "a late answer takes nothing back");
    }

    #[test]
    fn its_length_is_what_would_come_again() {
        let mut window = window([3, 4, 90]);
        assert_eq!(window.length(), 88);
        window.settle(3);
        assert_eq!(window.length(), 87);
        window.settle(4);
        assert_eq!(window.length(), 1);
        window.settle(90);
        assert_eq!(window.length(), 0);
    }

    #[derive(Debug, Clone)]
    enum Step {
        /// The next record, after so many that are not there.
        Deliver(i64),
        /// One of those that were delivered.
        Settle(usize),
        /// What is due goes to the broker, which confirms it, or does not.
        Commit(bool),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0..4_i64).prop_map(Step::Deliver),
            3 => any::<usize>().prop_map(Step::Settle),
            1 => any::<bool>().prop_map(Step::Commit),
        ]
    }

    /// Against the definition, said naively: everything before an offset that is committed was settled, all that could
    /// be committed is, and offsets never go back.
    #[test]
    fn commits_all_of_the_settled_prefix_and_nothing_more() {
        let inputs = (0..1_000_i64, vec(step(), 0..200));
        check(500, inputs, |(first, steps)| {
            let (mut window, mut next) = (OffsetWindow::default(), first);
            let mut delivered: BTreeMap<i64, bool> = BTreeMap::new();
            let mut last = first;
            for step in steps {
                match step {
                    Step::Deliver(hole) => {
                        next += hole;
                        assert!(window.deliver(next));
                        delivered.insert(next, false);
                        next += 1;
                    }
                    Step::Settle(place) if !delivered.is_empty() => {
                        let place = place % delivered.len();
                        let (offset, settled) = delivered.iter_mut().nth(place).unwrap();
                        assert_eq!(window.settle(*offset), !*settled);
                        *settled = true;
                    }
                    Step::Settle(_) => assert!(!window.settle(next)),
                    Step::Commit(confirmed) => {
                        if let Some(offset) = window.to_commit() {
                            assert!(offset > last, "{offset} after {last}");
                            if confirmed {
                                window.committed(offset);
                                last = offset;
                            }
                        }
                    }
                }
                let first_unsettled = delivered.iter().find(|(_, settled)| !**settled);
                let could = first_unsettled.map_or(next, |(offset, _)| *offset);
                let is_due = delivered.values().next() == Some(&true) && could > last;
                assert_eq!(window.to_commit(), is_due.then_some(could));
            }
        });
    }
}
