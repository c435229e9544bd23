//! The whole bench on a few hundred events: that every contestant does its work, that what is counted is right, and
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
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let results = fs::read_to_string(folder.0.join("results.json")).unwrap();
    let results: Value = serde_json::from_str(&results).unwrap();
    let turns = results["turns"].as_array().unwrap();
    let mut entrants = BTreeMap::<&str, Vec<&str>>::new();
    for turn in turns {
        let name = |field: &str| turn[field].as_str().unwrap();
        let number = |pointer: &str| turn.pointer(pointer).unwrap().as_f64().unwrap();
        entrants
            .entry(name("load"))
            .or_default()
            .push(name("entrant"));
        let messages = turn["messages"].as_u64().unwrap();
        match name("load") {
            "shuffled" => assert!(messages > EVENTS, "some are there twice: {turn}"),
            _ => assert_eq!(messages, EVENTS, "{turn}"),
        }
        assert!(
            number("/rate") > 0.0 && number("/processor") > 0.0,
            "{turn}"
        );
        let commands = number("/redis/commands");
        match name("entrant") {
            "floor" | "ack each" | "parallel consumer" => {
                assert!(commands < 0.1, "no Redis: {turn}");
            }
            // `SET` and `GET` on arrival, `SET` when done.
            "by hand" => assert!((3.0..3.1).contains(&commands), "{turn}"),
            "script" => assert_eq!(number("/round_trips_per_1000"), 1_000.0, "{turn}"),
            _ => assert!(number("/redis/script_calls") > 0.0, "{turn}"),
        }
        let state = turn["state_bytes"].as_f64();
        assert_eq!(state.is_some(), name("load") == "orders", "{turn}");
        assert!(state.is_none_or(|bytes| bytes > 1.0), "{turn}");
        let latency = &turn["latency"];
        assert_eq!(latency.is_object(), name("load") == "latency", "{turn}");
    }
    assert_eq!(
        entrants["in-order"],
        ["floor", "ack each", "by hand", "ordered"]
    );
    assert_eq!(
        entrants["orders"],
        ["sequence", "arrival", "monotonic", "causal", "lamport"]
    );
    assert_eq!(
        entrants["processes"],
        ["ordered", "ordered ×2", "ordered ×4"]
    );
    assert_eq!(entrants.len(), loads.len());
    let told = String::from_utf8_lossy(&output.stdout);
    for target in [
        "× the floor",
        "2 processes, × linear",
        "causal, × sequence",
        "monotonic, bytes of state",
        "round trips to Redis",
    ] {
        assert!(told.contains(target), "{target} is judged in\n{told}");
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
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        told.contains("\"in-odrer\"") && told.contains("--list"),
        "{told}"
    );
}

#[test]
fn a_list_says_what_there_is_and_starts_nothing() {
    let output = bench(&folder(), &["--list"]);
    let told = String::from_utf8_lossy(&output.stdout);
    for name in ["in-order", "zipf", "redis-away", "redis-memory"] {
        assert!(told.lines().any(|line| line.starts_with(name)), "{told}");
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
