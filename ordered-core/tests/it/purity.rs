//! The protocol and its engine are plain values: no clock, no I/O, no async, no logging.

use std::fs;
use std::path::Path;

const FORBIDDEN: [&str; 9] = [
    "tokio",
    "tracing",
    "metrics",
    "futures",
    "fastrand",
    "async fn",
    ".await",
    "std::time::Instant",
    "clock::",
];

fn check(folder: &Path, seen: &mut usize) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("tests") {
                check(&path, seen);
            }
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let code = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            let found = FORBIDDEN.iter().find(|word| line.contains(**word));
            assert_eq!(found, None, "{}: {line}", path.display());
        }
        *seen += 1;
    }
}

#[test]
fn the_protocol_reads_no_clock_does_no_io_and_logs_nothing() {
    let mut seen = 0;
    check(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src/protocol"),
        &mut seen,
    );
    assert!(seen > 20, "{seen} files");
}
