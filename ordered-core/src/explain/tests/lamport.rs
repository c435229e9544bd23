//! Keys whose order comes from the Lamport times of their producers.

use std::time::Duration;

use super::scene::{NOON, explained, key};
use crate::explain::{KeyStatus, explain};
use crate::protocol::{
    CauseView, GapPolicy, HolderView, KeyView, LastErrorView, Order, Policy, ProducerView,
    WaitingView,
};
use crate::store::Group;

fn group() -> Group {
    group_with(|_| {})
}

fn group_with(change: impl FnOnce(&mut Policy)) -> Group {
    let mut policy = Policy {
        order: Order::Lamport,
        ..Policy::default()
    };
    change(&mut policy);
    Group::new("orders", policy)
}

fn assert_says(view: &KeyView, group: &Group, words: &[&str]) {
    let text = explained(view, group).text;
    for words in words {
        assert!(text.contains(words), "{text}");
    }
}

/// Of two producers one has sent an event, and of the other nothing was heard for a while.
fn blocked() -> KeyView {
    let mut view = key();
    view.producers = [("north", 3, 1), ("south", 7, 0)]
        .map(|(producer, seq, waiting)| ProducerView {
            producer: producer.into(),
            seq,
            waiting,
            time: Some(9),
            gone: None,
        })
        .into();
    view.waiting = vec![WaitingView {
        producer: "north".into(),
        seq: 4,
        id: "e-1".into(),
        since: NOON - 20_000,
        bytes: 100,
    }];
    view.holders = vec![HolderView {
        producer: "south".into(),
        time: 12,
        since: NOON - 30_000,
    }];
    view.release_at = Some(NOON + 40_000);
    (view.held_events, view.held_bytes) = (1, 100);
    view.gap_since = Some(NOON - 20_000);
    view
}

#[test]
fn a_silent_producer_is_named_with_its_clock_and_since_when() {
    let explanation = explained(&blocked(), &group());
    assert_eq!(explanation.status, KeyStatus::Gap);
    for words in [
        "order-17 waits for south (its clock is at 12, silent since 11:59:30 UTC) since 11:59:40 UTC (20 s).",
        "1 event waits for that: 4 of north, since 11:59:40 UTC.",
        "By itself it goes on when each of them sends an event or shows its clock; otherwise at 12:00:40 UTC (in 40 s) \
         (producer_lease = 1 min).",
        "You can: let each of them send an event, show its clock or leave (control messages `clock` and `leave`); \
         `ordered skip order-17` not to wait for them: what they send with an earlier time is late.",
    ] {
        assert!(explanation.text.contains(words), "{}", explanation.text);
    }
}

#[test]
fn at_rest_and_never_seen() {
    let mut rest = blocked();
    rest.waiting.clear();
    rest.holders.clear();
    (rest.held_events, rest.gap_since) = (0, None);
    let explanation = explained(&rest, &group());
    assert_eq!(explanation.status, KeyStatus::Idle);
    let words = "north is at 3, south is at 7. It goes on with the next event that comes, once nothing of another \
                 producer can";
    assert!(explanation.text.contains(words), "{}", explanation.text);
    let explanation = explain("order-17", None, &group(), None);
    let words = "It begins with the first event that comes of any producer.";
    assert!(explanation.text.contains(words), "{}", explanation.text);
}

#[test]
fn a_longest_delay_is_named_and_one_whose_time_is_over_waits_for_a_sweep() {
    let group = group_with(|policy| policy.max_delay = Some(Duration::from_secs(25)));
    let mut view = blocked();
    view.release_at = Some(NOON + 5_000);
    let words = "otherwise at 12:00:05 UTC (in 5 s) (producer_lease = 1 min, max_delay = 25 s).";
    assert_says(&view, &group, &[words]);
    view.release_at = Some(NOON - 1);
    assert_says(
        &view,
        &group,
        &["otherwise at the next sweep of a living worker"],
    );
    // A producer of which events wait for one that is missing is never given up.
    view.release_at = None;
    let words = "it goes on when each of them sends an event or shows its clock (producer_lease";
    assert_says(&view, &group, &[words]);
}

#[test]
fn an_event_that_is_missing_comes_before_who_says_nothing() {
    let after = Duration::from_secs(60);
    let group = group_with(|policy| policy.on_gap = GapPolicy::Skip { after });
    let mut view = blocked();
    view.causes = vec![CauseView {
        producer: "north".into(),
        from: 4,
        to: 4,
    }];
    let words = [
        "order-17 waits for event 4 of north since 11:59:40 UTC (20 s).",
        "By itself it is passed over at 12:00:40 UTC (in 40 s), and what waits for it runs (on_gap = skip after 1 \
         min).",
        "`ordered skip order-17` to pass over event 4 of north",
    ];
    assert_says(&view, &group, &words);
}

#[test]
fn who_left_or_was_given_up_is_told_with_how_far_it_was() {
    let mut view = blocked();
    view.producers[0].gone = Some("left".into());
    view.producers[1].gone = Some("silent".into());
    let words = "north is at 3 and has left, south is at 7 and is given up.";
    assert_says(&view, &group(), &[words]);
}

#[test]
fn halted_paused_running_and_ready() {
    let mut halted = blocked();
    (halted.phase, halted.gap_since) = ("halted".into(), None);
    halted.last_error = Some(LastErrorView {
        error: "producer `x` would be one more than the 64 that a key may have".into(),
        first_at: NOON - 20_000,
        last_at: NOON - 20_000,
        worker: "w3".into(),
    });
    let words = "order-17 is halted: it has as many producers as it may have.";
    assert_says(&halted, &group(), &[words]);
    let mut paused = blocked();
    paused.paused = true;
    assert_says(
        &paused,
        &group(),
        &["It also waits for south (its clock is at 12"],
    );
    let running = blocked().claimed(Some(NOON + 13_000));
    assert_eq!(explained(&running, &group()).status, KeyStatus::Running);
    let ready = explained(&key().holding(42..=43), &group());
    assert_eq!(ready.status, KeyStatus::Ready);
}
