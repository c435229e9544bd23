use std::collections::{BTreeMap, BTreeSet};

use super::check::{Commits, Promise, Rules};
use super::line::Event;

/// What a history says of one key, as far as it was read.
#[derive(Debug, Default)]
pub(super) struct KeyHistory<'a> {
    published: BTreeSet<&'a Event>,
    /// By id, the first seq under which it was published.
    seqs: BTreeMap<&'a str, u64>,
    /// What has the id of another seq: no handler runs on it.
    repeats: BTreeSet<u64>,
    /// By seq, the id.
    committed: BTreeMap<u64, &'a str>,
    committed_ids: BTreeSet<&'a str>,
    /// By seq and id, who got its handler done last.
    handled: BTreeMap<u64, BTreeMap<&'a str, &'a str>>,
    dead: BTreeSet<&'a Event>,
    /// By seq, the seqs of the events that it follows.
    follows: BTreeMap<u64, &'a [u64]>,
    /// The ranges that the key was moved past, in this numbering and earlier ones.
    skipped: Vec<(u64, u64)>,
    /// The last seq that has committed, was dead-lettered in the store or skipped.
    done_to: Option<u64>,
    runs: Vec<Run<'a>>,
    first_seq: Option<u64>,
    /// The last seq on which a handler started: what is before it has committed.
    started: u64,
    fence: u64,
    standing: Option<u64>,
}

#[derive(Debug)]
struct Run<'a> {
    seq: u64,
    worker: &'a str,
    /// The first seq of the run, where it has several.
    first: Option<u64>,
    /// The worker's lease has ended since.
    excused: bool,
}

/// A handler that starts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start<'a> {
    pub(super) event: &'a Event,
    pub(super) worker: &'a str,
    pub(super) fence: Option<u64>,
    pub(super) run: Option<u64>,
}

impl Run<'_> {
    fn is_of(&self, start: &Start<'_>) -> bool {
        start.run.is_some() && self.first == start.run && self.worker == start.worker
    }
}

impl<'a> KeyHistory<'a> {
    pub(super) fn published(&mut self, event: &'a Event) {
        let first = self.first_seq.get_or_insert(event.seq);
        *first = event.seq.min(*first);
        if *self.seqs.entry(&event.id).or_insert(event.seq) != event.seq {
            self.repeats.insert(event.seq);
        }
        self.published.insert(event);
    }

    pub(super) fn follows(&mut self, event: &Event, seqs: &'a [u64]) {
        self.follows.insert(event.seq, seqs);
    }

    pub(super) fn started(
        &mut self,
        start: Start<'a>,
        lapsed: &BTreeSet<&str>,
        rules: Rules,
        broken: &mut impl FnMut(Promise, String),
    ) {
        let commits = rules.commits;
        let Start { event, worker, .. } = start;
        let Event { key, seq, .. } = event;
        // It woke up with a grant of long ago: it may run beside others, and can commit nothing.
        let stale = commits == Commits::Reported
            && lapsed.contains(worker)
            && start.fence.is_some_and(|fence| fence < self.fence);
        if rules.order.has_versions() {
            if let Some(newer) = self.newest_committed().filter(|newer| newer > seq)
                && !stale
            {
                let text = format!("{key} {seq} started, and {newer} had committed");
                broken(Promise::Order, text);
            }
        } else if !self.may_start(*seq, rules) && !self.may_run_ahead(&start, rules) {
            let text = format!(
                "{key} {seq} started, and {} had not committed",
                before(rules)
            );
            broken(Promise::Order, text);
        }
        if commits == Commits::Reported && self.has_passed(*seq, rules) && !stale {
            let text = format!("{key} {seq} started on {worker}, and it had committed");
            broken(Promise::Once, text);
        }
        if commits == Commits::Reported
            && !stale
            && let Some(before) = self.done_by(event)
            && !lapsed.contains(before)
        {
            let text = format!(
                "{key} {seq} started on {worker}, and {before} had got it done and kept its lease"
            );
            broken(Promise::Once, text);
        }
        let of_others = |run: &&Run<'_>| !run.excused && !stale && !run.is_of(&start);
        let other = self.runs.iter().find(of_others);
        if let Some(other) = other {
            let text = format!(
                "{key} {seq} started on {worker} while {} ran {}",
                other.worker, other.seq
            );
            broken(Promise::NoOverlap, text);
        }
        self.started = self.started.max(*seq);
        self.fence = self.fence.max(start.fence.unwrap_or(0));
        self.runs.push(Run {
            seq: *seq,
            worker,
            first: start.run,
            excused: stale,
        });
    }

