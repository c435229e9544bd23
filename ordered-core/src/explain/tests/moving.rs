//! Keys that are at rest or go on by themselves.

use super::scene::{NOON, assert_text, explained, key, waiting, worker};
use crate::explain::{KeyStatus, explain};
use crate::protocol::WorkerId;

#[test]
fn never_seen() {
    let explanation = explain("order-17", None, &waiting(), Some(&[]));
    assert_eq!(explanation.status, KeyStatus::NeverSeen);
    assert_eq!(
        explanation.text,
        "order-17 is not known to the group `orders`: no event of it has come, and nothing of it is kept. It begins \
         when its seq 1 comes. But no worker of the group is alive. You can: `ordered keys` to look at how the keys \
         are spelled."
    );
}

#[test]
fn idle() {
    assert_text(
        &key(),
        &waiting(),
        "order-17 is idle: nothing of it waits. It is done up to seq 41 (fence 9). It goes on when seq 42 comes.",
    );
}

#[test]
fn idle_with_dead_letters() {
    let view = key().aside(17, "failed", false).aside(20, "skipped", false);
    assert_text(
        &view,
        &waiting(),
        "order-17 is idle: nothing of it waits. It is done up to seq 41 (fence 9). 2 events were dead-lettered: seq 17 \
         (failed at 11:00:00 UTC, 5 attempts: no luck); seq 20 (skipped at 11:00:00 UTC). It goes on when seq 42 \
         comes. You can: `ordered replay order-17` to run the dead letters again; `ordered discard order-17 17` to \
         delete one of them permanently.",
    );
}

#[test]
fn running() {
    let view = key().claimed(Some(NOON + 13_000)).holding(42..=59);
    let explanation = explained(&view, &waiting());
    assert_eq!(
        (explanation.status, explanation.seq, explanation.since),
        (KeyStatus::Running, None, Some(NOON - 4_000))
    );
    assert_eq!(
        explanation.text,
        "order-17 is running: worker w3 has it since 11:59:56 UTC (4 s). It is done up to seq 41 (fence 9). 18 events \
         are held: 42–59 (1.8 kB), the oldest with id e-42 since 11:59:42 UTC. It goes on when the handler is done; if \
         w3 dies, another worker takes the key over after 12:00:13 UTC, the end of its lease. You can: `ordered pause \
         order-17` to stop it after the event at work; `ordered pause order-17 --force` to take it away from the \
         worker at once: the handler is not stopped, what it did cannot be committed, and the event runs again."
    );
}

#[test]
fn running_after_a_failure() {
    let view = key().failed(2, "open", None).claimed(Some(NOON + 13_000));
    let explanation = explained(&view, &waiting());
    assert_eq!(explanation.attempts, 2);
    let text = explanation.text;
    assert!(
        text.contains("Attempt 2 failed at 11:59:40 UTC (20 s ago) on worker w3"),
        "{text}"
    );
}

#[test]
fn running_while_somebody_waits_for_it() {
    let mut view = key().claimed(Some(NOON + 13_000));
    view.claim.as_mut().unwrap().hand_over = true;
    let text = explained(&view, &waiting()).text;
    assert!(
        text.contains("has it since 11:59:56 UTC (4 s). Another worker or an operator waits for it. It is done"),
        "{text}"
    );
    assert!(
        text.contains("The worker hands it over at the end of the event at work; if w3 dies,"),
        "{text}"
    );
}

#[test]
fn in_the_hands_of_an_operator() {
    let mut view = key().claimed(Some(NOON + 10_000));
    view.claim.as_mut().unwrap().worker = WorkerId::operator("ada@host", 7).as_str().into();
    assert_text(
        &view,
        &waiting(),
        "order-17 is in the hands of operator ada@host since 11:59:56 UTC (4 s), for one verb. It is done up to seq 41 \
         (fence 9). It is given up when the verb is done, after 12:00:10 UTC at the latest, the end of the operator's \
         lease.",
    );
    view.claim.as_mut().unwrap().lease_until = Some(NOON - 2_000);
    let text = explained(&view, &waiting()).text;
    assert!(
        text.starts_with("order-17 is behind an operator who did not come to an end: operator ada@host has it since"),
        "{text}"
    );
}

