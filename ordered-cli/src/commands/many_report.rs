//! What a verb did to many keys, or would do, in words and as JSON.

use std::collections::BTreeMap;

use ordered_core::admin::{OperateError, Plan, TaskOutcome};
use ordered_core::event::Key;
use ordered_core::internal::readable::{events, grouped, printable};
use ordered_core::store::StoreErrorKind;
use serde::Serialize;

use super::effect::{Outcome, Removal};
use super::many::{AGAIN, Results, Stopped};
use crate::failure::Failure;
use crate::output::Report;

/// How many keys are named in what people read.
const NAMED: usize = 20;

/// What came of each key.
pub(super) struct ManyReport {
    group: String,
    verb: &'static str,
    removal: Removal,
    keys: BTreeMap<Key, Entry>,
    more: bool,
    totals: Totals,
}

#[derive(Debug, Clone, Copy, Default)]
struct Totals {
    /// To how many keys it can be done.
    planned: u64,
    done: u64,
    refused: u64,
    failed: u64,
}

struct Entry {
    state: EntryState,
    outcome: Option<Outcome>,
    why: Option<String>,
    code: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum EntryState {
    /// Not done yet; in a dry run, it would be.
    Planned,
    Done,
    Refused,
    Failed,
}

#[derive(Serialize)]
struct Document<'a> {
    group: &'a str,
    verb: &'a str,
    dry_run: bool,
    keys: Vec<KeyDocument<'a>>,
    done: u64,
    refused: u64,
    failed: u64,
    /// What was not reached, or would be done.
    left: u64,
    /// There are more: the limit, or what is done to a key at a time, left some out.
    more: bool,
}

#[derive(Serialize)]
struct KeyDocument<'a> {
    key: &'a str,
    state: EntryState,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
    #[serde(flatten)]
    outcome: Option<&'a Outcome>,
}

impl ManyReport {
    pub(super) fn new(group: &str, verb: &'static str, removal: Removal, plan: &Plan) -> Self {
        let mut report = Self::empty(group, verb, removal);
        report.more = plan.more;
        for planned in &plan.tasks {
            let outcome = Outcome::new(planned.effect.clone(), removal);
            report.plan_key(planned.task.key.clone(), Some(outcome));
        }
        for (key, refusal) in &plan.refused {
            report.refuse(key.clone(), refusal.to_string());
        }
        for key in &plan.unknown {
            let why = "the key is not known: `ordered keys` lists those that are";
            report.refuse(key.clone(), why.to_owned());
        }
        for key in &plan.unreadable {
            let why = "what is stored of the key cannot be read: see `ordered explain`";
            report.refuse(key.clone(), why.to_owned());
        }
        report
    }

    pub(super) fn empty(group: &str, verb: &'static str, removal: Removal) -> Self {
        Self {
            group: group.to_owned(),
            verb,
            removal,
            keys: BTreeMap::new(),
            more: false,
            totals: Totals::default(),
        }
    }

    pub(super) fn plan_key(&mut self, key: Key, outcome: Option<Outcome>) {
        self.totals.planned += 1;
        self.put(key, EntryState::Planned, outcome, None, 0);
    }

    pub(super) fn refuse(&mut self, key: Key, why: String) {
        self.totals.refused += 1;
        self.put(key, EntryState::Refused, None, Some(why), 1);
    }

    fn put(
        &mut self,
        key: Key,
        state: EntryState,
        outcome: Option<Outcome>,
        why: Option<String>,
        code: u8,
    ) {
        let entry = Entry {
            state,
            outcome,
            why,
            code,
        };
        self.keys.insert(key, entry);
    }

    fn left(&self) -> u64 {
        let states = self.keys.values().map(|entry| entry.state);
        states.filter(|state| *state == EntryState::Planned).count() as u64
    }

    /// What it would do, to be asked about.
    pub(super) fn plan(&self) -> String {
        if let Some(line) = self.only_line(true) {
            return line;
        }
        let mut lines = vec![self.headline(true)];
        lines.extend(self.lines(&[EntryState::Planned, EntryState::Refused]));
        lines.join("\n")
    }

    pub(super) fn document(&self, dry_run: bool) -> Result<Report, Failure> {
        let keys = self.keys.iter().map(|(key, entry)| KeyDocument {
            key: key.as_str(),
            state: entry.state,
            why: entry.why.as_deref(),
            outcome: entry.outcome.as_ref(),
        });
        let Totals {
            done,
            refused,
            failed,
            ..
        } = self.totals;
        let document = Document {
            group: &self.group,
            verb: self.verb,
            dry_run,
            keys: keys.collect(),
            done,
            refused,
            failed,
            left: self.left(),
            more: self.more,
        };
        Report::new(&document, self.text(dry_run))
    }

    fn text(&self, dry_run: bool) -> String {
        if dry_run {
            let mut text = self.plan();
            if self.more {
                text += "\nthere are more than these: repeat it";
            }
            return text;
        }
        let mut lines = match self.only_line(false) {
            Some(line) => return line,
            None => vec![self.headline(false)],
        };
        let shown: &[EntryState] = if self.keys.len() <= NAMED {
            &[EntryState::Done, EntryState::Refused, EntryState::Failed]
        } else {
            &[EntryState::Refused, EntryState::Failed]
        };
        lines.extend(self.lines(shown));
        if self.more {
            lines.push("there are more than these: repeat it".into());
        }
        lines.join("\n")
    }

    /// Of one key it is said as by the verb to that key.
    fn only_line(&self, would: bool) -> Option<String> {
        let (key, entry) = self.keys.first_key_value()?;
        let outcome = entry.outcome.as_ref().filter(|_| self.keys.len() == 1)?;
        let (key, what) = (printable(key.as_str()), outcome.text(self.verb, None));
        let would = if would { " would" } else { "" };
        Some(format!("{key}: {}{would}: {what}", self.verb))
    }

