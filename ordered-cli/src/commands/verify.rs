use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use ordered_history::{History, Rules, Violation};
use serde::Serialize;

use crate::args::Verify;
use crate::failure::Failure;
use crate::output::{Report, print};

#[derive(Serialize)]
struct Document {
    lines: usize,
    violations: Vec<ViolationLine>,
}

#[derive(Serialize)]
struct ViolationLine {
    line: usize,
    promise: String,
    text: String,
}

/// Holds a history against the promises. Needs no store.
pub(crate) fn run(command: &Verify) -> Result<(), Failure> {
    let history = read(&command.history)?;
    let violations = history.violations_by(Rules {
        batch: command.batch,
        commit_window: command.commit_window,
        ..Rules::default()
    });
    let lines = history.lines.len();
    let text = if violations.is_empty() {
        format!("{lines} lines, and no promise was broken")
    } else {
        let each: Vec<String> = violations.iter().map(ToString::to_string).collect();
        each.join("\n")
    };
    let count = violations.len();
    let document = Document {
        lines,
        violations: violations.into_iter().map(broken).collect(),
    };
    print(&Report::new(&document, text)?, command.json)?;
    match count {
        0 => Ok(()),
        1 => Err(Failure::refused("a promise was broken")),
        count => Err(Failure::refused(format!(
            "promises were broken {count} times"
        ))),
    }
}

fn broken(violation: Violation) -> ViolationLine {
    ViolationLine {
        line: violation.line,
        promise: violation.promise.to_string(),
        text: violation.text,
    }
}

fn read(path: &Path) -> Result<History, Failure> {
    let unreadable = |why: String| Failure::File(format!("{}: {why}", path.display()));
    let lines: Box<dyn BufRead> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(path).map_err(|error| unreadable(error.to_string()))?;
        Box::new(BufReader::new(file))
    };
    History::read(lines).map_err(|error| unreadable(error.to_string()))
}
