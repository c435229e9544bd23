use std::collections::BTreeSet;

use ordered_core::event::{Envelope, Key};
use ordered_core::protocol::{Action, Command, Verdict};
use ordered_core::store::{Admin, Store};

use crate::store_suite::stage::{A, B, Stage, claimed, committed, key, plain};

pub async fn a_sweep_finds_what_a_dead_worker_left(stage: Stage<impl Store + Admin>) {
    stage.hold(A, 2).await;
    stage.offer(A, 1).await;
    stage.commit(A, 1).await;
    assert_eq!(stage.swept().await, [], "its worker lives");
    stage.crash(A).await;
    assert_eq!(stage.swept().await, vec![stage.key.clone()]);
    assert_eq!(claimed(&stage.say(B, Action::Claim).await), (vec![2], 2));
    assert_eq!(stage.swept().await, []);
    committed(&stage.commit(B, 2).await);
}

pub async fn a_sweep_finds_what_is_due_and_changes_nothing(stage: Stage<impl Store + Admin>) {
    stage.offer(A, 1).await;
    stage.postpone(A, 1, 1, 500).await;
    stage.clock.advance(499);
    assert_eq!(stage.swept().await, []);
    stage.clock.advance(1);
    let view = stage.view().await;
    assert_eq!(stage.swept().await, vec![stage.key.clone()]);
    assert_eq!(
        stage.swept().await,
        vec![stage.key.clone()],
        "nobody took it"
    );
    assert_eq!(stage.view().await, view);
    stage.beat(B).await;
    assert_eq!(claimed(&stage.say(B, Action::Claim).await), (vec![1], 2));
    assert_eq!(stage.swept().await, []);
}

pub async fn a_sweep_finds_no_more_than_about_its_limit_and_in_the_end_all(
    stage: Stage<impl Store + Admin>,
) {
    let keys: Vec<Key> = (0..200)
        .map(|number| key(&format!("key-{number}")))
        .collect();
    let of_all = |action: &dyn Fn() -> Action| -> Vec<Command> {
        let say = |key: &Key| Command {
            key: key.clone(),
            action: action(),
        };
        keys.iter().map(say).collect()
    };
    let hold = || Action::Hold(plain(2), Envelope::new("x"));
    stage.batch(A, &of_all(&hold)).await;
    stage.batch(A, &of_all(&|| Action::Offer(plain(1)))).await;
    let commit = || Action::Commit {
        event: plain(1),
        fence: ordered_core::protocol::Fence(1),
        have: 1,
    };
    stage.batch(A, &of_all(&commit)).await;
    stage.crash(A).await;
    let mut left: BTreeSet<Key> = keys.iter().cloned().collect();
    for _ in 0..1_000 {
        let found = stage
            .store
            .sweep(&stage.group, 7)
            .await
            .expect("the store is there")
            .runnable;
        assert!(
            found.len() <= 50,
            "about 7 were asked for, and {} came",
            found.len()
        );
        for key in found {
            assert!(matches!(
                stage.say_of(&key, B, Action::Claim).await,
                Verdict::Claimed { .. } | Verdict::Idle
            ));
            left.remove(&key);
        }
        if left.is_empty() {
            return;
        }
    }
    panic!("never found: {left:?}");
}

pub async fn what_waits_for_an_event_is_not_swept(stage: Stage<impl Store + Admin>) {
    stage.hold(A, 2).await;
    stage
        .say_of(&key("halted"), A, Action::Offer(plain(1)))
        .await;
    stage.crash(A).await;
    assert_eq!(stage.swept().await, []);
}
