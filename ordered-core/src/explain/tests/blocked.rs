//! Keys that are blocked: by a gap, a failure, an operator.

use super::scene::{NOON, assert_text, explained, group, key, minutes, waiting, worker};
use crate::admin::Admin;
use crate::explain::{KeyStatus, explain};
use crate::protocol::{GapPolicy, LastErrorView, Policy, RepairView, Start};
use crate::store::Group;

#[test]
fn a_gap_that_is_waited_for() {
    let view = key().holding(43..=59).gap_since(180_000);
    let explanation = explained(&view, &waiting());
    assert_eq!(
        (explanation.status, explanation.seq, explanation.next_step),
        (KeyStatus::Gap, Some(42), None)
    );
    assert_eq!(
        explanation.text,
        "order-17 waits for seq 42 since 11:57:00 UTC (3 min). It is done up to seq 41 (fence 9). 17 events are held: \
         43–59 (1.7 kB), the oldest with id e-43 since 11:59:43 UTC. Nothing will happen by itself: on_gap = wait. You \
         can: `ordered dead --transport URL --queue NAME --key order-17` to see whether what is missing is a dead \
         letter of the broker, where sending it again does not help; if it is not, let the producer send seq 42 again; \
         `ordered skip order-17` to pass over 42 and go on with 43."
    );
}

#[test]
fn at_the_beginning_of_a_stream_nobody_is_asked_to_send_all_of_it_again() {
    let mut view = key().holding([4711]).gap_since(180_000);
    (view.last_seq, view.next_seq) = (0, 1);
    let explanation = explained(&view, &waiting());
    let commands: Vec<Option<&str>> = explanation
        .suggested_actions
        .iter()
        .map(|remedy| remedy.command.as_deref())
        .collect();
    assert_eq!(
        commands,
        [
            Some("ordered set-last order-17 4710"),
            Some("ordered dead --transport URL --queue NAME --key order-17"),
            Some("ordered skip order-17"),
        ]
    );
    assert!(
        !explanation.text.contains("send seq"),
        "{}",
        explanation.text
    );
    assert!(
        explanation
            .text
            .contains("if seq 1–4710 was handled before this group was there (`ordered import` sets many keys)"),
        "{}",
        explanation.text
    );
}

#[test]
fn a_gap_that_is_passed_over_in_time() {
    let view = key().holding([45]).gap_since(180_000);
    let after = minutes(5);
    let explanation = explained(&view, &group(GapPolicy::Skip { after }));
    assert_eq!(explanation.next_step.unwrap().at, Some(NOON + 120_000));
    assert_eq!(
        explanation.text,
        "order-17 waits for seq 42–44 since 11:57:00 UTC (3 min). It is done up to seq 41 (fence 9). 1 event is held: \
         45 (100 B), id e-45 since 11:59:59 UTC. By itself it is passed over at 12:02:00 UTC (in 2 min), and the key \
         goes on with seq 45 (on_gap = skip after 5 min). You can: `ordered dead --transport URL --queue NAME --key \
         order-17` to see whether what is missing is a dead letter of the broker, where sending it again does not \
         help; if it is not, let the producer send seq 42–44 again; `ordered skip order-17` to pass over 42–44 and go \
         on with 45."
    );
}

#[test]
fn a_gap_at_which_the_key_is_halted_in_time() {
    let view = key().holding([43]).gap_since(180_000);
    let after = minutes(2);
    let text = explained(&view, &group(GapPolicy::Halt { after })).text;
    assert!(
        text.contains(
            "By itself the key is halted at the next sweep of a living worker, which is every second unless set \
             otherwise: its time was over at 11:59:00 UTC (on_gap = halt after 2 min)."
        ),
        "{text}"
    );
}

