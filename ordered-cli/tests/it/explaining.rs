//! `explain` for every state that a key can be in, on real Redis with real workers.

use std::time::Duration;

use ordered_core::handler::{Backoff, OnExhausted};
use ordered_core::protocol::GapPolicy;

use crate::support::{Fixture, HandlerAction, masked};

const HOUR: Duration = Duration::from_secs(3_600);

async fn explained(fixture: &Fixture, key: &str) -> String {
    masked(&fixture.run(&["explain", key]).await.ok())
}

#[tokio::test]
async fn never_seen() {
    let fixture = Fixture::calm().await;
    let worker = fixture.start("w1", |worker| worker);
    fixture.publish("other", 1..=1).await;
    fixture.until_done("other", 1).await;
    assert_eq!(
        explained(&fixture, "order-17").await,
        "order-17 is not known to the group `orders`: no event of it has come, and nothing of it is kept. It begins \
         when its seq 1 comes. You can: `ordered keys` to look at how the keys are spelled."
    );
    worker.stop().await;
}

#[tokio::test]
async fn idle() {
    let fixture = Fixture::calm().await;
    let worker = fixture.start("w1", |worker| worker);
    fixture.publish("order-17", 1..=3).await;
    fixture.until_done("order-17", 3).await;
    let text = explained(&fixture, "order-17").await;
    let fence = fixture.view("order-17").await.unwrap().fence;
    assert_eq!(
        text,
        format!(
            "order-17 is idle: nothing of it waits. It is done up to seq 3 (fence {fence}). It goes on when seq 4 \
             comes."
        )
    );
    worker.stop().await;
}

#[tokio::test]
async fn running() {
    let fixture = Fixture::new(|context, _| match context.seq().get() {
        3 => HandlerAction::Hang,
        _ => HandlerAction::Succeed,
    })
    .await;
    let worker = fixture.start("w3", |worker| worker);
    fixture.publish("order-17", 1..=3).await;
    fixture
        .until("order-17", "at 3", |view| {
            view.last_seq == 2 && view.claim.is_some()
        })
        .await;
    let fence = fixture.view("order-17").await.unwrap().fence;
    assert_eq!(
        explained(&fixture, "order-17").await,
        format!(
            "order-17 is running: worker w3 has it since T (D). It is done up to seq 2 (fence {fence}). It goes on \
             when the handler is done; if w3 dies, another worker takes the key over after T, the end of its lease. \
             You can: `ordered pause order-17` to stop it after the event at work; `ordered pause order-17 --force` to \
             take it away from the worker at once: the handler is not stopped, what it did cannot be committed, and \
             the event runs again."
        )
    );
    worker.kill().await;
}

#[tokio::test]
async fn behind_a_dead_worker() {
    let fixture = Fixture::new(|_, _| HandlerAction::Hang).await;
    let worker = fixture.start("w3", |worker| worker.lease(Duration::from_millis(300)));
    fixture.publish("order-17", 1..=1).await;
    fixture
        .until("order-17", "at 1", |view| view.claim.is_some())
        .await;
    worker.kill().await;
    fixture
        .until("order-17", "abandoned", |view| {
            let lease = view.claim.as_ref().and_then(|claim| claim.lease_until);
            lease.is_some_and(|until| until <= view.now)
        })
        .await;
    let fence = fixture.view("order-17").await.unwrap().fence;
    assert_eq!(
        explained(&fixture, "order-17").await,
        format!(
            "order-17 is behind a dead worker: worker w3 has it since T (D), whose lease ended at T (D ago). Nothing \
             of it is done yet (fence {fence}). Another worker takes it over within two sweeps, which are a second \
             apart unless set otherwise. But no worker of the group is alive. You can: start a worker of the group."
        )
    );
}

#[tokio::test]
async fn a_gap_under_each_policy() {
    let policies = [
        (
            GapPolicy::Wait,
            "Nothing will happen by itself: on_gap = wait.",
        ),
        (
            GapPolicy::Skip { after: HOUR },
            "By itself it is passed over at T (in D), and the key goes on with seq 4 (on_gap = skip after D).",
        ),
        (
            GapPolicy::Halt { after: HOUR },
            "By itself the key is halted at T (in D) (on_gap = halt after D).",
        ),
    ];
    for (policy, next_step) in policies {
        let fixture = Fixture::calm().await;
        let worker = fixture.start("w1", |worker| worker.on_gap(policy));
        fixture.publish("order-17", [1, 4, 5]).await;
        fixture
            .until_at_rest("order-17", "in a gap", |view| {
                view.held_events == 2 && view.gap_since.is_some()
            })
            .await;
        let fence = fixture.view("order-17").await.unwrap().fence;
        assert_eq!(
            explained(&fixture, "order-17").await,
            format!(
                "order-17 waits for seq 2–3 since T (D). It is done up to seq 1 (fence {fence}). 2 events are held: \
                 4–5 (100 B), the oldest with id order-17-4 since T. {next_step} You can: `ordered dead --transport \
                 URL --queue NAME --key order-17` to see whether what is missing is a dead letter of the broker, where \
                 sending it again does not help; if it is not, let the producer send seq 2–3 again; `ordered skip \
                 order-17` to pass over 2–3 and go on with 4."
            )
        );
        worker.stop().await;
    }
}

