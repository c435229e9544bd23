//! Histories of several processes, whose commits are written late or never.

use ordered_core::protocol::Order;
use ordered_history::{Commits, History, Rules};

/// `words` is one line: what, key and seq, then `worker`, `fence`, `at` and the like as `name=value`, and `seqs` with
/// commas between.
fn line(words: &str) -> String {
    let mut words = words.split(' ');
    let what = words.next().unwrap();
    let mut fields = vec![format!(r#""line": "{what}""#)];
    for word in words {
        let (name, value) = word.split_once('=').unwrap();
        if name == "seqs" {
            fields.push(format!("{name:?}: [{value}]"));
            continue;
        }
        let number = value.parse::<u64>().is_ok();
        let value = if number {
            value.into()
        } else {
            format!("{value:?}")
        };
        fields.push(format!("{name:?}: {value}"));
    }
    format!("{{{}}}\n", fields.join(", "))
}

fn broken(lines: &[&str]) -> Vec<String> {
    broken_where(Commits::Reported, lines)
}

fn broken_where(commits: Commits, lines: &[&str]) -> Vec<String> {
    let rules = Rules {
        commits,
        ..Rules::default()
    };
    broken_by(rules, lines)
}

fn broken_by(rules: Rules, lines: &[&str]) -> Vec<String> {
    let text: String = lines.iter().map(|words| line(words)).collect();
    let history: History = text.parse().unwrap();
    let violations = history.violations_by(rules);
    violations.iter().map(ToString::to_string).collect()
}

const PUBLISHED: [&str; 2] = ["published key=k seq=1 id=a", "published key=k seq=2 id=b"];

fn after_publishing(lines: &[&str]) -> Vec<String> {
    broken(&[&PUBLISHED[..], lines].concat())
}

#[test]
fn a_commit_may_be_written_late_or_not_at_all() {
    let lines = [
        "started key=k seq=1 id=a worker=w1 fence=1",
        "handled key=k seq=1 id=a worker=w1",
        "started key=k seq=2 id=b worker=w2 fence=2",
        "handled key=k seq=2 id=b worker=w2",
        "committed key=k seq=1 id=a worker=w1",
        "standing key=k last_seq=2",
    ];
    assert_eq!(after_publishing(&lines), Vec::<String>::new());
}

#[test]
fn what_was_handled_and_is_beyond_where_the_store_stands_is_lost() {
    let lines = [
        "started key=k seq=1 id=a worker=w1 fence=1",
        "handled key=k seq=1 id=a worker=w1",
        "committed key=k seq=1 id=a worker=w1",
        "started key=k seq=2 id=b worker=w1 fence=1",
        "handled key=k seq=2 id=b worker=w1",
        "standing key=k last_seq=1",
    ];
    let broken = after_publishing(&lines);
    assert_eq!(
        broken,
        ["line 9: nothing lost: k 2 (b) was published, and neither committed nor dead-lettered"]
    );
}

#[test]
fn a_commit_that_the_store_forgot_is_lost() {
    let lines = [
        "handled key=k seq=1 id=a worker=w1",
        "committed key=k seq=1 id=a worker=w1",
        "handled key=k seq=2 id=b worker=w1",
        "committed key=k seq=2 id=b worker=w1",
        "standing key=k last_seq=1",
    ];
    assert_eq!(
        after_publishing(&lines),
        ["line 8: nothing lost: k 2 has committed, and the store stands at 1"]
    );
}

#[test]
fn a_handler_that_starts_before_the_one_before_it_was_done_is_out_of_order() {
    let broken = after_publishing(&[
        "started key=k seq=2 id=b worker=w1 fence=1",
        "handled key=k seq=2 id=b worker=w1",
        "handled key=k seq=1 id=a worker=w1",
        "standing key=k last_seq=2",
    ]);
    assert_eq!(
        broken,
        ["line 3: order: k 2 started, and the one before it had not committed"]
    );
}

#[test]
fn what_has_committed_is_run_again_only_under_a_fence_of_long_ago() {
    let again = |fence: &str, lapse: &str| {
        let start = format!("started key=k seq=1 id=a worker=w1 at=7 fence={fence}");
        after_publishing(&[
            "leased worker=w1 until=5 at=1",
            "handled key=k seq=1 id=a worker=w1 at=2",
            "started key=k seq=2 id=b worker=w2 at=4 fence=2",
            "handled key=k seq=2 id=b worker=w2 at=4",
            lapse,
            &start,
            "handled key=k seq=1 id=a worker=w1 at=7",
            "standing key=k last_seq=2 at=8",
        ])
    };
    let violation = ["line 8: once: k 1 started on w1, and it had committed"];
    assert_eq!(again("1", "gone worker=w3 at=6"), Vec::<String>::new());
    assert_eq!(again("3", "gone worker=w3 at=6"), violation);
    let kept = "line 8: once: k 1 started on w1, and w1 had got it done and kept its lease";
    assert_eq!(
        again("1", "leased worker=w1 until=9 at=4"),
        [violation[0], kept]
    );
}

#[test]
fn what_was_done_is_run_again_only_where_a_lease_has_ended() {
    let again = |at: u64| {
        let again = format!("started key=k seq=1 id=a worker=w2 at={at} fence=2");
        after_publishing(&[
            "leased worker=w1 until=5 at=1",
            "handled key=k seq=1 id=a worker=w1 at=2",
            &again,
            "handled key=k seq=1 id=a worker=w2 at=6",
            "handled key=k seq=2 id=b worker=w2 at=6",
            "standing key=k last_seq=2 at=8",
        ])
    };
    assert_eq!(again(5), Vec::<String>::new());
    assert_eq!(
        again(4),
        ["line 5: once: k 1 started on w2, and w1 had got it done and kept its lease"]
    );
}

#[test]
fn handlers_overlap_only_where_a_lease_has_ended() {
    let second = |at: u64| {
        let second = format!("started key=k seq=1 id=a worker=w2 fence=2 at={at}");
        after_publishing(&[
            "leased worker=w1 until=5 at=1",
            "started key=k seq=1 id=a worker=w1 fence=1 at=2",
            &second,
            "handled key=k seq=1 id=a worker=w2 at=6",
            "handled key=k seq=1 id=a worker=w1 at=6",
            "handled key=k seq=2 id=b worker=w2 at=6",
            "standing key=k last_seq=2 at=7",
        ])
    };
    assert_eq!(second(5), Vec::<String>::new());
    assert_eq!(
        second(4),
        ["line 5: no overlap: k 1 started on w2 while w1 ran 1"]
    );
}

#[test]
fn one_event_commits_once() {
    let broken = after_publishing(&[
        "handled key=k seq=1 id=a worker=w1",
        "committed key=k seq=1 id=a worker=w1",
        "committed key=k seq=1 id=a worker=w2",
        "committed key=k seq=2 id=b worker=w2",
        "standing key=k last_seq=2",
    ]);
    assert_eq!(
        broken,
        [
            "line 5: once: k 1 committed as a, and before as a",
            "line 6: once: k 2 committed, and its handler had not got done",
        ]
    );
}

const THREE: [&str; 3] = [
    "published key=k seq=1 id=a",
    "published key=k seq=2 id=b",
    "published key=k seq=3 id=c",
];

const DONE_3: [&str; 3] = [
    "started key=k seq=3 id=c worker=w1 fence=1",
    "handled key=k seq=3 id=c worker=w1",
    "committed key=k seq=3 id=c worker=w1",
];

/// In whichever way commits are written.
fn with_three(lines: &[&str]) -> Vec<String> {
    let exact = broken_where(Commits::Exact, &[&THREE[..], lines, &DONE_3].concat());
    let reported = broken_where(Commits::Reported, &[&THREE[..], lines, &DONE_3].concat());
    assert_eq!(exact, reported);
    exact
}

#[test]
fn a_key_goes_on_past_what_is_dead_lettered_in_the_store_or_skipped() {
    let broken = with_three(&[
        "dead_lettered_in_store key=k seq=1 id=a reason=failed",
        "skipped key=k from=2 to=2 reason=gap",
        "late key=k seq=2 id=b",
    ]);
    assert_eq!(broken, Vec::<String>::new());
}

#[test]
fn what_is_skipped_and_turns_up_nowhere_is_lost() {
    let broken = with_three(&[
        "dead_lettered_in_store key=k seq=1 id=a reason=failed",
        "skipped key=k from=2 to=2 reason=gap",
    ]);
    let lost =
        "line 9: nothing lost: k 2 (b) was published, and neither committed nor dead-lettered";
    assert_eq!(broken, [lost]);
}

#[test]
fn nothing_is_late_that_was_not_skipped() {
    let broken = with_three(&[
        "dead_lettered_in_store key=k seq=1 id=a reason=failed",
        "dead_lettered_in_store key=k seq=2 id=b reason=failed",
        "late key=k seq=1 id=a",
    ]);
    let late = "line 6: nothing lost: k 1 was refused as late, and it was never skipped";
    assert_eq!(broken, [late]);
}

#[test]
fn nothing_is_dead_lettered_in_the_store_or_skipped_out_of_turn() {
    let lines = [
        "dead_lettered_in_store key=k seq=2 id=b reason=failed",
        "skipped key=k from=4 to=5 reason=gap",
        "late key=k seq=1 id=a",
    ];
    let broken = broken_where(Commits::Exact, &[&THREE[..], &lines].concat());
    assert_eq!(
        broken[..2],
        [
            "line 4: order: k 2 was dead-lettered, and the one before it was not done",
            "line 5: order: k 4 to 5 was skipped, and what is before it was not done",
        ]
    );
}

#[test]
fn a_dead_letter_may_be_run_again_and_what_committed_becomes_none() {
    let again = [
        "dead_lettered_in_store key=k seq=1 id=a reason=failed",
        "dead_lettered_in_store key=k seq=2 id=b reason=failed",
        "started key=k seq=1 id=a worker=w1 fence=2",
        "handled key=k seq=1 id=a worker=w1",
        "committed key=k seq=1 id=a worker=w1",
    ];
    let lines = |more: &[&str]| {
        broken_where(
            Commits::Exact,
            &[&THREE[..], &again, more, &DONE_3].concat(),
        )
    };
    assert_eq!(lines(&[]), Vec::<String>::new());
    assert_eq!(
        lines(&["dead_lettered_in_store key=k seq=1 id=a reason=failed"]),
        ["line 9: once: k 1 was dead-lettered, and it had committed"]
    );
}

#[test]
fn a_new_numbering_begins_again() {
    let lines = [
        "published key=k seq=1 id=a",
        "handled key=k seq=1 id=a worker=w1",
        "committed key=k seq=1 id=a worker=w1",
        "renumbered key=k last_seq=0",
        "published key=k seq=1 id=c",
        "handled key=k seq=1 id=c worker=w1",
        "committed key=k seq=1 id=c worker=w1",
    ];
    assert_eq!(broken_where(Commits::Exact, &lines), Vec::<String>::new());
    let without = [&lines[..3], &lines[4..]].concat();
    assert_eq!(
        broken_where(Commits::Exact, &without),
        ["line 6: once: k 1 committed as c, and before as a"]
    );
}

/// Three events of one key are published, and then this; the others commit at the end.
fn ahead(commits: Commits, commit_window: u64, batch: u64, lines: &[&str]) -> Vec<String> {
    let rules = Rules {
        commits,
        commit_window,
        batch,
        ..Rules::default()
    };
    let published = [&PUBLISHED[..], &["published key=k seq=3 id=c"]].concat();
    let ends = [
        "committed key=k seq=1 id=a worker=w1",
        "committed key=k seq=2 id=b worker=w1",
        "committed key=k seq=3 id=c worker=w1",
    ];
    broken_by(rules, &[&published[..], lines, &ends].concat())
}

const ONE_AFTER_THE_OTHER: [&str; 6] = [
    "started key=k seq=1 id=a worker=w1 fence=1",
    "handled key=k seq=1 id=a worker=w1",
    "started key=k seq=2 id=b worker=w1 fence=1",
    "handled key=k seq=2 id=b worker=w1",
    "started key=k seq=3 id=c worker=w1 fence=1",
    "handled key=k seq=3 id=c worker=w1",
];

#[test]
fn within_a_window_a_handler_starts_before_the_commits_of_those_before_it() {
    let lines = &ONE_AFTER_THE_OTHER;
    assert_eq!(ahead(Commits::Exact, 2, 1, lines), Vec::<String>::new());
    let too_far = ["line 8: order: k 3 started, and the one before it had not committed"];
    assert_eq!(ahead(Commits::Exact, 1, 1, lines), too_far);
    assert_eq!(ahead(Commits::Exact, 0, 1, lines).len(), 2, "strict");
}

#[test]
fn only_who_got_those_before_it_done_may_run_ahead() {
    let mut lines = ONE_AFTER_THE_OTHER;
    lines[4] = "started key=k seq=3 id=c worker=w2 fence=1";
    lines[5] = "handled key=k seq=3 id=c worker=w2";
    assert_eq!(
        ahead(Commits::Exact, 2, 1, &lines),
        ["line 8: order: k 3 started, and the one before it had not committed"]
    );
    // And only if they got done.
    let mut lines = ONE_AFTER_THE_OTHER.to_vec();
    lines.remove(3);
    lines.insert(3, "handled key=k seq=2 id=b worker=w1 outcome=failed");
    let order = "line 8: order: k 3 started, and the one before it had not committed";
    assert!(ahead(Commits::Exact, 2, 1, &lines).contains(&order.to_owned()));
}

#[test]
fn the_events_of_a_run_start_together() {
    let lines = [
        "started key=k seq=1 id=a worker=w1 fence=1 run=1",
        "started key=k seq=2 id=b worker=w1 fence=1 run=1",
        "started key=k seq=3 id=c worker=w1 fence=1 run=1",
        "handled key=k seq=1 id=a worker=w1",
        "handled key=k seq=2 id=b worker=w1",
        "handled key=k seq=3 id=c worker=w1",
    ];
    for commits in [Commits::Exact, Commits::Reported] {
        assert_eq!(ahead(commits, 0, 3, &lines), Vec::<String>::new());
        let others = lines.map(|line| {
            let of_three = line.contains("seq=3");
            line.replace("run=1", if of_three { "run=3" } else { "run=1" })
        });
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        let overlap = "line 6: no overlap: k 3 started on w1 while w1 ran 1";
        assert!(ahead(commits, 0, 3, &others).contains(&overlap.to_owned()));
    }
    assert_eq!(
        ahead(Commits::Exact, 0, 2, &lines),
        ["line 6: order: k 3 started, and the one before it had not committed"],
        "more than a batch"
    );
}

#[test]
fn a_run_may_begin_before_the_commit_of_another_worker_is_reported() {
    let lines = [
        "started key=k seq=1 id=a worker=w2 fence=1",
        "handled key=k seq=1 id=a worker=w2",
        "started key=k seq=2 id=b worker=w1 fence=2 run=2",
        "started key=k seq=3 id=c worker=w1 fence=2 run=2",
        "handled key=k seq=2 id=b worker=w1",
        "handled key=k seq=3 id=c worker=w1",
    ];
    assert_eq!(ahead(Commits::Reported, 0, 2, &lines), Vec::<String>::new());
    let order = "started, and the one before it had not committed";
    let exact = ahead(Commits::Exact, 0, 2, &lines);
    assert!(exact.iter().any(|line| line.contains(order)), "{exact:?}");
}

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

#[test]
fn who_wakes_up_with_a_fence_of_long_ago_may_run_what_another_has_done() {
    let lines = [
        "leased worker=w1 until=5",
        "leased worker=w2 until=50",
        "started key=k seq=1 id=a worker=w2 fence=2 at=10",
        "handled key=k seq=1 id=a worker=w2 at=10",
        "committed key=k seq=1 id=a worker=w2 at=10",
        "started key=k seq=1 id=a worker=w1 fence=1 at=11",
        "handled key=k seq=1 id=a worker=w1 at=11",
    ];
    assert_eq!(
        broken(&[&PUBLISHED[..1], &lines].concat()),
        Vec::<String>::new()
    );
    // Under a fence that is as new as any other it may not.
    let newer = lines.map(|line| line.replace("fence=1 ", "fence=3 "));
    let newer: Vec<&str> = newer.iter().map(String::as_str).collect();
    assert_eq!(broken(&[&PUBLISHED[..1], &newer[..]].concat()).len(), 2);
}
