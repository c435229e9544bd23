//! Dead letters of a broker go back into the queue that they came from.

use ordered_core::internal::readable::{grouped, printable};
use ordered_core::transport::{BrokerDeadLetter, DeadLetters, Token};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

use super::broker_letters::{is_meant, reason};
use super::many::AGAIN;
use crate::args::{Redrive, VerbArgs};
use crate::broker::dead_letters;
use crate::confirm::confirm;
use crate::failure::Failure;
use crate::interrupt::{INTERRUPTED, Interrupt};
use crate::output::{Report, print};
use crate::progress::Progress;

/// How many are taken at a time.
const PAGE: usize = 100;

#[derive(Debug, Default, Serialize)]
struct RedriveReport {
    queue: String,
    dry_run: bool,
    /// How many there are, about, whatever was asked for.
    dead_events: u64,
    /// How many are meant; of what was looked at, once it runs.
    matched: u64,
    redriven: u64,
    failed: u64,
    /// How many are meant of each reason.
    reasons: BTreeMap<String, u64>,
    /// Why some failed.
    errors: BTreeMap<String, u64>,
    interrupted: bool,
}

pub(crate) async fn run(command: &Redrive) -> Result<(), Failure> {
    if !command.all && !command.letters.is_given() {
        return Err(Failure::Usage(
            "which dead letters? Say --all, --reason REASON, --error TEXT or --key PATTERN".into(),
        ));
    }
    if command.dry_run || !command.yes {
        // Letters that are looked at are let go of before anybody thinks about it.
        let seen = in_session(command, true).await?;
        if seen.interrupted {
            return seen.verdict();
        }
        if seen.matched == 0 {
            return Err(nothing(&seen));
        }
        if command.dry_run {
            return print(&Report::new(&seen, seen.text())?, command.json);
        }
        confirm(&command.verb_args(), &seen.text())?;
    }
    let report = in_session(command, false).await?;
    if report.matched == 0 && !report.interrupted {
        return Err(nothing(&report));
    }
    print(&Report::new(&report, report.text())?, command.json)?;
    report.verdict()
}

fn nothing(report: &RedriveReport) -> Failure {
    Failure::refused(format!(
        "none of the {} dead letters in `{}` is meant by that",
        grouped(report.dead_events),
        printable(&report.queue)
    ))
}

async fn in_session(command: &Redrive, dry_run: bool) -> Result<RedriveReport, Failure> {
    let letters = dead_letters(&command.broker.or_environment()).await?;
    let mut report = RedriveReport {
        queue: letters.queue().to_owned(),
        dry_run,
        ..RedriveReport::default()
    };
    let done = go_through(&*letters, command, &mut report).await;
    let closed = letters.close().await;
    if let Err(failure) = done {
        if report.redriven == 0 {
            return Err(failure);
        }
        let why = failure.text().unwrap_or_default();
        *report.errors.entry(why).or_default() += 1;
    } else {
        closed?;
    }
    Ok(report)
}

async fn go_through(
    letters: &dyn DeadLetters,
    command: &Redrive,
    report: &mut RedriveReport,
) -> Result<(), Failure> {
    report.dead_events = letters.count().await?;
    let (interrupt, progress) = (Interrupt::listen(), Progress::new());
    let limit = command.limit.unwrap_or(u64::MAX);
    let (mut seen, began) = (0, Instant::now());
    // What fails again comes back to the end of the queue: it is not put back twice.
    while seen < report.dead_events && report.matched < limit {
        if interrupt.is_set() {
            report.interrupted = true;
            break;
        }
        let left = usize::try_from(report.dead_events - seen).unwrap_or(usize::MAX);
        let wanted = left.min(PAGE);
        let page = letters.take(wanted).await?;
        let is_last = page.len() < wanted;
        seen += page.len() as u64;
        let meant: Vec<&BrokerDeadLetter> = page
            .iter()
            .filter(|letter| is_meant(&command.letters, letter))
            .take(usize::try_from(limit - report.matched).unwrap_or(usize::MAX))
            .collect();
        report.count(&meant);
        if !report.dry_run {
            put_back(letters, command, &meant, began, report, &progress).await;
        }
        if is_last {
            break;
        }
    }
    Ok(())
}

/// A part at a time, so that no second has more than the rate.
async fn put_back(
    letters: &dyn DeadLetters,
    command: &Redrive,
    meant: &[&BrokerDeadLetter],
    began: Instant,
    report: &mut RedriveReport,
    progress: &Progress,
) {
    let rate = command.rate;
    let part = usize::try_from(rate.div_ceil(10)).unwrap_or(PAGE);
    for part in meant.chunks(part) {
        let done = u32::try_from(report.redriven + report.failed).unwrap_or(u32::MAX);
        sleep_until(began + Duration::from_secs(1) * done / rate).await;
        let tokens: Vec<Token> = part.iter().map(|letter| letter.token).collect();
        for result in letters.redrive(&tokens).await {
            match result {
                Ok(()) => report.redriven += 1,
                Err(error) => {
                    report.failed += 1;
                    *report.errors.entry(error.to_string()).or_default() += 1;
                }
            }
        }
        progress.show(&report.progress());
    }
}

impl RedriveReport {
    fn count(&mut self, meant: &[&BrokerDeadLetter]) {
        self.matched += meant.len() as u64;
        for letter in meant {
            *self.reasons.entry(reason(letter).to_owned()).or_default() += 1;
        }
    }

    fn progress(&self) -> String {
        format!(
            "redrive: {} of {} dead letters looked at and put back",
            grouped(self.redriven),
            grouped(self.dead_events)
        )
    }

    fn text(&self) -> String {
        let (would, count) = if self.dry_run {
            (" would", self.matched)
        } else {
            ("", self.redriven)
        };
        let reasons = self.reasons.iter();
        let reasons: Vec<String> = reasons
            .map(|(reason, count)| format!("{} {}", grouped(*count), printable(reason)))
            .collect();
        let mut text = format!(
            "redrive{would}: put back {} of {} dead letters in `{}` ({})",
            grouped(count),
            grouped(self.dead_events),
            printable(&self.queue),
            reasons.join(", ")
        );
        if self.failed > 0 {
            text += &format!("; {} failed", grouped(self.failed));
        }
        for (error, count) in &self.errors {
            text += &format!("\n  {} times: {}", grouped(*count), printable(error));
        }
        text
    }

    fn verdict(&self) -> Result<(), Failure> {
        let (code, text) = match (self.interrupted, self.errors.is_empty()) {
            (true, _) => (INTERRUPTED, "interrupted"),
            (false, false) => (3, "not all was put back"),
            (false, true) => return Ok(()),
        };
        Err(Failure::Partly {
            code,
            text: format!("{text}: {AGAIN}"),
        })
    }
}

impl Redrive {
    fn verb_args(&self) -> VerbArgs {
        VerbArgs {
            dry_run: self.dry_run,
            yes: self.yes,
            force: false,
            wait: Duration::ZERO,
            who: None,
            why: String::new(),
            json: self.json,
        }
    }
}
