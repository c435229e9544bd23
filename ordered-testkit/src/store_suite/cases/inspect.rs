use ordered_core::event::Envelope;
use ordered_core::protocol::{Action, Command, Fence, HeldView, KeyView, Verdict};
use ordered_core::store::Store;

use crate::store_suite::stage::{A, B, Stage, plain};

pub async fn an_unknown_key_is_unknown_even_after_it_was_asked_about(stage: Stage<impl Store>) {
    assert_eq!(stage.view_of(&stage.key).await, None);
    stage.offer(A, 2).await;
    assert_eq!(stage.say(A, Action::Claim).await, Verdict::Idle);
    let fence = Fence(3);
    assert_eq!(
        stage.say(A, Action::Release { fence }).await,
        Verdict::Fenced
    );
    assert_eq!(stage.view_of(&stage.key).await, None);
}

pub async fn a_view_says_all_that_is_known(stage: Stage<impl Store>) {
    let began = stage.clock.now();
    stage.hold(B, 3).await;
    stage.offer(A, 1).await;
    stage.say(A, Action::Retry(stage.attempt(1, 1).await)).await;
    stage.clock.advance(10);
    stage.postpone(A, 1, 2, 500).await;
    let view = |seq: u64, since| HeldView {
        seq,
        id: format!("id-{seq}"),
        since,
    };
    let expected = KeyView {
        last_seq: 0,
        fence: 1,
        attempts: 2,
        worker: None,
        worker_alive: false,
        granted_upto: 0,
        phase: "backing_off",
        due: Some(began + 510),
        error: Some("attempt 2 failed".into()),
        failing_since: Some(began),
        failed_at: Some(began + 10),
        failed_on: Some(A.into()),
        held: vec![view(1, began + 10), view(3, began)],
        held_bytes: 14,
    };
    assert_eq!(stage.view().await, expected);
    stage.clock.advance(500);
    stage.beat(B).await;
    stage.say(B, Action::Claim).await;
    let expected = KeyView {
        fence: 2,
        attempts: 3,
        worker: Some(B.into()),
        worker_alive: true,
        granted_upto: 1,
        phase: "open",
        due: None,
        ..expected
    };
    assert_eq!(stage.view().await, expected);
}

pub async fn a_view_lists_more_held_events_than_fit_a_page(stage: Stage<impl Store>) {
    let commands: Vec<Command> = (2..2_502)
        .map(|seq| Command {
            key: stage.key.clone(),
            action: Action::Hold(plain(seq), Envelope::new("x")),
        })
        .collect();
    stage.batch(A, &commands).await;
    let view = stage.view().await;
    assert!(view.held.iter().map(|held| held.seq).eq(2..2_502));
}
