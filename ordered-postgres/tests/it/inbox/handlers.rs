use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ordered_core::event::Envelope;
use ordered_core::handler::{Handler, HandlerError, OnExhausted};
use ordered_core::transport::Publish;
use ordered_events::{Context, State, ordered_handler};
use ordered_postgres::inbox::{Inbox, Tx};
use ordered_testkit::eventually;

use crate::support::inbox::{Fixture, Running, Step, pool};

/// What a handler does after its effect.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Then {
    Succeed,
    Fail,
    Panic,
    Hang,
}

type Script = Arc<dyn Fn(&Context) -> Then + Send + Sync>;

fn script(script: impl Fn(&Context) -> Then + Send + Sync + 'static) -> Script {
    Arc::new(script)
}

#[ordered_handler(key = "key", seq = "seq", max_attempts = 3)]
async fn apply(
    step: Step,
    mut tx: Tx,
    State(script): State<Script>,
    context: Context,
) -> Result<(), HandlerError> {
    let insert = "insert into effects (key, seq) values ($1, $2)";
    let client = tx.client().await?;
    client.execute(insert, &[&step.key, &step.seq]).await?;
    match script(&context) {
        Then::Succeed => Ok(()),
        Then::Fail => Err(HandlerError::transient("no luck")),
        Then::Panic => panic!("oh no"),
        Then::Hang => std::future::pending().await,
    }
}

#[tokio::test]
async fn the_effect_and_the_record_are_committed_together() {
    let fixture = Fixture::new().await;
    fixture.publish(3, 1..=5).await;
    let worker = fixture.worker("w1", apply).state(script(|_| Then::Succeed));
    let worker = Running::start(worker);
    fixture.settled().await;
    worker.stop().await;
    fixture.assert_once(3, 5).await;
    let sql = "select key, epoch, last_seq, skipped::text, event_id, fence > 0 from ordered_progress order by key";
    let rows = fixture.client.query(sql, &[]).await.unwrap();
    let rows: Vec<(String, i64, i64, String, String, bool)> = rows
        .iter()
        .map(|row| {
            (
                row.get(0),
                row.get(1),
                row.get(2),
                row.get(3),
                row.get(4),
                row.get(5),
            )
        })
        .collect();
    let expected =
        ["k0", "k1", "k2"].map(|key| (key.into(), 0, 5, "{}".into(), format!("{key}-5"), true));
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn a_handler_that_fails_panics_or_times_out_leaves_nothing() {
    for then in [Then::Fail, Then::Panic, Then::Hang] {
        let fixture = Fixture::new().await;
        fixture.publish(1, 1..=2).await;
        let runs = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&runs);
        let script = script(move |context| {
            count.fetch_add(1, Ordering::Relaxed);
            if context.seq().get() == 1 {
                then
            } else {
                Then::Succeed
            }
        });
        let worker = fixture
            .worker("w1", apply)
            .timeout(Duration::from_secs(1))
            .on_exhausted(OnExhausted::DeadLetter)
            .state(script);
        let worker = Running::start(worker);
        fixture.settled().await;
        eventually("the second is applied", async || {
            fixture.recorded("k0").await == 2
        })
        .await;
        worker.stop().await;
        assert_eq!(runs.load(Ordering::Relaxed), 4, "{then:?}");
        let effects: Vec<_> = fixture.effects().await.into_iter().collect();
        assert_eq!(effects, [(("k0".to_owned(), 2), 1)], "{then:?}");
        // Nothing is left open on the server.
        let open = "select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in%'";
        eventually("what was dropped is rolled back", async || {
            let row = fixture.client.query_one(open, &[]).await.unwrap();
            row.get::<_, i64>(0) == 0
        })
        .await;
    }
}

