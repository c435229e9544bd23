//! The same on `sqlx`.

use std::time::Duration;

use futures_util::TryStreamExt;
use ordered_core::handler::HandlerError;
use ordered_events::{Context, ordered_handler};
use ordered_postgres::PostgresErrorKind;
use ordered_postgres::inbox::{Inbox, Outcome, Position, Tx};
use ordered_testkit::eventually;
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{Connection, Postgres, Row};

use crate::support::inbox::{Fixture, Running, Step};

async fn pool(url: &str, connections: u32) -> PgPool {
    let options = PgPoolOptions::new().max_connections(connections);
    options.connect(url).await.unwrap()
}

#[ordered_handler(key = "key", seq = "seq", max_attempts = 3)]
async fn apply(step: Step, mut tx: Tx<Postgres>, context: Context) -> Result<(), HandlerError> {
    sqlx::query("insert into effects (key, seq) values ($1, $2)")
        .bind(&step.key)
        .bind(step.seq)
        .execute(&mut *tx)
        .await?;
    let row = sqlx::query("select count(*) from effects where key = $1 and seq = $2")
        .bind(&step.key)
        .bind(step.seq)
        .fetch_one(&mut *tx)
        .await?;
    assert_eq!(row.get::<i64, _>(0), 1);
    // A savepoint that is given up.
    let mut savepoint = tx.connection().await?.begin().await?;
    sqlx::query("delete from effects")
        .execute(&mut *savepoint)
        .await?;
    savepoint.rollback().await?;
    match (context.seq().get(), context.attempt()) {
        (1, 1) => Err(HandlerError::transient("no luck")),
        (2, 1) => panic!("oh no"),
        (3, 1) => std::future::pending().await,
        _ => Ok(()),
    }
}

#[tokio::test]
async fn a_handler_on_sqlx_has_exactly_once_effects_too() {
    let fixture = Fixture::new().await;
    let pool = pool(&fixture.url, 4).await;
    fixture.publish(2, 1..=5).await;
    let worker = fixture
        .worker("w1", apply)
        .timeout(Duration::from_secs(1))
        .state(Inbox::open(pool.clone()).await.unwrap());
    let worker = Running::start(worker);
    eventually("all is applied", async || {
        fixture.effects().await.len() == 10
    })
    .await;
    fixture.settled().await;
    worker.stop().await;
    fixture.assert_once(2, 5).await;
    assert_eq!(fixture.recorded("k1").await, 5);
    let inbox = Inbox::open(pool).await.unwrap();
    let positions: Vec<Position> = inbox.positions(&fixture.group).try_collect().await.unwrap();
    let last: Vec<u64> = positions.iter().map(Position::last_seq).collect();
    assert_eq!(last, [5, 5]);
}

#[tokio::test]
async fn the_guard_stands_in_a_transaction_of_sqlx() {
    let fixture = Fixture::new().await;
    let pool = pool(&fixture.url, 2).await;
    let outcome = async |seq, fence| {
        let mut transaction = pool.begin().await.unwrap();
        let insert = "insert into effects (key, seq) values ('k0', 1)";
        sqlx::query(insert)
            .execute(&mut *transaction)
            .await
            .unwrap();
        let context = fixture.context("k0", seq, fence);
        let outcome = Inbox::guard(&mut transaction, &context).await.unwrap();
        if outcome.is_recorded() {
            transaction.commit().await.unwrap();
        } else {
            transaction.rollback().await.unwrap();
        }
        outcome
    };
    assert_eq!(outcome(1, 5).await, Outcome::Recorded);
    assert_eq!(outcome(1, 5).await, Outcome::DoneAlready { last_seq: 1 });
    assert!(matches!(outcome(2, 4).await, Outcome::Fenced { .. }));
    fixture.assert_once(1, 1).await;
}

#[tokio::test]
async fn a_pool_of_sqlx_that_is_exhausted_is_told_in_time() {
    let fixture = Fixture::new().await;
    let pool = pool(&fixture.url, 1).await;
    let inbox = Inbox::builder(pool.clone()).acquire_timeout(Duration::from_millis(500));
    let inbox = inbox.open().await.unwrap();
    let _taken = pool.acquire().await.unwrap();
    let mut tx = Tx::rolled_back(&inbox);
    let error = tx.connection().await.unwrap_err();
    assert_eq!(error.kind(), PostgresErrorKind::PoolExhausted);
    let error = sqlx::query("select 1").execute(&mut *tx).await.unwrap_err();
    assert!(
        error.to_string().contains("make the pool larger"),
        "{error}"
    );
}
