//! How far keys are, taken over from another system and given to another.

use ordered_core::admin::{OperateOptions, Position, TaskOutcome};
use ordered_core::event::Key;
use ordered_core::protocol::Refusal;

use crate::support::stage::{Stage, ada, hold, key};

fn position(name: &str, last_seq: u64) -> Position {
    Position {
        key: key(name),
        epoch: None,
        last_seq,
    }
}

async fn import(stage: &Stage, positions: Vec<Position>) -> Vec<(Key, TaskOutcome)> {
    let (operator, options) = (ada(), OperateOptions::default());
    let bulk = stage
        .admin
        .import_positions(&stage.group, positions, &operator, options);
    let mut bulk = bulk.await.unwrap();
    let mut all = Vec::new();
    while let Some(results) = bulk.advance().await.unwrap() {
        all.extend(results);
    }
    bulk.leave().await;
    all
}

async fn export(stage: &Stage) -> Vec<Position> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let (page, next) = stage.admin.positions(&stage.group, cursor).await.unwrap();
        all.extend(page);
        cursor = next;
        if cursor.is_none() {
            all.sort_unstable();
            return all;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn positions_go_out_as_they_came_in() {
    let stage = Stage::new().await;
    let positions: Vec<Position> = (1..=600)
        .map(|number| position(&format!("k{number:03}"), number))
        .collect();
    let results = import(&stage, positions.clone()).await;
    assert_eq!(results.len(), 600);
    assert_eq!(export(&stage).await, positions);
    let audit = stage.admin.audit(&stage.group, 10).await.unwrap();
    let entries: Vec<(&str, &str)> = audit
        .iter()
        .map(|entry| (entry.verb.as_str(), entry.outcome.as_str()))
        .collect();
    assert_eq!(
        entries,
        [
            ("import", "100 keys"),
            ("import", "250 keys"),
            ("import", "250 keys")
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_position_never_goes_down_and_what_waits_behind_it_is_released() {
    let stage = Stage::new().await;
    stage
        .change("k", |transition| {
            [57, 58, 60]
                .into_iter()
                .for_each(|seq| hold(transition, seq))
        })
        .await;
    let results = import(&stage, vec![position("k", 57)]).await;
    let TaskOutcome::Done(effect) = &results[0].1 else {
        panic!("{results:?}");
    };
    assert_eq!(
        (&effect.released[..], &effect.removed[..]),
        (&[58][..], &[57][..])
    );
    for (last, refusal) in [(57, Refusal::Already), (3, Refusal::NotAhead)] {
        let results = import(&stage, vec![position("k", last)]).await;
        let refused = matches!(&results[0].1, TaskOutcome::Refused(why) if *why == refusal);
        assert!(refused, "{results:?}");
    }
    assert_eq!(stage.state("k").await.last_seq, 57);
}
