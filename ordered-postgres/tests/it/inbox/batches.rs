use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use ordered_core::handler::HandlerError;
use ordered_events::{Context, State, ordered_handler};
use ordered_postgres::inbox::Tx;
use ordered_testkit::eventually;

use crate::support::inbox::{Fixture, Running, Step, Wire};

type Lengths = Arc<Mutex<Vec<usize>>>;

#[ordered_handler(key = "key", seq = "seq", batch = 10)]
async fn apply_all(
    steps: Vec<Step>,
    mut tx: Tx,
    context: Context,
    State(lengths): State<Lengths>,
) -> Result<(), HandlerError> {
    lengths.lock().unwrap().push(steps.len());
    let client = tx.client().await?;
    for step in &steps {
        let insert = "insert into effects (key, seq) values ($1, $2)";
        client.execute(insert, &[&step.key, &step.seq]).await?;
    }
    if context
        .run()
        .any(|one| one.seq().get() == 7 && one.attempt() == 1)
    {
        return Err(HandlerError::transient("seven"));
    }
    Ok(())
}

#[tokio::test]
async fn a_run_of_several_events_has_one_transaction() {
    let fixture = Fixture::new().await;
    let lengths = Lengths::default();
    fixture.publish(1, 1..=20).await;
    let worker = fixture.worker("w1", apply_all).state(Arc::clone(&lengths));
    let worker = Running::start(worker);
    fixture.settled().await;
    worker.stop().await;
    fixture.assert_once(1, 20).await;
    assert_eq!(fixture.recorded("k0").await, 20);
    let lengths = lengths.lock().unwrap().clone();
    assert!(lengths.iter().any(|length| *length > 1), "{lengths:?}");
}

#[tokio::test]
async fn a_run_that_was_applied_before_a_crash_is_applied_once_and_what_follows_too() {
    let fixture = Fixture::new().await;
    let lengths = Lengths::default();
    fixture.publish(1, 1..=6).await;
    let wire = Wire::new(&fixture.store);
    wire.saves.store(false, Ordering::Relaxed);
    let dies = fixture
        .worker("dies", apply_all)
        .store(wire.clone())
        .state(Arc::clone(&lengths));
    let dies = Running::start(dies);
    eventually("a save is on its way", async || {
        *wire.cut_saves.lock().unwrap() > 0
    })
    .await;
    dies.kill().await;
    fixture.publish(1, 7..=12).await;
    let worker = Running::start(fixture.worker("lives", apply_all).state(lengths));
    eventually("all is applied", async || {
        fixture.recorded("k0").await == 12
    })
    .await;
    fixture.settled().await;
    worker.stop().await;
    fixture.assert_once(1, 12).await;
}

#[ordered_handler(key = "key", seq = "seq")]
async fn apply_one(step: Step, mut tx: Tx) -> Result<(), HandlerError> {
    let client = tx.client().await?;
    let insert = "insert into effects (key, seq) values ($1, $2)";
    client.execute(insert, &[&step.key, &step.seq]).await?;
    // Two open transactions of one key would wait for one another here.
    let total = "insert into totals (key, total) values ($1, 1)
        on conflict (key) do update set total = totals.total + 1";
    client.execute(total, &[&step.key]).await?;
    Ok(())
}

#[tokio::test]
async fn a_handler_of_one_event_that_runs_over_several_does_not_wait_for_itself() {
    let fixture = Fixture::new().await;
    let totals = "create table totals (key text primary key, total int not null)";
    fixture.client.batch_execute(totals).await.unwrap();
    fixture.publish(1, 1..=20).await;
    let worker = Running::start(fixture.worker("w1", apply_one).batch(10));
    fixture.settled().await;
    worker.stop().await;
    fixture.assert_once(1, 20).await;
    let total = fixture
        .client
        .query_one("select total from totals", &[])
        .await;
    assert_eq!(total.unwrap().get::<_, i32>(0), 20);
}
