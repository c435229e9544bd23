//! Keys whose order comes from the vector clocks of their producers.

use std::time::Duration;

use super::scene::{NOON, assert_text, explained, key};
use crate::explain::{KeyStatus, explain};
use crate::protocol::{
    CauseView, GapPolicy, KeyView, LastErrorView, Order, Policy, ProducerView, RepairView,
    WaitingView,
};
use crate::store::Group;

fn group(on_gap: GapPolicy) -> Group {
    let policy = Policy {
        order: Order::Causal,
        on_gap,
        ..Policy::default()
    };
    Group::new("orders", policy)
}

fn waits() -> Group {
    group(GapPolicy::Wait)
}

/// Two producers, of which one has sent an event that knows of more than has come.
fn waiting() -> KeyView {
    let mut view = key();
    view.producers = [("ada", 3, 0), ("bob", 7, 1)]
        .map(|(producer, seq, waiting)| ProducerView {
            producer: producer.into(),
            seq,
            waiting,
            time: None,
            gone: None,
        })
        .into();
    view.waiting = vec![WaitingView {
        producer: "bob".into(),
        seq: 8,
        id: "e-1".into(),
        since: NOON - 180_000,
        bytes: 100,
    }];
    view.causes = vec![CauseView {
        producer: "ada".into(),
        from: 4,
        to: 5,
    }];
    (view.held_events, view.held_bytes) = (1, 100);
    view.gap_since = Some(NOON - 180_000);
    view
}

#[test]
fn waits_for_a_cause() {
    assert_text(
        &waiting(),
        &waits(),
        "order-17 waits for events 4 to 5 of ada since 11:57:00 UTC (3 min). It is done up to seq 41, as it numbers \
         what may run (fence 9): ada is at 3, bob is at 7. 1 event waits for that: 8 of bob, since 11:57:00 UTC. \
         Nothing will happen by itself: on_gap = wait. You can: `ordered dead --transport URL --queue NAME --key \
         order-17` to see whether what is missing is a dead letter of the broker, where sending it again does not \
         help; if it is not, let its producer send events 4 to 5 of ada again; `ordered skip order-17` to pass over \
         events 4 to 5 of ada, and let run what waits for it: it is late when it comes.",
    );
}

