//! Each mistake in the setup, and what is said about it.

use ordered_postgres::outbox::MAX_BATCH;
use ordered_postgres::{Outbox, OutboxEvent, PostgresError, PostgresErrorKind};
use ordered_testkit::{eventually, unique};
use tokio_postgres::NoTls;

use crate::support::recording_publisher::RecordingPublisher;
use crate::support::{
    Running, ask, connect, database, empty_database, event, relay, request, stage,
};

async fn refusal(url: &str, event: &OutboxEvent) -> PostgresError {
    let mut client = connect(url).await;
    let mut tx = client.transaction().await.unwrap();
    let single = Outbox::stage(&mut tx, event).await.unwrap_err();
    tx.rollback().await.unwrap();
    let mut tx = client.transaction().await.unwrap();
    let batch = Outbox::stage_all(&mut tx, std::slice::from_ref(event)).await;
    assert_eq!(batch.unwrap_err().kind(), single.kind());
    single
}

fn says(error: &PostgresError, kind: PostgresErrorKind, words: &[&str]) {
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    for word in words {
        assert!(text.contains(word), "no {word:?} in: {text}");
    }
}

#[tokio::test]
async fn missing_tables() {
    let url = empty_database().await;
    let error = refusal(&url, &event("k", "1")).await;
    says(
        &error,
        PostgresErrorKind::NotMigrated,
        &["ordered outbox migrate", "search path"],
    );
}

#[tokio::test]
async fn missing_rights() {
    let url = database().await;
    let role = unique("poor").replace('-', "_");
    connect(&url)
        .await
        .batch_execute(&format!("create role {role} login"))
        .await
        .unwrap();
    let error = refusal(
        &url.replace("ordered@", &format!("{role}@")),
        &event("k", "1"),
    )
    .await;
    says(
        &error,
        PostgresErrorKind::Denied,
        &["grant", "ordered_counters"],
    );
}