#[test]
fn a_gap_whose_events_are_asked_for() {
    let mut view = key().holding([45]).gap_since(180_000);
    let group = group(GapPolicy::Repair { after: minutes(4) });
    let text = explained(&view, &group).text;
    assert!(
        text.contains(
            "By itself it is asked for at 12:01:00 UTC (in 1 min) (on_gap = repair after 4 min)."
        ),
        "{text}"
    );
    let asked_at = NOON - 60_000;
    view.repair = Some(RepairView { asked_at, times: 1 });
    let text = explained(&view, &group).text;
    assert!(
        text.starts_with(
            "order-17 waits for seq 42–44 since 11:57:00 UTC (3 min). It was asked for at 11:59:00 UTC (1 min ago), \
             and has not come. It is done up to seq 41"
        ),
        "{text}"
    );
    assert!(
        text.contains("By itself it is asked for again at 12:07:00 UTC (in 7 min)"),
        "{text}"
    );
    view.repair = Some(RepairView { asked_at, times: 3 });
    let text = explained(&view, &group).text;
    assert!(
        text.contains(
            " It was asked for 3 times, last at 11:59:00 UTC (1 min ago), and has not come."
        ),
        "{text}"
    );
}

#[test]
fn what_will_never_come_is_not_waited_for() {
    let mut view = key().holding([48, 49]).gap_since(1_000);
    view.absent = vec![(44, 45), (50, 60)];
    let text = explained(&view, &waiting()).text;
    assert!(
        text.starts_with("order-17 waits for seq 42–43, 46–47 since"),
        "{text}"
    );
    assert!(
        text.contains("Of seq 44–45, 50–60 it is known that nothing will come."),
        "{text}"
    );
}

#[test]
fn backing_off() {
    let view = key()
        .failed(2, "backing_off", Some(NOON + 10_000))
        .holding(42..=43);
    let explanation = explained(&view, &waiting());
    assert_eq!(
        (explanation.status, explanation.attempts),
        (KeyStatus::BackingOff, 2)
    );
    assert_eq!(
        explanation.text,
        "order-17 backs off: seq 42 failed and will be tried again. Attempt 2 failed at 11:59:40 UTC (20 s ago) on \
         worker w3: the price is not known\\n  caused by: no row. The first failed at 11:57:00 UTC (3 min ago). It is \
         done up to seq 41 (fence 9). 2 events are held: 42–43 (200 B), the oldest with id e-42 since 11:59:58 UTC. By \
         itself it is tried again at 12:00:10 UTC (in 10 s), attempt 3; if it still fails at 12:57:00 UTC, it is given \
         up. You can: `ordered retry order-17` to run it now and go on with 43; `ordered edit order-17 42 --payload \
         FILE` to give it another body first; `ordered skip order-17` to make it a dead letter and go on with 43."
    );
}

#[test]
fn the_end_of_backing_off() {
    let view = key()
        .failed(2, "backing_off", Some(NOON + 10_000))
        .holding([42]);
    for (give_up_after, most, said) in [
        (
            Some(minutes(60)),
            Some(5),
            "attempt 3 of 5; if it still fails at 12:57:00 UTC, it is given up.",
        ),
        (None, Some(5), "attempt 3 of 5."),
        (None, None, "attempt 3."),
        (Some(minutes(3)), None, "attempt 3, the last."),
    ] {
        let mut policy = waiting().policy().clone();
        policy.give_up_after = give_up_after;
        policy.max_attempts = most;
        let text = explained(&view, &Group::new("orders", policy)).text;
        let again = "By itself it is tried again at 12:00:10 UTC (in 10 s)";
        assert!(text.contains(&format!("{again}, {said}")), "{text}");
    }
}

#[test]
fn due_again() {
    let view = key()
        .failed(2, "backing_off", Some(NOON - 1_000))
        .holding([42]);
    let explanation = explain("order-17", Some(&view), &waiting(), Some(&[worker(false)]));
    assert_eq!(explanation.status, KeyStatus::Ready);
    assert!(
        explanation
            .text
            .starts_with("order-17 is about to run seq 42 again, which failed and is due since 11:59:59 UTC (1 s)."),
        "{}",
        explanation.text
    );
    assert!(
        explanation
            .text
            .contains("But no worker of the group is alive. You can: start a worker of the group."),
        "{}",
        explanation.text
    );
}

