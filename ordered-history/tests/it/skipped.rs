//! Dead letters of the store, skipped events and new numberings.

use ordered_history::Commits;

use crate::support::broken_where;

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
