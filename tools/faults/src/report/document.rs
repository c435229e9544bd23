use std::fmt::Write;
use std::path::Path;

use super::{Report, heading, row};
use crate::{Error, faults};

const BEGIN: &str = "<!-- faults:begin -->";
const END: &str = "<!-- faults:end -->";

/// Puts the results between the markers of the document.
///
/// # Errors
/// When the document is not there, or has no markers.
pub fn write_document(path: &Path, reports: &[Report], build: &str) -> Result<(), Error> {
    let text = std::fs::read_to_string(path)?;
    let missing = || format!("{} has no markers {BEGIN} and {END}", path.display());
    let (before, rest) = text.split_once(BEGIN).ok_or_else(missing)?;
    let (_, after) = rest.split_once(END).ok_or_else(missing)?;
    let results = results(reports, build);
    std::fs::write(path, format!("{before}{BEGIN}\n{results}{END}{after}"))?;
    Ok(())
}

fn results(reports: &[Report], build: &str) -> String {
    let mut text = String::new();
    let sum = |of: fn(&Report) -> usize| reports.iter().map(of).sum::<usize>();
    let seconds: u64 = reports.iter().map(|report| report.took_ms / 1_000).sum();
    let seeds: Vec<u64> = reports.iter().map(|report| report.seed).collect();
    let seed = seeds.iter().min().copied().unwrap_or_default();
    let _ = writeln!(
        text,
        "{} kinds, {} injections, {} events in {} messages, in {} minutes ({build}): **{} lost, {} reordered, {} \
         doubly committed, {} overlaps**. {} runs of a handler came again after a crash or a lost lease, {} failed, \
         panicked or were stopped; {} impostors were dead-lettered. Seed {seed}.\n",
        reports.len(),
        sum(|report| report.injected),
        sum(|report| report.events),
        sum(|report| report.published),
        seconds / 60,
        sum(|report| report.lost),
        sum(|report| report.reordered),
        sum(|report| report.doubled),
        sum(|report| report.overlapped),
        sum(|report| report.run_again),
        sum(|report| report.failed),
        sum(|report| report.dead_lettered),
    );
    let _ = writeln!(text, "{}", heading());
    for report in reports {
        let _ = writeln!(text, "{}", row(report));
    }
    let _ = writeln!(text, "\n| fault | what is done |\n|---|---|");
    for fault in faults() {
        let _ = writeln!(text, "| {} | {} |", fault.name, fault.what);
    }
    text
}