#[test]
fn a_replay_that_backs_off() {
    let mut view = key().aside(17, "failed", true);
    view.phase = "backing_off".into();
    view.due = Some(NOON + 10_000);
    view.dead[0].replay_attempts = 1;
    let explanation = explained(&view, &waiting());
    assert_eq!((explanation.seq, explanation.attempts), (Some(17), 1));
    assert!(
        explanation.text.starts_with(
            "order-17 backs off: seq 17, which is replayed, failed and will be tried again. Attempt 1 of 5 of the \
             replay failed. It is done up to seq 41"
        ),
        "{}",
        explanation.text
    );
}

#[test]
fn halted_at_an_event() {
    let view = key().failed(5, "halted", None).holding(42..=92);
    let explanation = explained(&view, &waiting());
    assert_eq!(
        (explanation.status, explanation.next_step),
        (KeyStatus::Halted, None)
    );
    assert_eq!(
        explanation.suggested_actions[0].command.as_deref(),
        Some("ordered retry order-17")
    );
    assert_eq!(
        explanation.text,
        "order-17 is halted at seq 42, which failed permanently. Attempt 5 failed at 11:59:40 UTC (20 s ago) on worker \
         w3: the price is not known\\n  caused by: no row. The first failed at 11:57:00 UTC (3 min ago). It is done up \
         to seq 41 (fence 9). 51 events are held: 42–92 (5.1 kB), the oldest with id e-42 since 11:59:09 UTC. Nothing \
         will happen by itself: a halted key stays so until an operator decides. You can: `ordered retry order-17` \
         once its cause is fixed, to run it again and go on with 43; `ordered edit order-17 42 --payload FILE` to give \
         it another body first; `ordered skip order-17` to make it a dead letter and go on with 43."
    );
}

#[test]
fn halted_because_its_workers_died() {
    let mut view = key().died(7, 5).holding([42, 43]);
    view.phase = "halted".into();
    view.suspect = false;
    let explanation = explained(&view, &waiting());
    assert_eq!(explanation.status, KeyStatus::Halted);
    let text = explanation.text;
    assert!(
        text.starts_with(
            "order-17 is halted at seq 42: the workers that ran it alone died. Its workers died 7 times, 5 of 5 while \
             they ran the event alone. What went wrong last, at 11:59:40 UTC (20 s ago) on worker w3: worker w3 died \
             while"
        ),
        "{text}"
    );
    assert!(
        text.ends_with("`ordered skip order-17` to make it a dead letter and go on with 43."),
        "{text}"
    );
    // The broker has the event, and the store has not.
    view.held.remove(0);
    let text = explained(&view, &waiting()).text;
    assert!(
        text.starts_with("order-17 is halted at seq 42: the workers that ran it alone died. Its workers died 7 times"),
        "{text}"
    );
    assert!(
        text.ends_with("`ordered skip order-17 --to 42` to pass over it and go on with 43."),
        "{text}"
    );
}

#[test]
fn unreadable() {
    let mut view = key();
    (view.last_seq, view.phase) = (0, Admin::UNREADABLE.into());
    view.last_error = Some(LastErrorView {
        error: "key \"order-17\": the state of the key is damaged: it is empty".into(),
        first_at: NOON,
        last_at: NOON,
        worker: String::new(),
    });
    let explanation = explained(&view, &waiting());
    assert_eq!(
        (explanation.status, explanation.seq),
        (KeyStatus::Unreadable, None)
    );
    assert_eq!(
        explanation.text,
        "order-17 cannot be read. key \"order-17\": the state of the key is damaged: it is empty. Nothing will happen \
         by itself: nobody can decide about a key that cannot be read. You can: run workers and this tool in the \
         version of the newest worker."
    );
}

#[test]
fn halted_at_a_gap() {
    let mut view = key().failed(0, "halted", None).holding([44]);
    view.last_error.as_mut().unwrap().error = "seq 42 has not come for 300s".into();
    assert_text(
        &view,
        &waiting(),
        "order-17 is halted before seq 42, which has not come in time. It was halted at 11:59:40 UTC (20 s ago) on \
         worker w3: seq 42 has not come for 300s. It is done up to seq 41 (fence 9). 1 event is held: 44 (100 B), id \
         e-44 since 11:59:59 UTC. Nothing will happen by itself: a halted key stays so until an operator decides. You \
         can: `ordered retry order-17` to wait for it once more; `ordered skip order-17` to pass over 42–43 and go on \
         with 44.",
    );
}