    /// `retry would: 2,000 keys: release 4,010 events`.
    fn headline(&self, would: bool) -> String {
        let Totals {
            planned,
            done,
            refused,
            failed,
        } = self.totals;
        let keys = |count: u64| format!("{} key{}", grouped(count), plural(count));
        let mut line = if would {
            format!("{} would: {}", self.verb, keys(planned))
        } else {
            format!("{}: {}", self.verb, keys(done))
        };
        let effect = self.sums();
        if !effect.is_empty() {
            line += &format!(": {}", effect.join(", "));
        }
        if !would && self.left() > 0 {
            line += &format!("; {} not done", grouped(self.left()));
        }
        for (count, what) in [(refused, "refused"), (failed, "failed")] {
            if count > 0 {
                line += &format!("; {} {what}", grouped(count));
            }
        }
        line
    }

    /// All that was removed and released, in numbers.
    fn sums(&self) -> Vec<String> {
        let (mut removed, mut released, mut marked) = (0, 0, 0);
        let counts = |entry: &&Entry| match self.totals.done {
            0 => true,
            _ => entry.state == EntryState::Done,
        };
        let outcomes = self.keys.values().filter(counts);
        for outcome in outcomes.filter_map(|entry| entry.outcome.as_ref()) {
            let (of_removed, of_released, of_marked) = outcome.counts();
            removed += of_removed;
            released += of_released;
            marked += of_marked;
        }
        let removal = match self.removal {
            Removal::DeadLetter => "dead-letter",
            Removal::Delete => "delete permanently",
        };
        let mut parts = Vec::new();
        for (what, count) in [
            (removal, removed),
            ("release", released),
            ("run again", marked),
        ] {
            if count > 0 {
                parts.push(format!("{what} {}", events(count)));
            }
        }
        parts
    }

    fn lines(&self, states: &[EntryState]) -> Vec<String> {
        let shown = |entry: &Entry| states.contains(&entry.state);
        let count = self.keys.values().filter(|entry| shown(entry)).count();
        let mut entries: Vec<(&Key, &Entry)> =
            self.keys.iter().filter(|(_, entry)| shown(entry)).collect();
        // What is not done is looked for first.
        entries.sort_by_key(|(_, entry)| entry.why.is_none());
        let mut lines: Vec<String> = entries
            .into_iter()
            .take(NAMED)
            .map(|(key, entry)| format!("  {}", self.line(key, entry)))
            .collect();
        if count > NAMED {
            let more = grouped((count - NAMED) as u64);
            lines.push(format!("  … and {more} more; --json lists all"));
        }
        lines
    }

    fn line(&self, key: &Key, entry: &Entry) -> String {
        let what = match (&entry.outcome, &entry.why) {
            (Some(outcome), _) => outcome.text(self.verb, None),
            (None, Some(why)) => why.clone(),
            (None, None) => String::new(),
        };
        format!("{}: {what}", printable(key.as_str()))
    }

    /// Why nothing can be done.
    pub(super) fn refusals(&self) -> Vec<String> {
        let refused = self.keys.iter().filter(|(_, entry)| entry.why.is_some());
        let line = |(key, entry)| self.line(key, entry);
        refused.take(NAMED).map(line).collect()
    }

    /// How the command ends.
    pub(super) fn verdict(&self, stopped: Stopped) -> Result<(), Failure> {
        stopped.verdict(self.totals.planned - self.left(), self.totals.planned)?;
        let code = self.keys.values().map(|entry| entry.code).max();
        let Totals {
            refused, failed, ..
        } = self.totals;
        let text = match (refused, failed) {
            (0, 0) => return Ok(()),
            (refused, 0) => format!("{} of the keys were refused", grouped(refused)),
            (_, failed) => format!("{} of the keys failed: {AGAIN}", grouped(failed)),
        };
        Err(Failure::Partly {
            code: code.unwrap_or(1),
            text,
        })
    }
}

impl Results for ManyReport {
    fn add(&mut self, results: Vec<(Key, TaskOutcome)>) {
        for (key, outcome) in results {
            match outcome {
                TaskOutcome::Done(effect) => {
                    self.totals.done += 1;
                    let outcome = Outcome::new(effect, self.removal);
                    self.put(key, EntryState::Done, Some(outcome), None, 0);
                }
                TaskOutcome::Refused(refusal) => self.refuse(key, refusal.to_string()),
                TaskOutcome::Failed(error) => {
                    self.totals.failed += 1;
                    let code = code(&error);
                    self.put(key, EntryState::Failed, None, Some(error.to_string()), code);
                }
            }
        }
    }

    /// `retry: 1,250 of 2,000 keys`.
    fn progress(&self, owners: &[String]) -> String {
        let all = self.totals.planned;
        let mut line = format!(
            "{}: {} of {} keys",
            self.verb,
            grouped(all - self.left()),
            grouped(all)
        );
        for (count, what) in [
            (self.totals.refused, "refused"),
            (self.totals.failed, "failed"),
        ] {
            if count > 0 {
                line += &format!(", {} {what}", grouped(count));
            }
        }
        if let Some(owner) = owners.first() {
            line += &format!(", waiting for {}", printable(owner));
        }
        line
    }
}

fn plural(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// The exit code of what failed.
pub(super) fn code(error: &OperateError) -> u8 {
    match error {
        OperateError::Store(error) if error.kind() == StoreErrorKind::Unavailable => 3,
        OperateError::Store(_) => 4,
        OperateError::Busy { .. } | OperateError::Lost => 6,
        _ => 3,
    }
}