#[tokio::test]
async fn a_dead_letter_that_is_replayed_is_applied_once() {
    use ordered_core::admin::{Admin, OperateOptions};
    use ordered_core::event::Key;
    use ordered_core::protocol::{Verb, Verdict};
    use ordered_core::store::Operator;

    let fixture = Fixture::new().await;
    fixture.publish(1, 1..=3).await;
    let broken = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let is_broken = Arc::clone(&broken);
    let script = script(move |context| {
        let fails = is_broken.load(Ordering::Relaxed) && context.seq().get() < 3;
        if fails { Then::Fail } else { Then::Succeed }
    });
    let worker = fixture
        .worker("w1", apply)
        .on_exhausted(OnExhausted::DeadLetter)
        .state(script);
    let worker = Running::start(worker);
    eventually("the last is applied", async || {
        fixture.recorded("k0").await == 3
    })
    .await;
    fixture.settled().await;
    let skipped = "select skipped::text from ordered_progress";
    let row = fixture.client.query_one(skipped, &[]).await.unwrap();
    assert_eq!(row.get::<_, String>(0), "{[1,3)}");

    broken.store(false, Ordering::Relaxed);
    let admin = Admin::new(Arc::new(fixture.store.clone()));
    let group = admin.group(&fixture.group).await.unwrap().unwrap();
    let key = Key::new("k0").unwrap();
    let (verb, options) = (Verb::Replay { seq: None }, OperateOptions::default());
    let verdict = admin
        .operate(&group, &key, &verb, &Operator::default(), options)
        .await;
    assert!(matches!(verdict, Ok(Verdict::Operated(_))), "{verdict:?}");
    eventually("both are applied", async || {
        fixture.effects().await.len() == 3
    })
    .await;
    worker.stop().await;
    fixture.assert_once(1, 3).await;
    let row = fixture.client.query_one(skipped, &[]).await.unwrap();
    assert_eq!(row.get::<_, String>(0), "{}");
    assert_eq!(fixture.recorded("k0").await, 3);
}

#[tokio::test]
async fn an_event_under_a_new_numbering_is_applied() {
    use ordered_core::worker::Control;

    let fixture = Fixture::new().await;
    fixture.publish(1, 1..=4).await;
    let worker = fixture.worker("w1", apply).state(script(|_| Then::Succeed));
    let worker = Running::start(worker);
    fixture.settled().await;
    let key = ordered_core::event::Key::new("k0").unwrap();
    let reset = Control::Reset {
        at: ordered_core::event::Seq::new(1).unwrap(),
        epoch: Some(7),
    };
    fixture
        .broker
        .publish(vec![reset.envelope(&key)])
        .await
        .unwrap();
    fixture.settled().await;
    let again = r#"{"key": "k0", "seq": 1, "event_id": "again"}"#;
    fixture
        .broker
        .publish(vec![Envelope::new(again)])
        .await
        .unwrap();
    eventually("it is applied", async || {
        fixture.effects().await.get(&("k0".into(), 1)) == Some(&2)
    })
    .await;
    worker.stop().await;
    let row = "select epoch, last_seq, skipped::text from ordered_progress";
    let row = fixture.client.query_one(row, &[]).await.unwrap();
    let row: (i64, i64, String) = (row.get(0), row.get(1), row.get(2));
    assert_eq!(row, (7, 1, "{}".into()));
}

#[ordered_handler(key = "key", seq = "seq")]
async fn ignore(_step: Step, _tx: Tx) {}

#[tokio::test]
async fn no_connection_is_taken_while_a_handler_does_not_touch_its_transaction() {
    let mut fixture = Fixture::new().await;
    let pool = pool(&fixture.url, 1);
    fixture.inbox = Inbox::builder(pool.clone())
        .record_untouched(false)
        .open()
        .await
        .unwrap();
    // The only connection is taken.
    let taken = pool.get().await.unwrap();
    fixture.publish(1, 1..=3).await;
    let worker = Running::start(fixture.worker("w1", ignore));
    fixture.settled().await;
    worker.stop().await;
    assert_eq!(fixture.recorded("k0").await, 0);
    drop(taken);
}