/// The rights that `docs/outbox.md` names.
#[tokio::test]
async fn a_service_and_a_relay_need_no_more_rights_than_the_guide_says() {
    let url = database().await;
    let (service, relay_role) = (unique("service"), unique("relay"));
    let (service, relay_role) = (service.replace('-', "_"), relay_role.replace('-', "_"));
    let tables = "ordered_migrations, ordered_counters, ordered_outbox, ordered_relay_shards, ordered_relays, \
         ordered_relay_lagging, ordered_repairs";
    let grants = format!(
        "create role {service} login; create role {relay_role} login;
         grant select, insert, update on ordered_counters to {service}; grant insert on ordered_outbox to {service};
         grant select, insert, update, delete on {tables} to {relay_role}"
    );
    let client = connect(&url).await;
    client.batch_execute(&grants).await.unwrap();
    let of = |role: &str| url.replace("ordered@", &format!("{role}@"));
    let mut service = connect(&of(&service)).await;
    stage(&mut service, &["a", "b"]).await;
    let mut tx = service.transaction().await.unwrap();
    Outbox::stage(&mut tx, &event("a", "1")).await.unwrap();
    tx.commit().await.unwrap();
    let publisher = RecordingPublisher::new();
    let brief = Some(std::time::Duration::from_millis(1));
    let relay = Running::start(relay(&of(&relay_role), &publisher).retention(brief));
    publisher.has(3).await;
    assert_eq!(ask(&client, &request("a", 9, 9)).await.missing, 1);
    eventually("old events are removed", async || {
        let left = "select 1 from ordered_outbox";
        client.query(left, &[]).await.unwrap().is_empty()
    })
    .await;
    relay.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_that_takes_no_writes() {
    let url = database().await + "?options=-cdefault_transaction_read_only%3Don";
    let error = refusal(&url, &event("k", "1")).await;
    says(
        &error,
        PostgresErrorKind::ReadOnly,
        &["replica", "target_session_attrs"],
    );
}

#[tokio::test]
async fn a_statement_timeout() {
    let url = database().await;
    let mut holder = connect(&url).await;
    let mut holding = holder.transaction().await.unwrap();
    Outbox::stage(&mut holding, &event("k", "1")).await.unwrap();
    let error = refusal(
        &(url + "?options=-cstatement_timeout%3D50"),
        &event("k", "1"),
    )
    .await;
    says(
        &error,
        PostgresErrorKind::Timeout,
        &["statement_timeout", "keeps the key locked"],
    );
    assert!(error.kind().is_transient());
}

#[tokio::test]
async fn a_payload_that_is_not_json() {
    let url = database().await;
    let error = refusal(&url, &event("k", "{\"a\": ")).await;
    says(
        &error,
        PostgresErrorKind::Invalid,
        &["not JSON", "as bytes"],
    );
}

#[tokio::test]
async fn a_key_that_is_none() {
    let error = OutboxEvent::json("order", "", "placed", &1).unwrap_err();
    let error = PostgresError::from(error);
    says(&error, PostgresErrorKind::Invalid, &["the key is empty"]);
    let client = connect(&database().await).await;
    for (key, word) in [
        ("''", "empty"),
        ("null", "empty"),
        ("repeat('x', 513)", "512"),
    ] {
        let sql = format!("select ordered_stage('order', {key}, 'placed', '1')");
        let error = client.batch_execute(&sql).await.unwrap_err();
        says(&error.into(), PostgresErrorKind::Invalid, &[word]);
        let sql = format!(
            "select ordered_stage_batch('{{o}}', array[{key}], '{{p}}', '{{1}}', array[null::bytea], '{{null}}', \
             '{{null}}', '{{null}}')"
        );
        let error = client.batch_execute(&sql).await.unwrap_err();
        says(&error.into(), PostgresErrorKind::Invalid, &[word]);
    }
}

#[tokio::test]
async fn a_batch_that_is_too_large() {
    let url = database().await;
    let mut client = connect(&url).await;
    let mut tx = client.transaction().await.unwrap();
    let events = vec![event("k", "1"); MAX_BATCH + 1];
    let error = Outbox::stage_all(&mut tx, &events).await.unwrap_err();
    says(&error, PostgresErrorKind::Invalid, &["10000 at a time"]);
    assert_eq!(
        Outbox::stage_all(&mut tx, &events[1..])
            .await
            .unwrap()
            .len(),
        MAX_BATCH
    );
}

#[tokio::test]
async fn two_transactions_that_wait_for_each_other() {
    let url = database().await + "?options=-cdeadlock_timeout%3D20";
    let (mut one, mut other) = (connect(&url).await, connect(&url).await);
    let mut first = one.transaction().await.unwrap();
    let mut second = other.transaction().await.unwrap();
    Outbox::stage(&mut first, &event("a", "1")).await.unwrap();
    Outbox::stage(&mut second, &event("b", "1")).await.unwrap();
    let (b, a) = (event("b", "1"), event("a", "1"));
    let outcome = tokio::join!(
        async {
            let outcome = Outbox::stage(&mut first, &b).await;
            first.rollback().await.unwrap();
            outcome
        },
        async {
            let outcome = Outbox::stage(&mut second, &a).await;
            second.rollback().await.unwrap();
            outcome
        }
    );
    let error = outcome.0.err().or(outcome.1.err()).unwrap();
    says(
        &error,
        PostgresErrorKind::Conflict,
        &["run the whole transaction again"],
    );
}

#[tokio::test]
async fn a_pool_that_is_exhausted() {
    let config = database().await.parse().unwrap();
    let manager = deadpool_postgres::Manager::new(config, NoTls);
    let pool = deadpool_postgres::Pool::builder(manager)
        .max_size(1)
        .runtime(deadpool_postgres::Runtime::Tokio1)
        .wait_timeout(Some(std::time::Duration::from_millis(20)))
        .build()
        .unwrap();
    let _taken = pool.get().await.unwrap();
    let error = PostgresError::from(pool.get().await.unwrap_err());
    says(
        &error,
        PostgresErrorKind::PoolExhausted,
        &["make the pool larger"],
    );
    let options = sqlx::postgres::PgPoolOptions::new().max_connections(1);
    let pool = options.connect(&database().await).await.unwrap();
    let _taken = pool.acquire().await.unwrap();
    // The pool waits half a minute for a connection by default. The test does not: time jumps to where something is
    // due.
    tokio::time::pause();
    let error = PostgresError::from(pool.acquire().await.unwrap_err());
    says(
        &error,
        PostgresErrorKind::PoolExhausted,
        &["make the pool larger"],
    );
}

#[tokio::test]
async fn an_address_that_leads_nowhere() {
    let refused = tokio_postgres::connect("postgres://nobody@127.0.0.1:1/x", NoTls).await;
    let error = PostgresError::from(refused.err().unwrap());
    says(
        &error,
        PostgresErrorKind::Unavailable,
        &["cannot be reached"],
    );
    let url = empty_database().await + "_missing";
    let refused = tokio_postgres::connect(&url, NoTls).await;
    let error = PostgresError::from(refused.err().unwrap());
    says(&error, PostgresErrorKind::Refused, &["create it"]);
}