#[test]
fn behind_a_dead_worker() {
    let view = key().claimed(Some(NOON - 2_000)).holding(42..=43);
    assert_text(
        &view,
        &waiting(),
        "order-17 is behind a dead worker: worker w3 has it since 11:59:56 UTC (4 s), whose lease ended at 11:59:58 \
         UTC (2 s ago). It is done up to seq 41 (fence 9). 2 events are held: 42–43 (200 B), the oldest with id e-42 \
         since 11:59:58 UTC. Another worker takes it over within two sweeps, which are a second apart unless set \
         otherwise.",
    );
}

#[test]
fn behind_a_dead_worker_without_a_lease_or_anybody_alive() {
    let view = key().claimed(None);
    let explanation = explain("order-17", Some(&view), &waiting(), Some(&[worker(false)]));
    assert_eq!(explanation.status, KeyStatus::Abandoned);
    assert_eq!(
        explanation.text,
        "order-17 is behind a dead worker: worker w3 has it since 11:59:56 UTC (4 s), which has no lease any more. It \
         is done up to seq 41 (fence 9). Another worker takes it over within two sweeps, which are a second apart \
         unless set otherwise. But no worker of the group is alive. You can: start a worker of the group."
    );
}

#[test]
fn a_suspect_that_waits_for_its_trial() {
    let explanation = explained(&key().died(2, 0).holding([42, 43]), &waiting());
    assert_eq!(
        (explanation.status, explanation.seq, explanation.attempts),
        (KeyStatus::Suspect, Some(42), 0)
    );
    assert_eq!(
        explanation.text,
        "order-17 waits to run seq 42 alone, because its workers died and that event may be the cause. Its workers \
         died 2 times. What went wrong last, at 11:59:40 UTC (20 s ago) on worker w3: worker w3 died while it owned \
         the key. It is done up to seq 41 (fence 9). 2 events are held: 42–43 (200 B), the oldest with id e-42 since \
         11:59:58 UTC. A worker runs it alone when no other suspect is on trial there; if it dies again, that counts \
         against the event, and otherwise the key goes on. You can: `ordered retry order-17` to run it as if no worker \
         had died and go on with 43; `ordered edit order-17 42 --payload FILE` to give it another body first; `ordered \
         skip order-17` to make it a dead letter and go on with 43."
    );
}

#[test]
fn a_suspect_on_trial() {
    let mut view = key().died(3, 1).holding([42]).claimed(Some(NOON + 13_000));
    view.on_trial = true;
    let explanation = explained(&view, &waiting());
    assert_eq!(
        (explanation.status, explanation.seq),
        (KeyStatus::Running, Some(42))
    );
    let text = explanation.text;
    assert!(
        text.starts_with(
            "order-17 is on trial: worker w3 has it since 11:59:56 UTC (4 s) and runs seq 42 alone, because workers \
             died and that event may be the cause. Its workers died 3 times, 1 of 5 while they ran the event alone. \
             What went wrong last, at"
        ),
        "{text}"
    );
    assert!(
        text.contains(
            "It goes on when the handler is done; if w3 dies, that is death 2 of 5 of a worker that runs it alone."
        ),
        "{text}"
    );
    view.claim.as_mut().unwrap().lease_until = None;
    let explanation = explained(&view, &waiting());
    assert_eq!(explanation.status, KeyStatus::Abandoned);
    assert!(
        explanation
            .text
            .contains("which has no lease any more; it ran seq 42 alone."),
        "{}",
        explanation.text
    );
}

#[test]
fn ready() {
    assert_text(
        &key().holding(42..=43),
        &waiting(),
        "order-17 is about to run seq 42: it is held, and no worker has the key. It is done up to seq 41 (fence 9). 2 \
         events are held: 42–43 (200 B), the oldest with id e-42 since 11:59:58 UTC. A worker takes it at the next \
         sweep of a living worker, which is every second unless set otherwise.",
    );
}

#[test]
fn a_replay_that_is_pending() {
    let view = key().aside(17, "failed", true).aside(18, "skipped", true);
    let explanation = explained(&view, &waiting());
    assert_eq!(
        (explanation.status, explanation.seq),
        (KeyStatus::Ready, Some(17))
    );
    assert!(
        explanation.text.starts_with(
            "order-17 is about to run seq 17–18 again, which an operator replays. It is done up to seq 41 (fence 9). 2 \
             events were dead-lettered: seq 17 (failed at 11:00:00 UTC, 5 attempts: no luck, to be run again); seq 18 "
        ),
        "{}",
        explanation.text
    );
}
