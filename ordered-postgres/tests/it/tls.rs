//! Encrypted connections.

use std::time::Duration;

use ordered_postgres::{Outbox, PostgresErrorKind as Kind, connect, migrate};
use ordered_testkit::eventually;
use ordered_testkit::server::{AUTHORITY_FILE, PostgresServer};

use crate::addresses::says;
use crate::support::recording_publisher::RecordingPublisher;
use crate::support::{Running, database, event, relay};

#[tokio::test]
async fn an_address_with_sslmode_is_encrypted_and_the_server_is_checked() {
    let server = PostgresServer::builder().tls().start().await.unwrap();
    let url = server.database().await.unwrap();
    let trusted = format!("{url}?sslmode=verify-full&sslrootcert={AUTHORITY_FILE}");
    let mut client = connect(&trusted).await.unwrap();
    let ssl = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
    assert!(client.query_one(ssl, &[]).await.unwrap().get::<_, bool>(0));
    migrate(&mut client).await.unwrap();

    // The relay with its notifications, and what workers ask with.
    let publisher = RecordingPublisher::new();
    let long = Duration::from_secs(60);
    let builder = relay(&trusted, &publisher).poll_interval(long).listen(true);
    let running = Running::start(builder);
    let encrypted = "select 1 from pg_stat_ssl ssl join pg_stat_activity activity using (pid)
        where application_name = 'ordered relay' and ssl and query like 'listen%'";
    eventually("the relay listens", async || {
        !client.query(encrypted, &[]).await.unwrap().is_empty()
    })
    .await;
    let mut tx = client.transaction().await.unwrap();
    Outbox::stage(&mut tx, &event("k", "1")).await.unwrap();
    Outbox::notify(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    publisher.has(1).await;
    running.stop().await.unwrap();
    let open = "select application_name from pg_stat_activity join pg_stat_ssl ssl using (pid)
        where not ssl and application_name like 'ordered%'";
    assert!(client.query(open, &[]).await.unwrap().is_empty());

    // An authority that nobody trusts, and a name that the certificate is not for.
    let refused = connect(&format!("{url}?sslmode=require"))
        .await
        .err()
        .unwrap();
    says(
        &refused,
        Kind::Denied,
        &["no TLS with Postgres at 127.0.0.1", "sslrootcert"],
    );
    let other_name = trusted.replace("@127.0.0.1", "@another.example");
    let refused = connect(&format!("{other_name}&hostaddr=127.0.0.1")).await;
    says(
        &refused.err().unwrap(),
        Kind::Denied,
        &["another.example", "certificate"],
    );
    // A server without TLS is not talked to in the open.
    let plain = database().await;
    let refused = connect(&format!(
        "{plain}?sslmode=require&sslrootcert={AUTHORITY_FILE}"
    ))
    .await;
    says(&refused.err().unwrap(), Kind::Denied, &["`ssl = on`"]);
}