    pub(super) fn handled(&mut self, event: &'a Event, worker: &'a str, done: bool) {
        let run = |run: &Run<'_>| run.seq == event.seq && run.worker == worker;
        if let Some(place) = self.runs.iter().position(run) {
            self.runs.remove(place);
        }
        if done {
            let ids = self.handled.entry(event.seq).or_default();
            ids.insert(&event.id, worker);
        }
    }

    pub(super) fn committed(
        &mut self,
        event: &'a Event,
        rules: Rules,
        broken: &mut impl FnMut(Promise, String),
    ) {
        let Event { key, seq, id } = event;
        let repeat = self.committed_ids.contains(id.as_str()) || self.repeats.contains(seq);
        if let Some(before) = self.committed.get(seq) {
            let text = format!("{key} {seq} committed as {id}, and before as {before}");
            broken(Promise::Once, text);
        } else if !repeat && self.done_by(event).is_none() {
            let text = format!("{key} {seq} committed, and its handler had not got done");
            broken(Promise::Once, text);
        }
        if rules.order.has_versions() {
            // Lines of several workers come late.
            let newer = self.newest_committed().filter(|newer| newer > seq);
            if let Some(newer) = newer.filter(|_| rules.commits == Commits::Exact) {
                let text = format!("{key} {seq} committed, and {newer} had");
                broken(Promise::Order, text);
            }
        } else if !self.may_start(*seq, rules) {
            let text = format!("{key} {seq} committed, and {} had not", before(rules));
            broken(Promise::Order, text);
        }
        self.committed.insert(*seq, id);
        self.committed_ids.insert(id);
        self.moved(*seq);
    }

    fn newest_committed(&self) -> Option<u64> {
        self.committed.last_key_value().map(|(seq, _)| *seq)
    }

    /// However it ended, the key has gone on past it.
    fn moved(&mut self, to: u64) {
        self.done_to = self.done_to.max(Some(to));
    }

    pub(super) fn dead_lettered_in_store(
        &mut self,
        event: &'a Event,
        rules: Rules,
        broken: &mut impl FnMut(Promise, String),
    ) {
        let Event { key, seq, id } = event;
        if self.committed.get(seq) == Some(&id.as_str()) {
            let text = format!("{key} {seq} was dead-lettered, and it had committed");
            broken(Promise::Once, text);
        }
        if !rules.order.has_versions() && !self.may_start(*seq, rules) {
            let text = format!(
                "{key} {seq} was dead-lettered, and {} was not done",
                before(rules)
            );
            broken(Promise::Order, text);
        }
        self.dead.insert(event);
        self.moved(*seq);
    }

    pub(super) fn skipped(
        &mut self,
        (key, from, to): (&str, u64, u64),
        rules: Rules,
        broken: &mut impl FnMut(Promise, String),
    ) {
        // Nothing was published under the first ones, perhaps, so that the first seq is no measure here.
        let next = self.done_to.is_none_or(|last| from <= last + 1);
        if !next && rules.commits == Commits::Exact {
            let text =
                format!("{key} {from} to {to} was skipped, and what is before it was not done");
            broken(Promise::Order, text);
        }
        self.skipped.push((from, to));
        self.moved(to);
    }

    pub(super) fn late(&mut self, event: &'a Event, broken: &mut impl FnMut(Promise, String)) {
        if !self.was_skipped(event.seq) {
            let Event { key, seq, .. } = event;
            let text = format!("{key} {seq} was refused as late, and it was never skipped");
            broken(Promise::NothingLost, text);
        }
        self.dead.insert(event);
    }

    /// A new numbering: what has committed keeps its id, and no seq.
    pub(super) fn renumbered(&mut self, last_seq: u64) {
        self.committed.clear();
        self.handled.clear();
        self.skipped.push((0, u64::MAX));
        self.started = 0;
        self.done_to = Some(last_seq);
    }

    fn was_skipped(&self, seq: u64) -> bool {
        let covers = |(from, to): &(u64, u64)| (*from..=*to).contains(&seq);
        self.skipped.iter().any(covers)
    }

