//! The short form of the fault suite.

use std::path::PathBuf;
use std::time::Duration;

use faults::report::{Report, row};
use faults::worker::Pace;
use faults::{Plan, Servers, faults};
use tokio::sync::Mutex;

/// Servers that are free: their start takes longer than many a run, and each run finds them as the first one did.
static FREE: Mutex<Vec<Servers>> = Mutex::const_new(Vec::new());

/// Runs these faults, one after the other, on a few events each.
async fn run(names: &[&str], plan: &Plan) -> Vec<Report> {
    println!("seed {}", plan.seed);
    let free = FREE.lock().await.pop();
    let mut servers = match free {
        Some(servers) => servers,
        None => Servers::start().await.unwrap(),
    };
    let mut reports = Vec::new();
    for name in names {
        let fault = faults().find(|fault| fault.name == *name).unwrap();
        let report = faults::run(fault, plan, &mut servers).await.unwrap();
        println!("{}", row(&report));
        reports.push(report);
    }
    FREE.lock().await.push(servers);
    reports
}

/// Every promise but how long a stall may be, which only the long form can say: here a server comes back as fast as the
/// tests beside it let it.
fn assert_kept(report: &Report) {
    let mut broken = report.problems.iter();
    assert!(
        broken.all(|problem| problem.starts_with("a stall of ")),
        "{report:#?}"
    );
}

fn plan() -> Plan {
    let seed = std::env::var("ORDERED_SEED").ok();
    let seed = seed.and_then(|seed| seed.parse().ok());
    Plan {
        program: PathBuf::from(env!("CARGO_BIN_EXE_faults")),
        seed: seed.unwrap_or_else(|| fastrand::u64(..1_000_000)),
        events: 2_000,
        keys: 50,
        injections: 2,
        stall_timeout: Duration::from_secs(180),
        pace: Pace::Strict,
        volatile_redis: false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_promise_is_kept_over_real_servers_that_are_broken() {
    let names = [
        "kill-worker",
        "kill-redis",
        "mute-redis",
        "kill-rabbit",
        "cut-rabbit",
        "handler-panics",
        // The broker itself is killed in the long form: how long it takes to come back depends on what else the machine
        // does.
        "kafka-kill-worker",
    ];
    for report in run(&names, &plan()).await {
        assert_kept(&report);
        assert_eq!(report.lost + report.reordered + report.doubled, 0);
        assert!(report.dead_lettered < 20, "{report:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_promise_is_kept_over_partitions_that_become_more_and_in_every_order() {
    let plan = Plan {
        injections: 1,
        ..plan()
    };
    let names = [
        "partitions-grow",
        "arrival",
        "monotonic",
        "causal",
        "lamport",
    ];
    for report in run(&names, &plan).await {
        assert_kept(&report);
        assert!(report.injected > 0, "{report:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_promise_is_kept_by_workers_that_go_ahead_of_their_commits() {
    for pace in [Pace::Window, Pace::Batch] {
        // Few keys, so that there is something to go ahead with.
        let plan = Plan {
            pace,
            events: 1_000,
            keys: 10,
            ..plan()
        };
        for report in run(&["kill-worker", "handler-panics"], &plan).await {
            assert_kept(&report);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_forgets_is_found_out() {
    let plan = Plan {
        volatile_redis: true,
        stall_timeout: Duration::from_secs(8),
        ..plan()
    };
    for report in run(&["kill-redis"], &plan).await {
        assert!(report.lost + report.doubled > 0, "{report:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn money_adds_up_whatever_dies() {
    let plan = Plan {
        events: 1_200,
        injections: 1,
        ..plan()
    };
    for report in run(&["money"], &plan).await {
        assert!(report.is_good(), "{report:#?}");
        assert_eq!((report.events, report.injected), (1_200, 7));
    }
}