#[tokio::test]
async fn an_event_whose_handler_does_not_touch_its_transaction_is_recorded() {
    let fixture = Fixture::new().await;
    fixture.publish(1, 1..=3).await;
    let worker = Running::start(fixture.worker("w1", ignore));
    fixture.settled().await;
    worker.stop().await;
    assert_eq!(fixture.recorded("k0").await, 3);
}

#[ordered_handler(key = "key", seq = "seq", max_attempts = 1)]
async fn take_two(step: Step, mut first: Tx, mut second: Tx) -> Result<(), HandlerError> {
    let insert = "insert into effects (key, seq) values ($1, $2)";
    for tx in [&mut first, &mut second] {
        let client = tx.client().await?;
        client.execute(insert, &[&step.key, &step.seq]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn two_transactions_of_one_handler_are_refused() {
    let fixture = Fixture::new().await;
    let error = by_hand(&fixture, take_two).await.unwrap_err().to_string();
    assert!(error.contains("take one"), "{error}");
    assert_eq!(fixture.effects().await.len(), 0);
}

#[ordered_handler(key = "key", seq = "seq")]
async fn leave_behind(step: Step, mut tx: Tx) -> Result<(), HandlerError> {
    let insert = "insert into effects (key, seq) values ($1, $2)";
    let client = tx.client().await?;
    client.execute(insert, &[&step.key, &step.seq]).await?;
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(tx);
    });
    Ok(())
}

#[tokio::test]
async fn a_transaction_that_a_handler_leaves_to_a_task_is_rolled_back() {
    let fixture = Fixture::new().await;
    let error = by_hand(&fixture, leave_behind).await.unwrap_err();
    assert!(error.is_permanent());
    assert!(error.to_string().contains("beyond its end"), "{error}");
    assert_eq!(fixture.recorded("k0").await, 0);
    assert_eq!(fixture.effects().await.len(), 0);
}

#[ordered_handler(key = "key", seq = "seq")]
async fn swallow(step: Step, mut tx: Tx) -> Result<(), HandlerError> {
    let client = tx.client().await?;
    let insert = "insert into effects (key, seq) values ($1, $2)";
    client.execute(insert, &[&step.key, &step.seq]).await?;
    let _ = client.execute("select 1 / 0", &[]).await;
    Ok(())
}

#[tokio::test]
async fn a_handler_that_passes_over_the_error_of_a_statement_commits_nothing() {
    let fixture = Fixture::new().await;
    let error = by_hand(&fixture, swallow).await.unwrap_err().to_string();
    assert!(error.contains("savepoint"), "{error}");
    assert_eq!(fixture.effects().await.len(), 0);
    assert_eq!(fixture.recorded("k0").await, 0);
}

#[tokio::test]
async fn a_unit_test_calls_a_handler_with_a_transaction_that_is_rolled_back() {
    let fixture = Fixture::new().await;
    let step = Step {
        key: "k0".into(),
        seq: 1,
    };
    let tx = Tx::rolled_back(&fixture.inbox);
    let context = fixture.context("k0", 1, 1);
    let script = State(script(|_| Then::Succeed));
    apply(step, tx, script, context).await.unwrap();
    assert_eq!(fixture.effects().await.len(), 0);
}

/// Calls the handler for the first event of `k0` as a worker would.
pub(super) async fn by_hand<H: Handler>(fixture: &Fixture, handler: H) -> Result<(), HandlerError> {
    let context = fixture.context("k0", 1, 1);
    let decoded = handler.decode(context.envelope()).unwrap();
    let outcome = handler.call(decoded.event, context.clone()).await;
    context.finish(outcome).await
}

#[tokio::test]
async fn a_worker_without_the_inbox_does_not_start() {
    let fixture = Fixture::new().await;
    let worker = ordered_core::worker::Worker::builder()
        .store(fixture.store.clone())
        .transport(fixture.broker.consumer())
        .handler(ignore);
    let error = worker.build().err().unwrap().to_string();
    assert!(error.contains("Inbox"), "{error}");
}
