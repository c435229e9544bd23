//! Keys that are at rest or go on by themselves.

use super::scene::{NOON, assert_text, explained, key, waiting, worker};
use crate::explain::{Standing, explain};

#[test]
fn never_seen() {
    let explanation = explain("order-17", None, &waiting(), Some(&[]));
    assert_eq!(explanation.standing, Standing::NeverSeen);
    assert_eq!(
        explanation.text,
        "order-17 is not known to the group `orders`: no event of it has come, and nothing of it is kept. It begins \
         when its seq 1 comes. But no worker of the group is alive. You can: `ordered keys` to look at how the keys are \
         spelled."
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
fn idle_with_events_that_were_put_aside() {
    let view = key().aside(17, "failed", false).aside(20, "skipped", false);
    assert_text(
        &view,
        &waiting(),
        "order-17 is idle: nothing of it waits. It is done up to seq 41 (fence 9). 2 events were put aside: seq 17 \
         (failed at 11:00:00 UTC, 5 attempts: no luck); seq 20 (skipped at 11:00:00 UTC). It goes on when seq 42 comes. \
         You can: `ordered replay order-17` to run again what was put aside; `ordered discard order-17 17` to delete one \
         of them for good.",
    );
}

#[test]
fn running() {
    let view = key()
        .claimed(&[42, 43], Some(NOON + 13_000))
        .holding(42..=59);
    let explanation = explained(&view, &waiting());
    assert_eq!(
        (explanation.standing, explanation.seq, explanation.since),
        (Standing::Running, Some(42), Some(NOON - 4_000))
    );
    assert_eq!(
        explanation.text,
        "order-17 is running: worker w3 has it since 11:59:56 UTC (4 s) and is at seq 42, attempt 1 of 5. It is done up \
         to seq 41 (fence 9). 18 events are held: 42–59 (1.8 kB), the oldest with id e-42 since 11:59:42 UTC. It goes on \
         when the handler is done; if w3 dies, another worker takes the key over after 12:00:13 UTC, the end of its \
         lease. You can: `ordered pause order-17` to stop it after the event at work."
    );
}

#[test]
fn running_after_a_failure() {
    let mut view = key()
        .failed(3, "open", None)
        .claimed(&[42], Some(NOON + 13_000));
    view.attempts = 3;
    let text = explained(&view, &waiting()).text;
    assert!(
        text.contains("is at seq 42, attempt 3 of 5. Attempt 2 of 5 failed at 11:59:40 UTC (20 s ago) on worker w3"),
        "{text}"
    );
}

#[test]
fn running_a_replay() {
    let mut view = key()
        .aside(17, "failed", true)
        .claimed(&[17], Some(NOON + 13_000));
    view.dead[0].attempts = 1;
    let text = explained(&view, &waiting()).text;
    assert!(
        text.contains("is at seq 17 again (a replay), attempt 1 of 5. It is done up to seq 41"),
        "{text}"
    );
}

#[test]
fn behind_a_dead_worker() {
    let view = key().claimed(&[42], Some(NOON - 2_000)).holding(42..=43);
    assert_text(
        &view,
        &waiting(),
        "order-17 is behind a dead worker: w3 has it since 11:59:56 UTC (4 s), whose lease ended at 11:59:58 UTC (2 s \
         ago); it was at seq 42, attempt 1 of 5. It is done up to seq 41 (fence 9). 2 events are held: 42–43 (200 B), the \
         oldest with id e-42 since 11:59:58 UTC. Another worker takes it over at the next sweep of a living worker, which \
         is every second unless set otherwise.",
    );
}

#[test]
fn behind_a_dead_worker_whose_event_the_broker_has() {
    let view = key().claimed(&[42], None);
    let explanation = explain("order-17", Some(&view), &waiting(), Some(&[worker(false)]));
    assert_eq!(explanation.standing, Standing::Abandoned);
    assert_eq!(
        explanation.text,
        "order-17 is behind a dead worker: w3 has it since 11:59:56 UTC (4 s), which has no lease any more; it was at seq \
         42, attempt 1 of 5. It is done up to seq 41 (fence 9). Another worker takes it over when the broker delivers seq \
         42 again. But no worker of the group is alive. You can: start a worker of the group."
    );
}

#[test]
fn ready() {
    assert_text(
        &key().holding(42..=43),
        &waiting(),
        "order-17 is about to run seq 42: it is held, and no worker has the key. It is done up to seq 41 (fence 9). 2 \
         events are held: 42–43 (200 B), the oldest with id e-42 since 11:59:58 UTC. A worker takes it at the next sweep \
         of a living worker, which is every second unless set otherwise.",
    );
}

#[test]
fn a_replay_that_is_pending() {
    let view = key().aside(17, "failed", true).aside(18, "skipped", true);
    let explanation = explained(&view, &waiting());
    assert_eq!(
        (explanation.standing, explanation.seq),
        (Standing::Ready, Some(17))
    );
    assert!(
        explanation.text.starts_with(
            "order-17 is about to run seq 17–18 again, which an operator replays. It is done up to seq 41 (fence 9). 2 \
             events were put aside: seq 17 (failed at 11:00:00 UTC, 5 attempts: no luck, to be run again); seq 18 "
        ),
        "{}",
        explanation.text
    );
}