    pub(super) fn dead_lettered(
        &mut self,
        event: &'a Event,
        rules: Rules,
        broken: &mut impl FnMut(Promise, String),
    ) {
        let Event { key, seq, id } = event;
        if rules.commits == Commits::Exact && self.committed.get(seq) == Some(&id.as_str()) {
            let text = format!("{key} {seq} was dead-lettered, and it had committed");
            broken(Promise::Once, text);
        }
        self.dead.insert(event);
    }

    pub(super) fn stands(&mut self, last_seq: u64) {
        self.standing = Some(last_seq);
    }

    pub(super) fn excuse(&mut self, worker: &str) {
        let mine = self.runs.iter_mut().filter(|run| run.worker == worker);
        mine.for_each(|run| run.excused = true);
    }

    pub(super) fn gone(&mut self, worker: &str) {
        self.runs.retain(|run| run.worker != worker);
    }

    /// What was published, and neither committed under its seq or another nor dead-lettered. A version may be
    /// superseded by a newer one.
    pub(super) fn lost(&self, rules: Rules) -> impl Iterator<Item = &'a Event> {
        let newest = self.newest_committed().max(self.standing);
        let lost = move |event: &&&Event| {
            if rules.order.has_versions() && newest.is_some_and(|newest| event.seq < newest) {
                return false;
            }
            let committed = self.committed_ids.contains(event.id.as_str());
            let stands = self.standing.is_some_and(|last| event.seq <= last);
            let done = committed || stands && self.done_by(event).is_some();
            !done && !self.dead.contains(*event)
        };
        self.published.iter().filter(lost).copied()
    }

    /// What was committed, and the store does not know of it in the end.
    pub(super) fn forgotten(&self) -> Option<(u64, u64)> {
        let (last, _) = self.committed.last_key_value()?;
        let standing = self.standing.filter(|standing| standing < last)?;
        Some((*last, standing))
    }

    fn done_by(&self, event: &Event) -> Option<&'a str> {
        let ids = self.handled.get(&event.seq)?;
        ids.get(event.id.as_str()).copied()
    }

    /// Whether what is before the event is done.
    fn may_start(&self, seq: u64, rules: Rules) -> bool {
        if rules.order.has_producers() {
            let follows = self.follows.get(&seq).copied().unwrap_or_default();
            return follows.iter().all(|cause| self.is_done(*cause, rules));
        }
        let first = self.first_seq.unwrap_or(1);
        match rules.commits {
            Commits::Exact => seq <= self.done_to.map_or(first, |last| last + 1),
            Commits::Reported => {
                let before = seq.saturating_sub(1);
                seq <= first || self.repeats.contains(&before) || self.is_done(before, rules)
            }
        }
    }

    fn is_done(&self, seq: u64, rules: Rules) -> bool {
        let is_handled = rules.commits == Commits::Reported && self.handled.contains_key(&seq);
        is_handled
            || self.committed.contains_key(&seq)
            || self.done_to == Some(seq)
            || self.was_skipped(seq)
            || self.dead.iter().any(|event| event.seq == seq)
    }

    /// Whether the event stands in a run whose first event might start, or every event from the next one was got done
    /// by the same worker before that run.
    fn may_run_ahead(&self, start: &Start<'_>, rules: Rules) -> bool {
        if rules.order.has_producers() {
            return false;
        }
        let next = self
            .done_to
            .map_or(self.first_seq.unwrap_or(1), |last| last + 1);
        let seq = start.event.seq;
        let first = start.run.unwrap_or(seq);
        let is_together = |seq| {
            let mut runs = self.runs.iter();
            runs.any(|run| run.seq == seq && run.is_of(start))
        };
        let is_done = |seq| {
            let by = self.handled.get(&seq);
            by.is_some_and(|by| by.values().any(|worker| *worker == start.worker))
        };
        let is_in_run = seq - first < rules.batch && (first..seq).all(is_together);
        let is_ahead =
            || first.saturating_sub(next) <= rules.commit_window && (next..first).all(is_done);
        is_in_run && (self.may_start(first, rules) || is_ahead())
    }

    fn has_passed(&self, seq: u64, rules: Rules) -> bool {
        let ahead = rules.commit_window + rules.batch - 1;
        // Only where events run one after the other does a later one show that an earlier one has committed.
        let is_one_by_one = !rules.order.has_versions() && !rules.order.has_producers();
        is_one_by_one && seq + ahead < self.started || self.committed.contains_key(&seq)
    }
}

/// What has to be done before an event, in words.
fn before(rules: Rules) -> &'static str {
    if rules.order.has_producers() {
        "one that it follows"
    } else {
        "the one before it"
    }
}
