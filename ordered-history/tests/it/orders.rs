//! The orders besides 1, 2, 3, ….

use ordered_core::protocol::Order;
use ordered_history::{Commits, Rules};

use crate::support::{PUBLISHED, broken_by};

/// By the rule of this order, in processes of their own.
fn ordered(order: Order, lines: &[&str]) -> Vec<String> {
    let rules = Rules {
        order,
        commits: Commits::Reported,
        ..Rules::default()
    };
    broken_by(rules, lines)
}

const VERSIONS: Order = Order::Monotonic { coalesce: false };

const THREE_VERSIONS: [&str; 3] = [
    "published key=k seq=2 id=a",
    "published key=k seq=5 id=b",
    "published key=k seq=9 id=c",
];

#[test]
fn versions_have_gaps_and_what_is_older_than_the_newest_may_never_run() {
    let lines = [
        "started key=k seq=5 id=b worker=w1 fence=1",
        "handled key=k seq=5 id=b worker=w1",
        "committed key=k seq=5 id=b worker=w1",
        "started key=k seq=9 id=c worker=w1 fence=1",
        "handled key=k seq=9 id=c worker=w1",
        "committed key=k seq=9 id=c worker=w1",
    ];
    let broken = |lines: &[&str]| ordered(VERSIONS, &[&THREE_VERSIONS, lines].concat());
    assert_eq!(broken(&lines), Vec::<String>::new());
    assert_eq!(
        broken(&lines[..3]),
        ["line 7: nothing lost: k 9 (c) was published, and neither committed nor dead-lettered"]
    );
}

#[test]
fn no_version_starts_that_is_older_than_one_that_has_committed() {
    let lines = [
        "started key=k seq=9 id=c worker=w1 fence=1",
        "handled key=k seq=9 id=c worker=w1",
        "committed key=k seq=9 id=c worker=w1",
        "started key=k seq=5 id=b worker=w1 fence=2",
        "handled key=k seq=5 id=b worker=w1",
    ];
    let broken = ordered(VERSIONS, &[&THREE_VERSIONS, &lines[..]].concat());
    assert_eq!(broken, ["line 7: order: k 5 started, and 9 had committed"]);
    // One that was done and not committed has no say: its worker died, and the next one does not know of it.
    let died = [lines[0], lines[1], "gone worker=w1", lines[3], lines[4]];
    let ends = [
        "committed key=k seq=5 id=b worker=w1",
        "started key=k seq=9 id=c worker=w2 fence=3",
        "handled key=k seq=9 id=c worker=w2",
        "standing key=k last_seq=9",
    ];
    let broken = ordered(VERSIONS, &[&THREE_VERSIONS, &died[..], &ends].concat());
    assert_eq!(broken, Vec::<String>::new());
}

/// `c` follows `a`, and `b` nothing.
const CAUSES: [&str; 4] = [
    "published key=k seq=1 id=a",
    "published key=k seq=2 id=b",
    "follows key=k seq=3 id=c seqs=1",
    "published key=k seq=3 id=c",
];

fn by_causes(lines: &[&str]) -> Vec<String> {
    ordered(Order::Causal, &[&CAUSES, lines].concat())
}

#[test]
fn an_effect_starts_after_its_cause_and_waits_for_nothing_else() {
    let one = |seq: u64, id: &str| {
        ["started", "handled", "committed"]
            .map(|what| format!("{what} key=k seq={seq} id={id} worker=w1"))
    };
    let lines = |places: [(u64, &str); 3]| -> Vec<String> {
        places
            .into_iter()
            .flat_map(|(seq, id)| one(seq, id))
            .collect()
    };
    let broken = |places| {
        let lines = lines(places);
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        by_causes(&lines)
    };
    assert_eq!(broken([(1, "a"), (3, "c"), (2, "b")]), Vec::<String>::new());
    assert_eq!(broken([(2, "b"), (1, "a"), (3, "c")]), Vec::<String>::new());
    assert_eq!(
        broken([(3, "c"), (1, "a"), (2, "b")]),
        [
            "line 5: order: k 3 started, and one that it follows had not committed",
            "line 7: order: k 3 committed, and one that it follows had not",
        ]
    );
}

#[test]
fn in_any_order_an_event_runs_once_and_alone() {
    let lines = [
        "started key=k seq=1 id=a worker=w1 fence=1",
        "started key=k seq=2 id=b worker=w2 fence=2",
        "handled key=k seq=1 id=a worker=w1",
        "handled key=k seq=2 id=b worker=w2",
        "committed key=k seq=1 id=a worker=w1",
        "committed key=k seq=1 id=a worker=w1",
        "committed key=k seq=2 id=b worker=w2",
    ];
    assert_eq!(
        by_causes(&lines),
        [
            "line 6: no overlap: k 2 started on w2 while w1 ran 1",
            "line 10: once: k 1 committed as a, and before as a",
            "line 12: nothing lost: k 3 (c) was published, and neither committed nor dead-lettered",
        ]
    );
}

#[test]
fn in_arrival_the_seqs_are_places() {
    let lines = [
        "started key=k seq=2 id=b worker=w1 fence=1",
        "handled key=k seq=2 id=b worker=w1",
        "started key=k seq=1 id=a worker=w1 fence=1",
        "handled key=k seq=1 id=a worker=w1",
        "standing key=k last_seq=2",
    ];
    let broken = ordered(Order::Arrival, &[&PUBLISHED[..], &lines].concat());
    assert_eq!(
        broken[0],
        "line 3: order: k 2 started, and the one before it had not committed"
    );
}
