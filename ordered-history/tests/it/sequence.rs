//! Order, once, and no overlap.

use crate::support::{PUBLISHED, after_publishing, broken};

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