#[test]
fn waits_for_a_cause_until_a_time() {
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    for (on_gap, words) in [
        (
            GapPolicy::Skip { after: minutes(5) },
            "By itself it is passed over at 12:02:00 UTC (in 2 min), and what waits for it runs (on_gap = skip after 5 \
             min).",
        ),
        (
            GapPolicy::Halt { after: minutes(5) },
            "By itself the key is halted at 12:02:00 UTC (in 2 min) (on_gap = halt after 5 min).",
        ),
    ] {
        let text = explained(&waiting(), &group(on_gap)).text;
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn waits_for_a_cause_that_is_asked_for() {
    let group = group(GapPolicy::Repair {
        after: Duration::from_secs(240),
    });
    let mut view = waiting();
    let text = explained(&view, &group).text;
    let words =
        "By itself it is asked for at 12:01:00 UTC (in 1 min) (on_gap = repair after 4 min).";
    assert!(text.contains(words), "{text}");
    view.repair = Some(RepairView {
        asked_at: NOON - 60_000,
        times: 1,
    });
    let text = explained(&view, &group).text;
    for words in [
        "order-17 waits for events 4 to 5 of ada since 11:57:00 UTC (3 min). It was asked for at 11:59:00 UTC (1 min \
         ago), and has not come.",
        "By itself it is asked for again at 12:07:00 UTC (in 7 min)",
    ] {
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn halted_for_a_cause_or_for_a_producer_too_many() {
    let after = Duration::from_secs(60);
    let mut view = waiting();
    view.phase = "halted".into();
    view.gap_since = None;
    view.last_error = Some(LastErrorView {
        error: "still missing after 60s: events 4 to 5 of ada".into(),
        first_at: NOON - 20_000,
        last_at: NOON - 20_000,
        worker: "w3".into(),
    });
    let explanation = explained(&view, &group(GapPolicy::Halt { after }));
    assert_eq!(explanation.status, KeyStatus::Halted);
    let words = "order-17 is halted: events 4 to 5 of ada did not come in time. It was halted at 11:59:40 UTC (20 s \
                 ago) on worker w3";
    assert!(explanation.text.starts_with(words), "{}", explanation.text);
    for words in [
        "`ordered retry order-17` to wait for it once more",
        "`ordered skip order-17` to pass over events 4 to 5 of ada",
    ] {
        assert!(explanation.text.contains(words), "{}", explanation.text);
    }
    view.causes.clear();
    view.waiting.clear();
    let text = explained(&view, &waits()).text;
    for words in [
        "order-17 is halted: it has as many producers as it may have.",
        "`ordered retry order-17` once the workers run with a higher `max_producers`, to go on",
    ] {
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn halted_for_a_cause_while_another_event_is_at_the_head() {
    let mut view = waiting();
    view.gap_since = None;
    view.phase = "halted".into();
    view.last_error = Some(LastErrorView {
        error: "events 4 to 5 of ada cannot be sent again: the archive has burnt down".into(),
        first_at: NOON - 20_000,
        last_at: NOON - 20_000,
        worker: "w3".into(),
    });
    let mut view = view.holding(42..=43);
    let text = explained(&view, &waits()).text;
    let words = "order-17 is halted: events 4 to 5 of ada did not come in time. It was halted at 11:59:40 UTC (20 s \
                 ago) on worker w3: events 4 to 5 of ada cannot be sent again: the archive has burnt down.";
    assert!(text.starts_with(words), "{text}");
    for words in [
        "`ordered retry order-17` to wait for it once more",
        "`ordered skip order-17` to pass over events 4 to 5 of ada",
    ] {
        assert!(text.contains(words), "{text}");
    }
    assert!(!text.contains("ordered edit"), "{text}");
    // They have come since then.
    view.causes.clear();
    let text = explained(&view, &waits()).text;
    let words = "order-17 is halted. It was halted at 11:59:40 UTC";
    assert!(text.starts_with(words), "{text}");
    assert!(!text.contains("ordered skip"), "{text}");
    // The event at the head has failed.
    view.attempts = 1;
    let text = explained(&view, &waits()).text;
    let words = "order-17 is halted at seq 42, which failed permanently.";
    assert!(text.starts_with(words), "{text}");
}

#[test]
fn what_was_posted_waits_for_a_worker() {
    let mut view = key();
    view.held_events = 1;
    let text = explained(&view, &waits()).text;
    let words = "order-17 waits for a worker that reads what was posted.";
    assert!(text.contains(words), "{text}");
}

#[test]
fn at_rest_running_ready_and_never_seen() {
    let mut rest = waiting();
    rest.waiting.clear();
    rest.causes.clear();
    (rest.held_events, rest.gap_since) = (0, None);
    let explanation = explained(&rest, &waits());
    assert_eq!(explanation.status, KeyStatus::Idle);
    let words =
        "It goes on with the next event that comes of any producer, and whose causes have run.";
    assert!(explanation.text.contains(words), "{}", explanation.text);
    let claimed = waiting().claimed(Some(NOON + 13_000));
    assert_eq!(explained(&claimed, &waits()).status, KeyStatus::Running);
    let ready = explained(&key().holding(42..=43), &waits());
    assert_eq!(ready.status, KeyStatus::Ready);
    let explanation = explain("order-17", None, &waits(), None);
    let words = "It begins with the first event of a producer that knows of no other.";
    assert!(explanation.text.contains(words), "{}", explanation.text);
}

#[test]
fn a_paused_key_says_what_it_would_wait_for() {
    let mut view = waiting();
    view.paused = true;
    let text = explained(&view, &waits()).text;
    assert!(
        text.contains("It also waits for events 4 to 5 of ada."),
        "{text}"
    );
}