#[test]
fn a_paused_key() {
    let mut view = key().holding([42]);
    view.paused = true;
    assert_text(
        &view,
        &waiting(),
        "order-17 is paused. Else seq 42 could run. It is done up to seq 41 (fence 9). 1 event is held: 42 (100 B), id \
         e-42 since 11:59:59 UTC. Nothing will happen by itself: nothing of it runs until it is resumed. You can: \
         `ordered resume order-17` to let the key go on.",
    );
}

#[test]
fn a_key_that_begins_with_what_comes_first() {
    let mut view = key().holding([57, 58]).gap_since(4_000);
    (view.last_seq, view.next_seq) = (0, 1);
    let settle = std::time::Duration::from_secs(10);
    let policy = Policy {
        start: Start::FirstSeen { settle },
        ..Policy::default()
    };
    let group = Group::new("orders", policy);
    let explanation = explained(&view, &group);
    let words = "By itself it begins with seq 57 at 12:00:06 UTC (in 6 s), unless a smaller one comes first (start = \
                 first_seen, settle = 10 s).";
    assert!(explanation.text.contains(words), "{}", explanation.text);
    assert_eq!(explanation.next_step.unwrap().at, Some(NOON + 6_000));
}

#[test]
fn a_key_that_is_paused_for_a_time() {
    let mut view = key().holding([42]);
    (view.paused, view.paused_until) = (true, Some(NOON + 600_000));
    assert_text(
        &view,
        &waiting(),
        "order-17 is paused until 12:10:00 UTC. Else seq 42 could run. It is done up to seq 41 (fence 9). 1 event is \
         held: 42 (100 B), id e-42 since 11:59:59 UTC. The pause ends at 12:10:00 UTC (in 10 min), and the key goes \
         on. You can: `ordered resume order-17` to let the key go on.",
    );
    let next_step = explained(&view, &waiting()).next_step.unwrap();
    assert_eq!(next_step.at, Some(NOON + 600_000));
    view.group_paused = true;
    let explanation = explained(&view, &waiting());
    assert_eq!(explanation.next_step, None);
    let words = "order-17 is paused until 12:10:00 UTC, and so is its whole group.";
    assert!(explanation.text.starts_with(words), "{}", explanation.text);
}

#[test]
fn a_paused_group() {
    let mut view = key();
    view.group_paused = true;
    assert_text(
        &view,
        &waiting(),
        "order-17 is paused with its whole group `orders`. Nothing of it waits. It is done up to seq 41 (fence 9). \
         Nothing will happen by itself: nothing of it runs until it is resumed. You can: `ordered resume` to let \
         the group go on.",
    );
}

#[test]
fn a_pause_beside_something_else() {
    let mut view = key().failed(5, "halted", None).holding([42]);
    view.paused = true;
    let explanation = explained(&view, &waiting());
    assert_eq!(
        (explanation.status, explanation.paused),
        (KeyStatus::Halted, vec!["key".to_owned()])
    );
    assert!(explanation.text.contains("It is paused as well."));
    let mut view = key().claimed(Some(NOON + 1_000));
    view.paused = true;
    let text = explained(&view, &waiting()).text;
    assert!(
        text.contains("The worker finishes the event that it runs, and gives the key back."),
        "{text}"
    );
}

#[test]
fn a_key_from_outside_cannot_write_to_the_terminal_or_to_the_shell() {
    let mut view = key().holding([43]).gap_since(1_000);
    view.key = "a\u{1b}]0;b $(x)".into();
    let text = explained(&view, &waiting()).text;
    assert!(!text.contains('\u{1b}'));
    assert!(text.contains("`ordered skip $'a\\x1b]0;b $(x)'`"), "{text}");
}
