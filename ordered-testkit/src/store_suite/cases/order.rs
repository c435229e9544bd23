use ordered_core::event::Envelope;
use ordered_core::protocol::{Action, Command, Fence, Obstacle, Verdict};
use ordered_core::store::{Admin, Group, Store};

use crate::store_suite::stage::{
    A, B, Stage, claimed, committed, early, held, key, plain, run, run_from,
};
use crate::unique;

pub async fn an_event_that_comes_too_early_waits_for_the_one_before_it(
    stage: Stage<impl Store + Admin>,
) {
    assert_eq!(stage.offer(A, 2).await, early(1, Obstacle::Gap));
    assert_eq!(stage.hold(A, 2).await, held(1, Obstacle::Gap));
    assert_eq!(stage.offer(A, 1).await, run(1, 1));
    assert_eq!(committed(&stage.commit(A, 1).await), (vec![2], false));
    assert_eq!(committed(&stage.commit(A, 2).await), (vec![], true));
}

pub async fn an_offer_that_comes_too_early_is_told_what_stands_in_its_way(
    stage: Stage<impl Store + Admin>,
) {
    let stage = stage.with(|policy| policy.lane_depth = 2);
    let offer = |seq| Command {
        key: stage.key.clone(),
        action: Action::Offer(plain(seq)),
    };
    let offers = [3, 1, 3, 2, 3, 4, 1].map(offer);
    let told = [
        early(1, Obstacle::Gap),
        run(1, 1),
        early(1, Obstacle::Gap),
        run(1, 1),
        early(1, Obstacle::LaneFull),
        early(1, Obstacle::Gap),
        run(1, 1),
    ];
    assert_eq!(stage.batch(A, &offers).await, told);
    assert_eq!(stage.offer(A, 3).await, early(1, Obstacle::LaneFull));
    assert_eq!(stage.offer(B, 3).await, early(1, Obstacle::Running));
    stage.commit(A, 1).await;
    assert_eq!(stage.offer(A, 4).await, early(2, Obstacle::Gap));
    assert_eq!(stage.offer(A, 3).await, run_from(2, 1, 1));
    let fence = stage.fence().await;
    stage.say(A, Action::Release { fence }).await;
    assert_eq!(stage.offer(A, 4).await, early(2, Obstacle::Gap));
    assert_eq!(stage.offer(A, 2).await, run_from(2, 2, 1));
    let view = stage.view().await;
    assert_eq!((view.last_seq, view.held.len()), (1, 0));
}

pub async fn what_one_worker_held_is_handed_to_another(stage: Stage<impl Store + Admin>) {
    for seq in [2, 3, 5] {
        stage.hold(B, seq).await;
    }
    stage.offer(A, 1).await;
    assert_eq!(committed(&stage.commit(A, 1).await), (vec![2, 3], false));
    assert_eq!(stage.offer(B, 2).await, held(2, Obstacle::Running));
}

pub async fn a_batch_is_applied_in_order_and_answered_in_order(stage: Stage<impl Store + Admin>) {
    let (one, two) = (key("one"), key("two"));
    let say = |key: &_, action| Command {
        key: Clone::clone(key),
        action,
    };
    let commit = |seq| Action::Commit {
        event: plain(seq),
        fence: Fence(1),
        have: 2,
    };
    let verdicts = stage
        .batch(
            A,
            &[
                say(&one, Action::Offer(plain(1))),
                say(&two, Action::Hold(plain(2), Envelope::new("x"))),
                say(&one, Action::Offer(plain(2))),
                say(&one, commit(1)),
                say(&two, Action::Offer(plain(1))),
                say(&one, commit(2)),
                say(&one, Action::Offer(plain(2))),
                say(&two, Action::Release { fence: Fence(1) }),
                say(&one, Action::Offer(plain(3))),
            ],
        )
        .await;
    let none = |front| Verdict::Committed {
        next: Vec::new(),
        front,
    };
    assert_eq!(
        verdicts,
        [
            run(1, 1),
            held(1, Obstacle::Gap),
            run(1, 1),
            none(Some(2)),
            run(1, 1),
            none(None),
            Verdict::Duplicate,
            Verdict::Released,
            run_from(3, 2, 1),
        ]
    );
}

pub async fn keys_and_groups_do_not_touch_each_other(stage: Stage<impl Store + Admin>) {
    stage.process(A, 3).await;
    let offer = Action::Offer(plain(1));
    assert_eq!(
        stage.say_of(&key("order-2"), B, offer.clone()).await,
        run(1, 1)
    );
    let other = Stage {
        group: Group::new(unique("stage"), stage.group.policy().clone()),
        store: stage.store,
        clock: stage.clock,
        key: stage.key,
    };
    assert_eq!(other.say(B, offer).await, run(1, 1));
}

pub async fn a_claim_takes_over_what_is_held(stage: Stage<impl Store + Admin>) {
    for seq in [2, 3, 5] {
        stage.hold(A, seq).await;
    }
    assert_eq!(stage.say(B, Action::Claim).await, Verdict::Idle);
    stage.offer(A, 1).await;
    stage.commit(A, 1).await;
    assert_eq!(stage.say(B, Action::Claim).await, Verdict::Idle);
    let fence = stage.fence().await;
    assert_eq!(
        stage.say(A, Action::Release { fence }).await,
        Verdict::Released
    );
    assert_eq!(claimed(&stage.say(B, Action::Claim).await), (vec![2, 3], 1));
    assert_eq!(stage.say(A, Action::Claim).await, Verdict::Idle);
}

pub async fn a_large_batch_is_answered_in_full(stage: Stage<impl Store + Admin>) {
    let commands: Vec<Command> = (0..10_000)
        .map(|number| Command {
            key: key(&format!("key-{}", number % 3_000)),
            action: Action::Offer(plain(1 + number / 3_000)),
        })
        .collect();
    let verdicts = stage.batch(A, &commands).await;
    assert!(verdicts.iter().all(|verdict| *verdict == run(1, 1)));
}
