//! How far keys are, taken over from another system.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use ordered_core::admin::{Position, TaskOutcome};
use ordered_core::event::Key;
use ordered_core::internal::readable::{grouped, printable};
use ordered_core::protocol::{Policy, Refusal, WorkerId};
use ordered_core::store::{Group, Store};
use serde::Serialize;

use super::many::{Results, advance, options};
use super::many_report::code;
use super::positions::{self, BadLine};
use crate::args::Import;
use crate::confirm::confirm;
use crate::failure::Failure;
use crate::operator::operator;
use crate::output::{Report, print};
use crate::session::Session;

/// How many lines, or keys, are named in what people read.
const NAMED: usize = 10;

/// What came of the positions.
#[derive(Debug, Default, Serialize)]
struct ImportReport {
    group: String,
    dry_run: bool,
    positions: u64,
    /// How many keys were moved, or would be.
    set: u64,
    /// How many were there already.
    unchanged: u64,
    /// How many are further, and stay so.
    ahead: u64,
    failed: u64,
    /// Those that failed.
    failures: Vec<FailedKey>,
    #[serde(skip)]
    code: u8,
}

#[derive(Debug, Serialize)]
struct FailedKey {
    key: String,
    why: String,
}

pub(crate) async fn run(session: &Session, command: &Import) -> Result<(), Failure> {
    let is_piped = command.file.as_deref() == Some(Path::new("-"));
    let verb_args = &command.verb_args;
    if is_piped && !verb_args.yes && !verb_args.dry_run {
        return Err(Failure::Usage(
            "with `-` the standard input is the file, and cannot answer: add --yes, or --dry-run"
                .into(),
        ));
    }
    let positions = match &command.file {
        Some(file) => read(file, is_piped)?,
        None => elsewhere(session, command).await?,
    };
    let group = group(session, command).await?;
    let mut report = ImportReport {
        group: group.name().to_owned(),
        positions: positions.len() as u64,
        ..ImportReport::default()
    };
    if verb_args.dry_run || !verb_args.yes {
        report.dry_run = true;
        report.foresee(session, &group, &positions).await?;
        if verb_args.dry_run {
            return print(&Report::new(&report, report.text())?, verb_args.json);
        }
        confirm(verb_args, &report.text())?;
        report = ImportReport {
            group: report.group,
            positions: report.positions,
            ..ImportReport::default()
        };
    }
    let (operator, options) = (operator(verb_args), options(verb_args));
    let bulk = session
        .admin
        .import_positions(&group, positions, &operator, options);
    let stopped = advance(bulk.await?, verb_args, &mut report).await;
    print(&Report::new(&report, report.text())?, verb_args.json)?;
    stopped.verdict(report.reached(), report.positions)?;
    match report.code {
        0 => Ok(()),
        code => Err(Failure::Partly {
            code,
            text: format!(
                "{} of the keys failed: {}",
                grouped(report.failed),
                super::many::AGAIN
            ),
        }),
    }
}

/// The group, which has not been opened by any worker where positions are there before it.
async fn group(session: &Session, command: &Import) -> Result<Group, Failure> {
    let Some(name) = session.named.as_ref().filter(|_| command.create) else {
        return session.group().await;
    };
    if let Some(group) = session.admin.group(name).await? {
        return Ok(group);
    }
    let mut policy = Policy::default();
    policy.first_seq = command.first_seq;
    let group = Group::new(name, policy);
    if !command.verb_args.dry_run {
        let who = WorkerId::operator(&operator(&command.verb_args).who, 0);
        session.store.open(&group, &who).await?;
    }
    Ok(group)
}

#[cfg(feature = "postgres")]
async fn elsewhere(session: &Session, command: &Import) -> Result<Vec<Position>, Failure> {
    let url = command.from_postgres.as_deref().unwrap_or_default();
    super::import_postgres::positions(session, url).await
}

#[cfg(not(feature = "postgres"))]
async fn elsewhere(_: &Session, _: &Import) -> Result<Vec<Position>, Failure> {
    unreachable!("the file is required")
}

