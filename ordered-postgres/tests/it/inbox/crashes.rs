use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ordered_core::admin::Admin;
use ordered_core::handler::{HandlerError, OnStateLoss};
use ordered_core::transport::Publish;
use ordered_events::{State, ordered_handler};
use ordered_postgres::inbox::Tx;
use ordered_testkit::eventually;

use crate::support::inbox::{Fixture, Running, Step, Wire, event};

type Runs = Arc<AtomicU64>;

#[ordered_handler(key = "key", seq = "seq")]
async fn apply(step: Step, mut tx: Tx, State(runs): State<Runs>) -> Result<(), HandlerError> {
    runs.fetch_add(1, Ordering::Relaxed);
    let client = tx.client().await?;
    let insert = "insert into effects (key, seq) values ($1, $2)";
    client.execute(insert, &[&step.key, &step.seq]).await?;
    Ok(())
}

#[tokio::test]
async fn a_crash_between_the_commit_in_postgres_and_that_in_the_store_repeats_no_effect() {
    let fixture = Fixture::new().await;
    let runs = Runs::default();
    fixture.publish(4, 1..=3).await;
    // Several workers, one after the other, apply events and die before the store hears of them.
    for round in 0..3 {
        let wire = Wire::new(&fixture.store);
        wire.saves.store(false, Ordering::Relaxed);
        let worker = fixture
            .worker(&format!("dies{round}"), apply)
            .store(wire.clone())
            .state(Arc::clone(&runs));
        let worker = Running::start(worker);
        eventually("a save is on its way", async || {
            *wire.cut_saves.lock().unwrap() > 0
        })
        .await;
        worker.kill().await;
    }
    let applied = fixture.effects().await.len();
    assert!(applied > 0, "nothing was applied before the crashes");
    let worker = fixture.worker("lives", apply).state(Arc::clone(&runs));
    let worker = Running::start(worker);
    fixture.settled().await;
    eventually("all is applied", async || {
        fixture.effects().await.len() == 12
    })
    .await;
    worker.stop().await;
    fixture.assert_once(4, 3).await;
    let runs = runs.load(Ordering::Relaxed);
    assert!(runs > 12, "no event ran twice: {runs} runs");
}

#[tokio::test]
async fn a_store_that_lost_its_state_begins_with_the_positions_of_the_inbox() {
    let fixture = Fixture::new().await;
    let runs = Runs::default();
    let worker = |name: &str| {
        fixture
            .worker(name, apply)
            .store(fixture.inbox.restoring(fixture.store.clone()))
            .on_state_loss(OnStateLoss::Adopt)
            .state(Arc::clone(&runs))
    };
    fixture.publish(3, 1..=3).await;
    let first = Running::start(worker("first"));
    fixture.settled().await;
    first.stop().await;
    // Nobody remembers anything; what was acknowledged does not come again.
    fixture.store.forget_everything();
    fixture.publish(2, 3..=5).await;
    let second = Running::start(worker("second"));
    fixture.settled().await;
    assert_eq!(runs.load(Ordering::Relaxed), 9 + 4);
    // It is lost again, under a worker that knows two of the three keys.
    fixture.store.forget_everything();
    eventually("the worker notices", async || {
        let admin = Admin::new(Arc::new(fixture.store.clone()));
        let group = admin.group(&fixture.group).await.unwrap();
        let Some(group) = group else { return false };
        let (positions, _) = admin.positions(&group, None).await.unwrap();
        positions.len() == 3
    })
    .await;
    fixture
        .broker
        .publish(vec![event("k2", 4), event("k2", 5)])
        .await
        .unwrap();
    fixture.settled().await;
    second.stop().await;
    fixture.assert_once(3, 5).await;
    assert_eq!(runs.load(Ordering::Relaxed), 9 + 6);
}

#[ordered_handler(key = "key", seq = "seq", max_attempts = 1)]
async fn create(
    step: Step,
    mut tx: Tx,
    State(breaks): State<Arc<AtomicBool>>,
) -> Result<(), HandlerError> {
    let client = tx.client().await?;
    // It cannot be done twice: the second time it fails.
    let insert = "insert into things (name) values ($1)";
    let created = client
        .execute(insert, &[&format!("{}-{}", step.key, step.seq)])
        .await;
    assert!(
        created.is_ok() || !breaks.load(Ordering::Relaxed),
        "it is there"
    );
    created?;
    Ok(())
}

#[tokio::test]
async fn an_event_that_fails_because_it_was_applied_before_counts_as_done() {
    for panics in [false, true] {
        let fixture = Fixture::new().await;
        let things = "create table things (name text primary key)";
        fixture.client.batch_execute(things).await.unwrap();
        let breaks = Arc::new(AtomicBool::new(panics));
        fixture.publish(1, 1..=1).await;
        let wire = Wire::new(&fixture.store);
        wire.saves.store(false, Ordering::Relaxed);
        let worker = fixture
            .worker("dies", create)
            .store(wire.clone())
            .state(Arc::clone(&breaks));
        let worker = Running::start(worker);
        eventually("the save is on its way", async || {
            *wire.cut_saves.lock().unwrap() > 0
        })
        .await;
        worker.kill().await;
        fixture.publish(1, 2..=2).await;
        let worker = Running::start(fixture.worker("lives", create).state(breaks));
        eventually("the next is applied", async || {
            fixture.recorded("k0").await == 2
        })
        .await;
        fixture.settled().await;
        worker.stop().await;
    }
}

#[tokio::test]
async fn a_store_that_lost_its_state_repeats_no_effect() {
    let fixture = Fixture::new().await;
    let runs = Runs::default();
    fixture.publish(2, 1..=3).await;
    let worker = fixture.worker("w1", apply).state(Arc::clone(&runs));
    let worker = Running::start(worker);
    fixture.settled().await;
    worker.stop().await;
    fixture.store.forget_everything();
    // A producer publishes everything again, and more.
    let again = (1..=5).flat_map(|seq| ["k0", "k1"].map(|key| event(key, seq)));
    fixture.broker.publish(again.collect()).await.unwrap();
    let worker = fixture
        .worker("w2", apply)
        .on_state_loss(OnStateLoss::Adopt)
        .state(Arc::clone(&runs));
    let worker = Running::start(worker);
    fixture.settled().await;
    worker.stop().await;
    assert_eq!(runs.load(Ordering::Relaxed), 16);
    fixture.assert_once(2, 5).await;
}