#[tokio::test]
async fn backing_off() {
    let fixture = Fixture::new(|_, _| HandlerAction::Fail).await;
    let backoff = Backoff {
        base: HOUR,
        cap: HOUR,
    };
    let worker = fixture.start("w3", |worker| worker.backoff(backoff).seed(7));
    fixture.publish("order-17", 1..=2).await;
    fixture
        .until_at_rest("order-17", "backing off", |view| {
            view.due.is_some_and(|due| due > view.now) && view.held_events == 2
        })
        .await;
    let fence = fixture.view("order-17").await.unwrap().fence;
    assert_eq!(
        explained(&fixture, "order-17").await,
        format!(
            "order-17 backs off: seq 1 failed and will be tried again. Attempt 1 failed at T (D ago) on worker w3: no \
             luck. Nothing of it is done yet (fence {fence}). 2 events are held: 1–2 (99 B), the oldest with id \
             order-17-1 since T. By itself it is tried again at T (in D), attempt 2; if it still fails at T, it is \
             given up. You can: `ordered retry order-17` to run it now and go on with 2; `ordered edit order-17 1 \
             --payload FILE` to give it another body first; `ordered skip order-17` to make it a dead letter and go on \
             with 2."
        )
    );
    worker.stop().await;
}

#[tokio::test]
async fn halted() {
    let fixture = Fixture::new(|context, _| match context.seq().get() {
        2 => HandlerAction::FailPermanently,
        _ => HandlerAction::Succeed,
    })
    .await;
    let worker = fixture.start("w3", |worker| worker);
    fixture.publish("order-17", 1..=4).await;
    fixture
        .until_at_rest("order-17", "halted", |view| {
            view.phase == "halted" && view.held_events == 3
        })
        .await;
    let fence = fixture.view("order-17").await.unwrap().fence;
    let text = explained(&fixture, "order-17").await;
    let (before, rest) = text.split_once("the oldest with id ").unwrap();
    assert_eq!(
        before,
        format!(
            "order-17 is halted at seq 2, which failed permanently. Attempt 1 failed at T (D ago) on worker w3: never. \
             It is done up to seq 1 (fence {fence}). 3 events are held: 2–4 (149 B), "
        )
    );
    let (_, rest) = rest.split_once(" since T. ").unwrap();
    assert_eq!(
        rest,
        "Nothing will happen by itself: a halted key stays so until an operator decides. You can: `ordered retry \
         order-17` once its cause is fixed, to run it again and go on with 3; `ordered edit order-17 2 --payload FILE` \
         to give it another body first; `ordered skip order-17` to make it a dead letter and go on with 3."
    );
    worker.stop().await;
}

#[tokio::test]
async fn halted_at_a_gap() {
    let fixture = Fixture::calm().await;
    let after = Duration::from_millis(20);
    let worker = fixture.start("w3", |worker| worker.on_gap(GapPolicy::Halt { after }));
    fixture.publish("order-17", [3]).await;
    fixture
        .until_at_rest("order-17", "halted", |view| view.phase == "halted")
        .await;
    let fence = fixture.view("order-17").await.unwrap().fence;
    let fence = if fence == 0 {
        String::new()
    } else {
        format!(" (fence {fence})")
    };
    assert_eq!(
        explained(&fixture, "order-17").await,
        format!(
            "order-17 is halted before seq 1, which has not come in time. It was halted at T (D ago) on worker w3: seq \
             1 has not come for 20ms. Nothing of it is done yet{fence}. 1 event is held: 3 (50 B), id order-17-3 since \
             T. Nothing will happen by itself: a halted key stays so until an operator decides. You can: `ordered \
             retry order-17` to wait for it once more; `ordered skip order-17` to pass over 1–2 and go on with 3."
        )
    );
    worker.stop().await;
}