fn read(path: &Path, is_piped: bool) -> Result<Vec<Position>, Failure> {
    let name = if is_piped {
        "the standard input".to_owned()
    } else {
        path.display().to_string()
    };
    let unreadable = |error: io::Error| Failure::File(format!("{name} cannot be read: {error}"));
    let lines: Box<dyn BufRead> = if is_piped {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(path).map_err(unreadable)?))
    };
    let (positions, bad) = positions::read(lines).map_err(unreadable)?;
    if bad.is_empty() {
        return Ok(positions);
    }
    let line = |bad: &BadLine| format!("\n  line {}: {}", bad.line, bad.why);
    let named: Vec<String> = bad.iter().take(NAMED).map(line).collect();
    let more = match bad.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("\n  … and {} more", grouped(more as u64)),
    };
    let lines = if bad.len() == 1 { "line" } else { "lines" };
    Err(Failure::File(format!(
        "{name}: {} {lines} cannot be used, and nothing was imported; a line is a key, a tab and its last seq, or \
         {{\"key\":\"…\",\"last_seq\":…}}{}{more}",
        grouped(bad.len() as u64),
        named.concat()
    )))
}

impl ImportReport {
    /// What would come of them.
    async fn foresee(
        &mut self,
        session: &Session,
        group: &Group,
        wanted: &[Position],
    ) -> Result<(), Failure> {
        let mut known: HashMap<Key, (Option<u64>, u64)> = HashMap::new();
        let mut cursor = None;
        loop {
            let (page, next) = session.admin.positions(group, cursor).await?;
            known.extend(
                page.into_iter()
                    .map(|position| (position.key, (position.epoch, position.last_seq))),
            );
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        for position in wanted {
            let Some((epoch, last)) = known.get(&position.key) else {
                self.set += 1;
                continue;
            };
            let there = (epoch.unwrap_or(0), *last);
            let wanted = (position.epoch.unwrap_or(there.0), position.last_seq);
            match wanted.cmp(&there) {
                Ordering::Equal => self.unchanged += 1,
                Ordering::Less => self.ahead += 1,
                Ordering::Greater => self.set += 1,
            }
        }
        Ok(())
    }

    fn reached(&self) -> u64 {
        self.set + self.unchanged + self.ahead + self.failed
    }

    fn text(&self) -> String {
        let would = if self.dry_run { " would" } else { "" };
        let mut text = format!(
            "import{would}: set {} of {} positions",
            grouped(self.set),
            grouped(self.positions)
        );
        for (count, what) in [
            (self.unchanged, "set already"),
            (self.ahead, "further already"),
            (self.failed, "failed"),
        ] {
            if count > 0 {
                text += &format!("; {} {what}", grouped(count));
            }
        }
        for failed in self.failures.iter().take(NAMED) {
            text += &format!("\n  {}: {}", printable(&failed.key), failed.why);
        }
        text
    }
}

impl Results for ImportReport {
    fn add(&mut self, results: Vec<(Key, TaskOutcome)>) {
        for (key, outcome) in results {
            let why = match outcome {
                TaskOutcome::Done(_) => {
                    self.set += 1;
                    continue;
                }
                TaskOutcome::Refused(Refusal::Already) => {
                    self.unchanged += 1;
                    continue;
                }
                TaskOutcome::Refused(Refusal::NotAhead) => {
                    self.ahead += 1;
                    continue;
                }
                TaskOutcome::Refused(refusal) => {
                    self.code = self.code.max(1);
                    refusal.to_string()
                }
                TaskOutcome::Failed(error) => {
                    self.code = self.code.max(code(&error));
                    error.to_string()
                }
            };
            self.failed += 1;
            let key = key.to_string();
            self.failures.push(FailedKey { key, why });
        }
    }

    fn progress(&self, _: &[String]) -> String {
        format!(
            "import: {} of {} positions",
            grouped(self.reached()),
            grouped(self.positions)
        )
    }
}
