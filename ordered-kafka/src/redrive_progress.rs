use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::str::FromStr;

/// What fits beside an offset: a broker takes 4,096 bytes (`offset.metadata.max.bytes`).
const MAX_BYTES: usize = 4_000;
/// How many offsets behind the first one are remembered; a text that says more is none of ours.
const MAX_OFFSETS: u64 = 1_000_000;

/// Which records of a partition are done, in any order: all before an offset, and some behind it. It is kept at the
/// broker as that offset and a text beside it, such as `7-9,12`.
///
/// Where the text would be too long, the records behind are forgotten first, so that they are taken for not done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RedriveProgress {
    /// Everything before it is done; `None` until a record was seen or done.
    first: Option<i64>,
    /// Seen here, and not done.
    open: BTreeSet<i64>,
    /// Done, at or behind `first`.
    done: BTreeSet<i64>,
    /// One past the last one that was seen here.
    end: Option<i64>,
    is_changed: bool,
}

impl RedriveProgress {
    /// From what the broker has. A text of somebody else's says nothing.
    pub(crate) fn read(committed: Option<i64>, text: &str) -> Self {
        let done = parse(text).unwrap_or_default();
        Self {
            first: committed,
            done,
            ..Self::default()
        }
    }

    /// Notes a record that was read; `false` when it is done.
    pub(crate) fn seen(&mut self, offset: i64) -> bool {
        self.first.get_or_insert(offset);
        self.end = self.end.max(Some(offset + 1));
        if self.done.contains(&offset) {
            return false;
        }
        self.open.insert(offset);
        true
    }

    pub(crate) fn done(&mut self, offset: i64) {
        self.open.remove(&offset);
        self.done.insert(offset);
        self.is_changed = true;
        if let Some(first) = self.open.first().copied().or(self.end) {
            self.first = self.first.max(Some(first));
            self.done = self.done.split_off(&first);
        }
    }

    /// How many are left of a partition with these first and next offsets.
    pub(crate) fn left(&self, low: i64, high: i64) -> u64 {
        let first = self.first.unwrap_or(low).max(low);
        let done = self.done.range(first..high.max(first)).count() as u64;
        u64::try_from(high - first)
            .unwrap_or(0)
            .saturating_sub(done)
    }

    /// The offset and the text for the broker, if it does not have them.
    pub(crate) fn take_due(&mut self) -> Option<(i64, String)> {
        let is_changed = std::mem::take(&mut self.is_changed);
        self.first
            .filter(|_| is_changed)
            .map(|first| (first, self.text()))
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let mut offsets = self.done.iter().copied().peekable();
        while let Some(from) = offsets.next() {
            let mut to = from;
            while let Some(next) = offsets.next_if(|next| *next == to + 1) {
                to = next;
            }
            let before = text.len();
            let comma = if text.is_empty() { "" } else { "," };
            let _ = if from == to {
                write!(text, "{comma}{from}")
            } else {
                write!(text, "{comma}{from}-{to}")
            };
            if text.len() > MAX_BYTES {
                text.truncate(before);
                break;
            }
        }
        text
    }
}

fn parse(text: &str) -> Option<BTreeSet<i64>> {
    let mut offsets = BTreeSet::new();
    for range in text.split(',').filter(|range| !range.is_empty()) {
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        let (from, to) = (i64::from_str(from).ok()?, i64::from_str(to).ok()?);
        let is_range = (0..=to).contains(&from);
        if !is_range || offsets.len() as u64 + to.abs_diff(from) > MAX_OFFSETS {
            return None;
        }
        offsets.extend(from..=to);
    }
    Some(offsets)
}

#[cfg(test)]
mod tests {
    use hostile_input::{check, text};
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn seen(progress: &mut RedriveProgress, offsets: impl IntoIterator<Item = i64>) -> Vec<i64> {
        offsets
            .into_iter()
            .filter(|offset| progress.seen(*offset))
            .collect()
    }

    #[test]
    fn what_is_done_out_of_order_is_remembered() {
        let mut progress = RedriveProgress::read(None, "");
        assert_eq!(progress.left(3, 9), 6);
        assert_eq!(seen(&mut progress, 3..9), [3, 4, 5, 6, 7, 8]);
        assert_eq!(progress.take_due(), None);
        for offset in [5, 6, 8] {
            progress.done(offset);
        }
        assert_eq!(progress.left(3, 9), 3);
        assert_eq!(progress.take_due(), Some((3, "5-6,8".into())));
        assert_eq!(progress.take_due(), None, "the broker has it");

        let mut next = RedriveProgress::read(Some(3), "5-6,8");
        assert_eq!(next.left(3, 9), 3);
        assert_eq!(seen(&mut next, 3..9), [3, 4, 7]);
        for offset in [3, 4] {
            next.done(offset);
        }
        assert_eq!(next.take_due(), Some((7, "8".into())));
        next.done(7);
        assert_eq!(next.take_due(), Some((9, String::new())));
        assert_eq!(next.left(0, 9), 0);
    }

    #[test]
    fn a_text_that_is_too_long_forgets_what_is_last() {
        let mut progress = RedriveProgress::read(None, "");
        seen(&mut progress, 0..4_000);
        (1..4_000)
            .step_by(2)
            .for_each(|offset| progress.done(offset));
        let (first, text) = progress.take_due().unwrap();
        assert_eq!(first, 0);
        assert!(
            text.len() <= MAX_BYTES && text.starts_with("1,3,5,"),
            "{text}"
        );
        assert!(parse(&text).unwrap().len() > 500);
    }

    #[test]
    fn any_text_is_read() {
        check(300, (any::<Option<i32>>(), text()), |(committed, text)| {
            RedriveProgress::read(committed.map(i64::from), &text);
        });
        for text in ["9-1", "1-99999999999", "a", "1-2-3", "-5"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    /// Whatever is done in whatever order, the next reader is shown the rest.
    #[test]
    fn the_next_reader_is_shown_the_rest() {
        let inputs = (vec(any::<bool>(), 1..60), any::<u64>());
        check(300, inputs, |(done, order)| {
            let mut progress = RedriveProgress::read(None, "");
            let all = || 0..i64::try_from(done.len()).unwrap();
            seen(&mut progress, all());
            let mut wanted: Vec<i64> = all()
                .zip(&done)
                .filter(|(_, d)| **d)
                .map(|(o, _)| o)
                .collect();
            fastrand::Rng::with_seed(order).shuffle(&mut wanted);
            wanted.iter().for_each(|offset| progress.done(*offset));
            let left: Vec<i64> = all()
                .zip(&done)
                .filter(|(_, d)| !**d)
                .map(|(o, _)| o)
                .collect();
            let Some((first, text)) = progress.take_due() else {
                assert!(wanted.is_empty());
                return;
            };
            let mut next = RedriveProgress::read(Some(first), &text);
            assert_eq!(next.left(0, all().end), left.len() as u64);
            assert_eq!(seen(&mut next, first..all().end), left);
        });
    }
}
