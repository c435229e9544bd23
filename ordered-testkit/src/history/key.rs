use std::collections::{BTreeMap, BTreeSet};

use super::check::Promise;
use super::line::Event;

/// What a history says of one key, as far as it was read.
#[derive(Debug, Default)]
pub(super) struct KeyHistory<'a> {
    published: BTreeSet<&'a Event>,
    /// By seq, the id.
    committed: BTreeMap<u64, &'a str>,
    handled: BTreeSet<(u64, &'a str)>,
    dead: BTreeSet<&'a Event>,
    runs: Vec<Run<'a>>,
    first_seq: Option<u64>,
}

#[derive(Debug)]
struct Run<'a> {
    seq: u64,
    worker: &'a str,
    /// The worker's lease has ended since.
    excused: bool,
}

impl<'a> KeyHistory<'a> {
    pub(super) fn published(&mut self, event: &'a Event) {
        let first = self.first_seq.get_or_insert(event.seq);
        *first = event.seq.min(*first);
        self.published.insert(event);
    }

    pub(super) fn started(
        &mut self,
        event: &'a Event,
        worker: &'a str,
        broken: &mut impl FnMut(Promise, String),
    ) {
        let Event { key, seq, .. } = event;
        if !self.is_next_or_past(*seq) {
            let text = format!("{key} {seq} started, and the one before it had not committed");
            broken(Promise::Order, text);
        }
        let other = self.runs.iter().find(|run| !run.excused);
        if let Some(other) = other {
            let text = format!(
                "{key} {seq} started on {worker} while {} ran {}",
                other.worker, other.seq
            );
            broken(Promise::NoOverlap, text);
        }
        self.runs.push(Run {
            seq: *seq,
            worker,
            excused: false,
        });
    }

    pub(super) fn handled(&mut self, event: &'a Event, worker: &str, done: bool) {
        let run = |run: &Run<'_>| run.seq == event.seq && run.worker == worker;
        if let Some(place) = self.runs.iter().position(run) {
            self.runs.remove(place);
        }
        if done {
            self.handled.insert((event.seq, &event.id));
        }
    }

    pub(super) fn committed(&mut self, event: &'a Event, broken: &mut impl FnMut(Promise, String)) {
        let Event { key, seq, id } = event;
        let repeat = self.committed.values().any(|other| other == id);
        if let Some(before) = self.committed.get(seq) {
            let text = format!("{key} {seq} committed as {id}, and before as {before}");
            broken(Promise::Once, text);
        } else if !repeat && !self.handled.contains(&(*seq, id)) {
            let text = format!("{key} {seq} committed, and its handler had not got done");
            broken(Promise::Once, text);
        }
        if !self.is_next_or_past(*seq) {
            let text = format!("{key} {seq} committed, and the one before it had not");
            broken(Promise::Order, text);
        }
        self.committed.insert(*seq, id);
    }

    pub(super) fn dead_lettered(&mut self, event: &'a Event) {
        self.dead.insert(event);
    }

    pub(super) fn excuse(&mut self, worker: &str) {
        let mine = self.runs.iter_mut().filter(|run| run.worker == worker);
        mine.for_each(|run| run.excused = true);
    }

    pub(super) fn gone(&mut self, worker: &str) {
        self.runs.retain(|run| run.worker != worker);
    }

    /// What was published, and neither committed under its seq or another nor put aside.
    pub(super) fn lost(&self) -> impl Iterator<Item = &'a Event> {
        let lost = |event: &&&Event| {
            let committed = self.committed.values().any(|id| *id == event.id);
            !committed && !self.dead.contains(*event)
        };
        self.published.iter().filter(lost).copied()
    }

    fn is_next_or_past(&self, seq: u64) -> bool {
        let first = self.first_seq.unwrap_or(1);
        let last = self.committed.last_key_value();
        seq <= last.map_or(first, |(last, _)| last + 1)
    }
}
