use std::time::Duration;

use ordered_core::handler::HandlerError;
use ordered_events::ordered_handler;
use ordered_postgres::inbox::{Inbox, TokioPostgres, Tx};
use ordered_postgres::{PostgresError, PostgresErrorKind as Kind};
use ordered_testkit::server::PostgresServer;
use ordered_testkit::unique;

use super::handlers::by_hand;
use crate::support::inbox::{Fixture, Step, pool};
use crate::support::{connect, database, empty_database};

async fn open(url: &str) -> Result<Inbox<TokioPostgres>, PostgresError> {
    Inbox::open(pool(url, 2)).await
}

#[track_caller]
fn says(error: &PostgresError, kind: Kind, what_to_do: &str) {
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(what_to_do), "{error}");
}

#[ordered_handler(key = "key", seq = "seq")]
async fn apply(step: Step, mut tx: Tx) -> Result<(), HandlerError> {
    let client = tx.client().await?;
    let insert = "insert into effects (key, seq) values ($1, $2)";
    client.execute(insert, &[&step.key, &step.seq]).await?;
    Ok(())
}

#[tokio::test]
async fn missing_tables_are_told_at_the_start_and_later() {
    let error = open(&empty_database().await).await.unwrap_err();
    says(&error, Kind::NotMigrated, "ordered outbox migrate");
    let fixture = Fixture::new().await;
    let drop_table = "drop table ordered_progress";
    fixture.client.batch_execute(drop_table).await.unwrap();
    let error = by_hand(&fixture, apply).await.unwrap_err().to_string();
    assert!(error.contains("ordered outbox migrate"), "{error}");
    assert_eq!(fixture.effects().await.len(), 0);
}

#[tokio::test]
async fn tables_of_another_version_are_refused() {
    let url = database().await;
    let client = connect(&url).await;
    let later = "update ordered_migrations set version = version + 100";
    client.batch_execute(later).await.unwrap();
    says(
        &open(&url).await.unwrap_err(),
        Kind::OtherVersion,
        "use a later version",
    );
}

#[tokio::test]
async fn missing_rights_are_told_at_the_start() {
    let url = database().await;
    let client = connect(&url).await;
    let role = unique("reader").replace('-', "_");
    let create =
        format!("create role {role} login; grant select on all tables in schema public to {role}");
    client.batch_execute(&create).await.unwrap();
    let as_role = url.replace("ordered@", &format!("{role}@"));
    let error = open(&as_role).await.unwrap_err();
    says(&error, Kind::Denied, "grant it `select, insert, update`");
    let grant = format!("grant insert, update on ordered_progress to {role}");
    client.batch_execute(&grant).await.unwrap();
    open(&as_role).await.unwrap();
}

#[tokio::test]
async fn a_database_that_is_read_only_is_refused() {
    let url = database().await;
    let name = url.rsplit('/').next().unwrap();
    let set = format!("alter database {name} set default_transaction_read_only = on");
    connect(&url).await.batch_execute(&set).await.unwrap();
    let error = open(&url).await.unwrap_err();
    says(&error, Kind::ReadOnly, "default_transaction_read_only");
}

#[tokio::test]
async fn a_replica_is_refused() {
    let mut server = PostgresServer::start().await.unwrap();
    let url = server.database().await.unwrap();
    ordered_postgres::migrate(&mut connect(&url).await)
        .await
        .unwrap();
    let folder = server.sql("postgres", "show data_directory").await.unwrap();
    server.stop().await.unwrap();
    // It stays in recovery, as a replica whose primary says nothing.
    std::fs::write(format!("{}/standby.signal", folder.trim()), "").unwrap();
    server.start_again().await.unwrap();
    says(
        &open(&url).await.unwrap_err(),
        Kind::ReadOnly,
        "the address of the primary",
    );
}

#[tokio::test]
async fn a_pool_that_is_exhausted_is_told_in_time() {
    let mut fixture = Fixture::new().await;
    let pool = pool(&fixture.url, 1);
    // Connected beforehand: what is waited for is a connection that is free, and not the server.
    drop(pool.get().await.unwrap());
    fixture.inbox = Inbox::builder(pool.clone())
        .acquire_timeout(Duration::from_millis(500))
        .open()
        .await
        .unwrap();
    let taken = pool.get().await.unwrap();
    let error = by_hand(&fixture, apply).await.unwrap_err();
    assert!(!error.is_permanent());
    assert!(
        error.to_string().contains("make the pool larger"),
        "{error}"
    );
    drop(taken);
    by_hand(&fixture, apply).await.unwrap();
    fixture.assert_once(1, 1).await;
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_told_and_leaves_nothing() {
    let mut fixture = Fixture::new().await;
    let name = fixture.url.rsplit('/').next().unwrap();
    let set = format!("alter database {name} set statement_timeout = '1s'");
    fixture.client.batch_execute(&set).await.unwrap();
    fixture.inbox = open(&fixture.url).await.unwrap();
    // Another transaction keeps the row of the key.
    let mut other = connect(&fixture.url).await;
    let other = other.transaction().await.unwrap();
    let insert = "insert into ordered_progress (group_name, key, last_seq, event_id, fence) values ($1, 'k0', 7, 'x', \
                  0)";
    other.execute(insert, &[&fixture.group]).await.unwrap();
    let error = by_hand(&fixture, apply).await.unwrap_err();
    assert!(!error.is_permanent());
    assert!(error.to_string().contains("statement_timeout"), "{error}");
    drop(other);
    assert_eq!(fixture.effects().await.len(), 0);
    by_hand(&fixture, apply).await.unwrap();
    fixture.assert_once(1, 1).await;
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_told() {
    let error = open("postgres://ordered@127.0.0.1:9/none")
        .await
        .unwrap_err();
    says(&error, Kind::Unavailable, "cannot be reached");
}

#[tokio::test]
async fn a_setting_out_of_its_range_is_refused() {
    let url = database().await;
    for idle in [Duration::ZERO, Duration::from_secs(u64::MAX)] {
        let inbox = Inbox::builder(pool(&url, 1)).idle_timeout(idle);
        says(
            &inbox.open().await.unwrap_err(),
            Kind::Invalid,
            "idle_timeout",
        );
    }
}

#[tokio::test]
async fn a_row_that_conflicts_with_serializable_transactions_is_tried_again() {
    let mut fixture = Fixture::new().await;
    let name = fixture.url.rsplit('/').next().unwrap();
    let set = format!("alter database {name} set default_transaction_isolation = 'serializable'");
    fixture.client.batch_execute(&set).await.unwrap();
    fixture.inbox = open(&fixture.url).await.unwrap();
    by_hand(&fixture, apply).await.unwrap();
    by_hand(&fixture, apply).await.unwrap();
    fixture.assert_once(1, 1).await;
}
