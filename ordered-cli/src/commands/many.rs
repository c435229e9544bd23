//! A verb to many keys: look, ask, and do it batch by batch.

use std::time::{Duration, Instant};

use ordered_core::admin::{Bulk, BulkVerb, KeyTask, OperateOptions, Selection, TaskOutcome};
use ordered_core::event::Key;
use ordered_core::internal::readable::{grouped, printable};
use ordered_core::store::{Group, StoreError, StoreErrorKind};

use super::effect::Removal;
use super::many_report::ManyReport;
use crate::args::VerbArgs;
use crate::confirm::confirm;
use crate::failure::Failure;
use crate::interrupt::{INTERRUPTED, Interrupt};
use crate::operator::operator;
use crate::output::print;
use crate::progress::Progress;
use crate::session::Session;

/// After how long a verb that waits for keys says so.
const TIMEOUT: Duration = Duration::from_millis(500);

pub(super) async fn run(
    session: &Session,
    verb: BulkVerb,
    selection: &Selection,
    verb_args: &VerbArgs,
) -> Result<(), Failure> {
    let group = session.group().await?;
    if verb == BulkVerb::Resume && selection.older_than.is_some() {
        return Err(Failure::Usage(
            "since when a key is paused is not kept: leave out --older-than".into(),
        ));
    }
    let plan = session.admin.plan(&group, selection, verb).await?;
    let removal = match verb {
        BulkVerb::Discard => Removal::Delete,
        _ => Removal::DeadLetter,
    };
    let mut report = ManyReport::new(group.name(), verb.as_str(), removal, &plan);
    if plan.tasks.is_empty() {
        return Err(nothing(&group, verb, &report));
    }
    if verb_args.dry_run {
        return print(&report.document(true)?, verb_args.json);
    }
    let asks = plan.tasks.len() > 1 || matches!(verb, BulkVerb::Skip | BulkVerb::Discard);
    if asks {
        confirm(verb_args, &report.plan())?;
    }
    let tasks = plan.tasks.into_iter().map(|planned| planned.task).collect();
    let stopped = carry_out(session, &group, tasks, verb_args, &mut report).await;
    print(&report.document(false)?, verb_args.json)?;
    report.verdict(stopped)
}

fn nothing(group: &Group, verb: BulkVerb, report: &ManyReport) -> Failure {
    let why = report.refusals();
    let group = printable(group.name());
    if why.is_empty() && verb.is_for_dead_letters() {
        let what = match verb {
            BulkVerb::Replay => "replayed",
            _ => "deleted",
        };
        return Failure::refused(format!(
            "there are no dead letters in the group `{group}` that can be {what}, or none is meant by that"
        ));
    }
    let verb = verb.as_str();
    if why.is_empty() {
        return Failure::refused(format!(
            "no key of the group `{group}` is meant by that, so that there is nothing to {verb}: `ordered keys \
             --stuck` lists those that do not go on by themselves, and `ordered errors` says why"
        ));
    }
    Failure::refused(why.join("\nordered: "))
}

/// What may be said of every verb to many keys that did not come to its end.
pub(super) const AGAIN: &str = "what was done stays done, and repeating the command is harmless";

/// Where the results of a verb to many keys go.
pub(super) trait Results {
    fn add(&mut self, results: Vec<(Key, TaskOutcome)>);

    /// `retry: 1,250 of 2,000 keys`.
    fn progress(&self, owners: &[String]) -> String;
}

/// Why it ended before all was done.
pub(super) enum Stopped {
    No,
    Interrupted,
    Store(StoreError),
}

impl Stopped {
    /// How the command ends, if not as its results say.
    pub(super) fn verdict(self, reached: u64, all: u64) -> Result<(), Failure> {
        let (count, of) = (grouped(reached), grouped(all));
        match self {
            Self::No => Ok(()),
            Self::Interrupted => Err(Failure::Partly {
                code: INTERRUPTED,
                text: format!("interrupted after {count} of {of} keys: {AGAIN}"),
            }),
            Self::Store(error) => Err(Failure::Partly {
                code: match error.kind() {
                    StoreErrorKind::Unavailable => 3,
                    _ => 4,
                },
                text: format!(
                    "{error}: {count} of {of} keys were reached, and of the next {} it is not known; {AGAIN}",
                    Bulk::BATCH
                ),
            }),
        }
    }
}

async fn carry_out(
    session: &Session,
    group: &Group,
    tasks: Vec<KeyTask>,
    verb_args: &VerbArgs,
    report: &mut ManyReport,
) -> Stopped {
    let operator = operator(verb_args);
    let options = options(verb_args);
    match session.admin.bulk(group, tasks, &operator, options).await {
        Ok(bulk) => advance(bulk, verb_args, report).await,
        Err(error) => Stopped::Store(error),
    }
}

pub(super) fn options(verb_args: &VerbArgs) -> OperateOptions {
    OperateOptions {
        dry_run: false,
        force: verb_args.force,
        wait: verb_args.wait,
    }
}

/// Does what is to be done, and shows how far it is.
pub(super) async fn advance(
    mut bulk: Bulk<'_>,
    verb_args: &VerbArgs,
    report: &mut impl Results,
) -> Stopped {
    let (interrupt, progress) = (Interrupt::listen(), Progress::new());
    let mut waits_since = None;
    let mut has_said = false;
    let stopped = loop {
        progress.show(&report.progress(&bulk.owners()));
        if interrupt.is_set() {
            break Stopped::Interrupted;
        }
        match bulk.advance().await {
            Ok(Some(results)) if results.is_empty() => {
                let since = *waits_since.get_or_insert_with(Instant::now);
                if !has_said && since.elapsed() > TIMEOUT.min(verb_args.wait / 2) {
                    has_said = true;
                    progress.show("");
                    eprintln!("ordered: {}", waiting(&bulk, verb_args));
                }
            }
            Ok(Some(results)) => {
                waits_since = None;
                report.add(results);
            }
            Ok(None) => break Stopped::No,
            Err(error) => break Stopped::Store(error),
        }
    };
    bulk.leave().await;
    stopped
}

fn waiting(bulk: &Bulk<'_>, verb_args: &VerbArgs) -> String {
    let owners = bulk.owners();
    let named: Vec<String> = owners
        .iter()
        .take(3)
        .map(|owner| printable(owner))
        .collect();
    let more = if owners.len() > named.len() {
        ", …"
    } else {
        ""
    };
    format!(
        "waiting up to {:?} for {}{more} to hand over {} of the keys",
        verb_args.wait,
        named.join(", "),
        grouped(bulk.left() as u64),
    )
}
