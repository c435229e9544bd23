//! Events that run ahead of the commits before them.

use ordered_history::{Commits, Rules};

use crate::support::{PUBLISHED, broken_by};

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
