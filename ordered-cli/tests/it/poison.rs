//! A poison event with fifty followers, and the ways out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ordered_core::handler::OnExhausted;
use ordered_core::worker::WorkerBuilder;

use crate::support::{Fixture, HandlerAction, Running, TempFile, masked};

/// A worker whose handler never gets done with seq 2 of `order-17`, until it is fixed, or the event is.
async fn poisoned(
    change: impl FnOnce(WorkerBuilder) -> WorkerBuilder,
) -> (Fixture, Running, Arc<AtomicBool>) {
    let fixed = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&fixed);
    let fixture = Fixture::new(move |context, text| {
        let poison = context.key().as_str() == "order-17" && context.seq().get() == 2;
        if poison && text == "as-sent" && !seen.load(Ordering::SeqCst) {
            HandlerAction::Fail
        } else {
            HandlerAction::Succeed
        }
    })
    .await;
    let worker = fixture.start("w3", change);
    fixture.publish("order-17", 1..=52).await;
    fixture.publish("other", 1..=5).await;
    (fixture, worker, fixed)
}

/// The same, halted with its followers behind it.
async fn halted() -> (Fixture, Running, Arc<AtomicBool>) {
    let (fixture, worker, fixed) = poisoned(|worker| worker.max_attempts(3)).await;
    fixture
        .until("order-17", "halted before 51", |view| {
            view.phase == "halted" && view.held_events == 51
        })
        .await;
    fixture.until_done("other", 5).await;
    assert_eq!(fixture.handled("order-17"), [1]);
    (fixture, worker, fixed)
}

#[tokio::test]
async fn explain_says_why_and_retry_releases_all_in_order_after_the_fix() {
    let (fixture, worker, fixed) = halted().await;
    let text = masked(&fixture.ordered("explain order-17").await.ok());
    assert!(!text.contains('\n'), "one paragraph");
    for output in [
        "order-17 is halted at seq 2, which failed permanently. Attempt 3 of 3 failed at T (D ago) on worker w3: no \
         luck.",
        "51 events are held: 2–52",
        "Nothing will happen by itself",
        "`ordered retry order-17` once its cause is fixed, to run it again and go on with 3",
    ] {
        assert!(text.contains(output), "{output}\n{text}");
    }

    let before = fixture.view("order-17").await.unwrap();
    assert_eq!(
        fixture.ordered("retry order-17 --dry-run").await.ok(),
        "order-17: retry would: release 51 events (2–52)"
    );
    let after = fixture.view("order-17").await.unwrap();
    assert_eq!((before.phase, before.fence), (after.phase, after.fence));

    fixed.store(true, Ordering::SeqCst);
    assert_eq!(
        fixture.ordered("retry order-17").await.ok(),
        "order-17: retry: release 51 events (2–52)"
    );
    fixture.until_done("order-17", 52).await;
    assert_eq!(fixture.handled("order-17"), (1..=52).collect::<Vec<_>>());
    worker.stop().await;
}

#[tokio::test]
async fn skip_goes_on_without_it_and_replay_brings_it_back() {
    let (fixture, worker, fixed) = halted().await;
    let would = fixture.ordered("skip order-17 --dry-run").await.ok();
    assert_eq!(
        would,
        "order-17: skip would: dead-letter 1 event (2); move the last seq from 1 to 2; release 50 events (3–52)"
    );
    assert_eq!(fixture.view("order-17").await.unwrap().last_seq, 1);
    fixture.ordered("skip order-17 --yes").await.ok();
    fixture.until_done("order-17", 52).await;
    let all_others: Vec<u64> = [1].into_iter().chain(3..=52).collect();
    assert_eq!(fixture.handled("order-17"), all_others);

    fixed.store(true, Ordering::SeqCst);
    assert_eq!(
        fixture.ordered("replay order-17 --seq 2").await.ok(),
        "order-17: replay: run again 1 event (2)"
    );
    fixture
        .until("order-17", "without a dead letter", |view| {
            view.dead_events == 0
        })
        .await;
    assert_eq!(fixture.handled("order-17").last(), Some(&2));
    worker.stop().await;
}

#[tokio::test]
async fn discard_takes_it_out() {
    let (fixture, worker, _) = halted().await;
    assert_eq!(
        fixture.ordered("discard order-17 2 --yes").await.ok(),
        "order-17: discard: dead-letter 1 event (2); move the last seq from 1 to 2; release 50 events (3–52)"
    );
    fixture.until_done("order-17", 52).await;
    assert_eq!(fixture.handled("order-17").len(), 51);
    // Once more deletes it permanently.
    assert_eq!(
        fixture.ordered("discard order-17 2 --yes").await.ok(),
        "order-17: discard: delete permanently 1 event (2); release nothing"
    );
    assert_eq!(fixture.view("order-17").await.unwrap().dead_events, 0);
    worker.stop().await;
}

#[tokio::test]
async fn edit_fixes_the_event_itself() {
    let (fixture, worker, _) = halted().await;
    let body = TempFile::new("order-17 2 order-17-2 fixed");
    assert_eq!(
        fixture
            .run(&["edit", "order-17", "2", "--payload", body.path(), "--yes"])
            .await
            .ok(),
        "order-17: edit: give seq 2 a body of 27 B for one of 29 B"
    );
    fixture.ordered("retry order-17").await.ok();
    fixture.until_done("order-17", 52).await;
    assert_eq!(fixture.handled("order-17"), (1..=52).collect::<Vec<_>>());
    assert_eq!(fixture.handled_as("order-17", 2).as_deref(), Some("fixed"));
    worker.stop().await;
}

#[tokio::test]
async fn with_dead_letter_the_key_goes_on_and_replay_of_all_brings_it_back() {
    let (fixture, worker, fixed) =
        poisoned(|worker| worker.max_attempts(2).on_exhausted(OnExhausted::DeadLetter)).await;
    fixture.until_done("order-17", 52).await;
    assert_eq!(fixture.handled("order-17").len(), 51);
    let dead = masked(&fixture.ordered("dead").await.ok());
    let row: Vec<&str> = dead.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(
        row,
        [
            "order-17",
            "2",
            "order-17-2",
            "failed",
            "T",
            "2",
            "no",
            "luck"
        ]
    );
    let would = fixture.ordered("replay --dry-run").await.ok();
    assert_eq!(would, "order-17: replay would: run again 1 event (2)");
    assert!(!fixture.view("order-17").await.unwrap().dead[0].replay);
    fixed.store(true, Ordering::SeqCst);
    fixture.ordered("replay").await.ok();
    fixture
        .until("order-17", "without a dead letter", |view| {
            view.dead_events == 0
        })
        .await;
    assert_eq!(fixture.handled("order-17").last(), Some(&2));
    let message = fixture.ordered("replay").await.fails(1);
    assert_eq!(
        message,
        "ordered: there are no dead letters in the group `orders` that can be replayed, or none is meant by that"
    );
    worker.stop().await;
}
