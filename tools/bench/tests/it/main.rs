//! The whole bench on a few hundred events: that every subject does its work, that what is counted is right, and
//! that the figures and charts are there. Nothing is timed.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use ordered_testkit::unique;
use serde_json::Value;

const EVENTS: u64 = 400;

/// The folder of a run, which goes with it.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn bench(folder: &Folder, arguments: &[&str]) -> Output {
    let json = folder.0.join("results.json");
    Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(["--rounds", "1", "--events", &EVENTS.to_string()])
        .args(["--out".as_ref(), folder.0.as_os_str()])
        .args(["--json".as_ref(), json.as_os_str()])
        .args(arguments)
        .output()
        .expect("the bench starts")
}

fn folder() -> Folder {
    Folder(std::env::temp_dir().join(unique("ordered-bench")))
}

#[test]
fn every_contestant_takes_its_turn_and_what_is_counted_is_right() {
    let folder = folder();
    let loads = [
        "in-order",
        "shuffled",
        "one-key",
        "one-key-ahead",
        "orders",
        "processes",
        "latency",
        "partitions",
        "kafka",
    ];
    let mut arguments = vec!["--only"];
    arguments.extend(loads);
    let output = bench(&folder, &arguments);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    let results = fs::read_to_string(folder.0.join("results.json")).unwrap();
    let results: Value = serde_json::from_str(&results).unwrap();
    let trials = results["trials"].as_array().unwrap();
    let mut variants = BTreeMap::<&str, Vec<&str>>::new();
    for trial in trials {
        let name = |field: &str| trial[field].as_str().unwrap();
        let number = |pointer: &str| trial.pointer(pointer).unwrap().as_f64().unwrap();
        variants
            .entry(name("load"))
            .or_default()
            .push(name("variant"));
        let messages = trial["messages"].as_u64().unwrap();
        match name("load") {
            "shuffled" => assert!(messages > EVENTS, "some are there twice: {trial}"),
            _ => assert_eq!(messages, EVENTS, "{trial}"),
        }
        assert!(
            number("/rate") > 0.0 && number("/processor") > 0.0,
            "{trial}"
        );
        let commands = number("/redis/commands");
        match name("variant") {
            "floor" | "ack each" | "parallel consumer" => {
                assert!(commands < 0.1, "no Redis: {trial}");
            }
            // `SET` and `GET` on arrival, `SET` when done.
            "by hand" => assert!((3.0..3.1).contains(&commands), "{trial}"),
            "script" => assert_eq!(number("/round_trips_per_1000"), 1_000.0, "{trial}"),
            _ => assert!(number("/redis/script_calls") > 0.0, "{trial}"),
        }
        let state = trial["state_bytes"].as_f64();
        assert_eq!(state.is_some(), name("load") == "orders", "{trial}");
        assert!(state.is_none_or(|bytes| bytes > 1.0), "{trial}");
        let latency = &trial["latency"];
        assert_eq!(latency.is_object(), name("load") == "latency", "{trial}");
    }
    assert_eq!(
        variants["in-order"],
        ["floor", "ack each", "by hand", "ordered"]
    );
    assert_eq!(
        variants["orders"],
        ["sequence", "arrival", "monotonic", "causal", "lamport"]
    );
    assert_eq!(
        variants["processes"],
        ["ordered", "ordered ×2", "ordered ×4"]
    );
    assert_eq!(variants.len(), loads.len());
    let text = String::from_utf8_lossy(&output.stdout);
    for target in [
        "× the floor",
        "2 processes, × linear",
        "causal, × sequence",
        "monotonic, bytes of state",
        "round trips to Redis",
    ] {
        assert!(text.contains(target), "{target} is judged in\n{text}");
    }
    for chart in ["in-order", "throughput"] {
        let chart = fs::read_to_string(folder.0.join(format!("{chart}.svg"))).unwrap();
        assert!(
            chart.starts_with("<svg") && chart.ends_with("</svg>\n"),
            "{chart}"
        );
        assert!(chart.contains("ordered"), "{chart}");
    }
}

#[test]
fn a_load_that_is_not_there_is_named() {
    let output = bench(&folder(), &["--only", "in-odrer"]);
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        text.contains("\"in-odrer\"") && text.contains("--list"),
        "{text}"
    );
}

#[test]
fn a_list_says_what_there_is_and_starts_nothing() {
    let output = bench(&folder(), &["--list"]);
    let text = String::from_utf8_lossy(&output.stdout);
    for name in ["in-order", "zipf", "redis-remote", "redis-memory"] {
        assert!(text.lines().any(|line| line.starts_with(name)), "{text}");
    }
}

#[test]
fn the_outbox_is_measured_beside_bare_inserts_and_a_bare_publisher() {
    let output = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(["outbox", "--quick"])
        .output()
        .expect("the bench starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 4, "{said}");
    assert!(lines.iter().all(|line| line.contains(", aim ")), "{said}");
}
