use ordered_core::event::Envelope;
use ordered_core::protocol::{
    Action, ClaimView, Command, Fence, HeldView, KeyView, TroubleView, Verdict,
};
use ordered_core::store::{Admin, Store};

use crate::store_suite::stage::{A, B, LEASE, Stage, plain};

pub async fn an_unknown_key_is_unknown_even_after_it_was_asked_about(
    stage: Stage<impl Store + Admin>,
) {
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

pub async fn a_view_says_all_that_is_known(stage: Stage<impl Store + Admin>) {
    let began = stage.clock.now();
    stage.hold(B, 3).await;
    stage.offer(A, 1).await;
    stage.say(A, Action::Retry(stage.attempt(1, 1).await)).await;
    stage.clock.advance(10);
    stage.postpone(A, 1, 2, 500).await;
    let now = stage.clock.now();
    let view = |seq: u64, since, bytes| HeldView {
        seq,
        id: format!("id-{seq}"),
        since,
        bytes,
    };
    let expected = KeyView {
        key: stage.key.to_string(),
        last_seq: 0,
        epoch: 0,
        fence: 1,
        attempts: 2,
        claim: None,
        phase: "backing_off".into(),
        due: Some(now + 500),
        paused: false,
        group_paused: false,
        trouble: Some(TroubleView {
            error: "attempt 2 failed".into(),
            first_at: began,
            last_at: now,
            worker: A.into(),
        }),
        gap_since: None,
        held: vec![view(1, now, 4), view(3, began, 10)],
        held_events: 2,
        held_bytes: 14,
        absent: Vec::new(),
        dead: Vec::new(),
        dead_events: 0,
        now,
    };
    assert_eq!(stage.view().await, expected);
    stage.clock.advance(500);
    stage.beat(B).await;
    stage.say(B, Action::Claim).await;
    let now = now + 500;
    let claim = ClaimView {
        worker: B.into(),
        since: now,
        lease_until: Some(now + LEASE),
        granted: vec![1],
    };
    let expected = KeyView {
        fence: 2,
        attempts: 3,
        claim: Some(claim),
        phase: "open".into(),
        due: None,
        now,
        ..expected
    };
    assert_eq!(stage.view().await, expected);
}

pub async fn a_view_lists_no_more_than_fit_a_page(stage: Stage<impl Store + Admin>) {
    let commands: Vec<Command> = (2..2_502)
        .map(|seq| Command {
            key: stage.key.clone(),
            action: Action::Hold(plain(seq), Envelope::new("x")),
        })
        .collect();
    stage.batch(A, &commands).await;
    let view = stage.view().await;
    assert!(view.held.iter().map(|held| held.seq).eq(2..1_002));
    assert_eq!(view.held_events, 2_500);
}