#[tokio::test]
async fn paused_by_key_and_by_group() {
    let fixture = Fixture::calm().await;
    let worker = fixture.start("w1", |worker| worker);
    fixture.publish("order-17", 1..=1).await;
    fixture.until_done("order-17", 1).await;
    fixture.ordered("pause order-17").await.ok();
    fixture.publish("order-17", 2..=2).await;
    fixture
        .until_at_rest("order-17", "with one held", |view| view.held_events == 1)
        .await;
    let fence = fixture.view("order-17").await.unwrap().fence;
    assert_eq!(
        explained(&fixture, "order-17").await,
        format!(
            "order-17 is paused. Else seq 2 could run. It is done up to seq 1 (fence {fence}). 1 event is held: 2 (50 \
             B), id order-17-2 since T. Nothing will happen by itself: nothing of it runs until it is resumed. You \
             can: `ordered resume order-17` to let the key go on."
        )
    );
    fixture.ordered("pause").await.ok();
    fixture.ordered("resume order-17").await.ok();
    fixture
        .until_at_rest("order-17", "given back", |view| view.held_events == 1)
        .await;
    let fence = fixture.view("order-17").await.unwrap().fence;
    assert_eq!(
        explained(&fixture, "order-17").await,
        format!(
            "order-17 is paused with its whole group `orders`. Else seq 2 could run. It is done up to seq 1 (fence \
             {fence}). 1 event is held: 2 (50 B), id order-17-2 since T. Nothing will happen by itself: nothing of it \
             runs until it is resumed. You can: `ordered resume` to let the group go on."
        )
    );
    worker.stop().await;
    fixture.ordered("resume").await.ok();
    // And, with its workers gone, one that could go on.
    let fence = fixture.view("order-17").await.unwrap().fence;
    assert_eq!(
        explained(&fixture, "order-17").await,
        format!(
            "order-17 is about to run seq 2: it is held, and no worker has the key. It is done up to seq 1 (fence \
             {fence}). 1 event is held: 2 (50 B), id order-17-2 since T. A worker takes it at the next sweep of a \
             living worker, which is every second unless set otherwise. But no worker of the group is alive. You can: \
             start a worker of the group."
        )
    );
}

#[tokio::test]
async fn with_events_aside_and_a_replay_pending() {
    let fixture = Fixture::new(|context, _| match context.seq().get() {
        2 => HandlerAction::FailPermanently,
        _ => HandlerAction::Succeed,
    })
    .await;
    let worker = fixture.start("w3", |worker| worker.on_exhausted(OnExhausted::DeadLetter));
    fixture.publish("order-17", 1..=3).await;
    fixture.until_done("order-17", 3).await;
    worker.stop().await;
    let fence = fixture.view("order-17").await.unwrap().fence;
    assert_eq!(
        explained(&fixture, "order-17").await,
        format!(
            "order-17 is idle: nothing of it waits. It is done up to seq 3 (fence {fence}). 1 event was dead-lettered: \
             seq 2 (failed at T, 1 attempt: never). It goes on when seq 4 comes. But no worker of the group is alive. \
             You can: `ordered replay order-17` to run the dead letters again; `ordered discard order-17 2` to delete \
             one of them permanently."
        )
    );
    fixture.ordered("replay order-17").await.ok();
    let fence = fixture.view("order-17").await.unwrap().fence;
    assert_eq!(
        explained(&fixture, "order-17").await,
        format!(
            "order-17 is about to run seq 2 again, which an operator replays. It is done up to seq 3 (fence {fence}). \
             1 event was dead-lettered: seq 2 (failed at T, 1 attempt: never, to be run again). A worker takes it at \
             the next sweep of a living worker, which is every second unless set otherwise. But no worker of the group \
             is alive. You can: start a worker of the group."
        )
    );
}

#[tokio::test]
async fn what_stands_before_an_event_is_counted() {
    let fixture = Fixture::calm().await;
    let worker = fixture.start("w1", |worker| worker);
    fixture.publish("k", [1, 4, 5, 9]).await;
    fixture
        .until_at_rest("k", "in a gap", |view| view.held_events == 3)
        .await;
    let text = fixture.ordered("explain k --seq 9").await.ok();
    let (first, rest) = text.split_once("\n\n").unwrap();
    let (first, rest) = (masked(first), masked(rest));
    assert!(
        first.starts_with(
            "Seq 9 of k: 7 events stand before it; 2 of them are held, and 5 are not (seq 2–3, 6–8). It is held \
             itself. The key did 1 event since T (D); at this pace"
        ),
        "{first}"
    );
    assert!(
        rest.starts_with("k waits for seq 2–3, 6–8 since T")
            || rest.starts_with("k waits for seq 2–3"),
        "{rest}"
    );
    let before = fixture.ordered("explain k --seq 1 --json").await.json()["before"].take();
    assert_eq!(
        (&before["status"], &before["events"]),
        (&"behind".into(), &0.into())
    );
    let output = fixture.ordered("explain x --seq 1 --json").await.json();
    assert!(output.get("before").is_none(), "{output}");
    worker.stop().await;
}

#[tokio::test]
async fn the_pace_of_a_key_that_goes_is_measured() {
    let fixture =
        Fixture::new(|_, _| HandlerAction::Pause(std::time::Duration::from_millis(20))).await;
    let worker = fixture.start("w1", |worker| worker);
    fixture.publish("k", 1..=400).await;
    fixture
        .until("k", "at work", |view| view.last_seq >= 3)
        .await;
    let output = fixture.ordered("explain k --seq 500 --json").await.json();
    let pace = &output["before"]["pace"];
    let (events, millis) = (
        pace["events"].as_u64().unwrap(),
        pace["millis"].as_u64().unwrap(),
    );
    assert!((1..=50 * millis / 1_000 + 50).contains(&events), "{pace}");
    assert!(
        (1_000..20_000).contains(&millis),
        "measured, and not since the beginning: {pace}"
    );
    worker.kill().await;
}
