use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ordered_core::admin::Admin;
use ordered_core::handler::{HandlerError, OnStateLoss};
use ordered_core::transport::Publish;
use ordered_events::{State, ordered_handler};
use ordered_postgres::inbox::Tx;
use ordered_testkit::eventually;

use super::support::{Running, Step, Wire, World, event};

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
    let world = World::new().await;
    let runs = Runs::default();
    world.publish(4, 1..=3).await;
    // Several workers, one after the other, apply events and die before the store hears of them.
    for round in 0..3 {
        let wire = Wire::new(&world.store);
        wire.saves.store(false, Ordering::Relaxed);
        let worker = world
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
    let applied = world.effects().await.len();
    assert!(applied > 0, "nothing was applied before the crashes");
    let worker = world.worker("lives", apply).state(Arc::clone(&runs));
    let worker = Running::start(worker);
    world.settled().await;
    eventually("all is applied", async || world.effects().await.len() == 12).await;
    worker.stop().await;
    world.assert_once(4, 3).await;
    let runs = runs.load(Ordering::Relaxed);
    assert!(runs > 12, "no event ran twice: {runs} runs");
}

#[tokio::test]
async fn a_store_that_lost_its_state_begins_with_the_positions_of_the_inbox() {
    let world = World::new().await;
    let runs = Runs::default();
    let worker = |name: &str| {
        world
            .worker(name, apply)
            .store(world.inbox.restoring(world.store.clone()))
            .on_state_loss(OnStateLoss::Adopt)
            .state(Arc::clone(&runs))
    };
    world.publish(3, 1..=3).await;
    let first = Running::start(worker("first"));
    world.settled().await;
    first.stop().await;
    // Nobody remembers anything; what was acknowledged does not come again.
    world.store.forget_everything();
    world.publish(2, 3..=5).await;
    let second = Running::start(worker("second"));
    world.settled().await;
    assert_eq!(runs.load(Ordering::Relaxed), 9 + 4);
    // It is lost again, under a worker that knows two of the three keys.
    world.store.forget_everything();
    eventually("the worker notices", async || {
        let admin = Admin::new(Arc::new(world.store.clone()));
        let group = admin.group(&world.group).await.unwrap();
        let Some(group) = group else { return false };
        let (positions, _) = admin.positions(&group, None).await.unwrap();
        positions.len() == 3
    })
    .await;
    world
        .broker
        .publish(vec![event("k2", 4), event("k2", 5)])
        .await
        .unwrap();
    world.settled().await;
    second.stop().await;
    world.assert_once(3, 5).await;
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
        let world = World::new().await;
        let things = "create table things (name text primary key)";
        world.client.batch_execute(things).await.unwrap();
        let breaks = Arc::new(AtomicBool::new(panics));
        world.publish(1, 1..=1).await;
        let wire = Wire::new(&world.store);
        wire.saves.store(false, Ordering::Relaxed);
        let worker = world
            .worker("dies", create)
            .store(wire.clone())
            .state(Arc::clone(&breaks));
        let worker = Running::start(worker);
        eventually("the save is on its way", async || {
            *wire.cut_saves.lock().unwrap() > 0
        })
        .await;
        worker.kill().await;
        world.publish(1, 2..=2).await;
        let worker = Running::start(world.worker("lives", create).state(breaks));
        eventually("the next is applied", async || {
            world.recorded("k0").await == 2
        })
        .await;
        world.settled().await;
        worker.stop().await;
    }
}

#[tokio::test]
async fn a_store_that_lost_its_state_repeats_no_effect() {
    let world = World::new().await;
    let runs = Runs::default();
    world.publish(2, 1..=3).await;
    let worker = world.worker("w1", apply).state(Arc::clone(&runs));
    let worker = Running::start(worker);
    world.settled().await;
    worker.stop().await;
    world.store.forget_everything();
    // A producer publishes everything again, and more.
    let again = (1..=5).flat_map(|seq| ["k0", "k1"].map(|key| event(key, seq)));
    world.broker.publish(again.collect()).await.unwrap();
    let worker = world
        .worker("w2", apply)
        .on_state_loss(OnStateLoss::Adopt)
        .state(Arc::clone(&runs));
    let worker = Running::start(worker);
    world.settled().await;
    worker.stop().await;
    assert_eq!(runs.load(Ordering::Relaxed), 16);
    world.assert_once(2, 5).await;
}
