use std::sync::Arc;
use std::time::Duration;

use ordered_core::event::{EventId, Key};
use ordered_postgres::relay::{HEADER_AGGREGATE, HEADER_ID, HEADER_KEY, HEADER_SEQ, HEADER_TYPE};
use ordered_postgres::{Outbox, OutboxEvent, Payload, PostgresErrorKind, Relay, migrate, status};
use ordered_testkit::eventually;
use ordered_testkit::server::PostgresServer;

use crate::support::recording_publisher::RecordingPublisher;
use crate::support::{
    Running, connect, database, empty_database, event, everything_was_looked_at, relay, stage,
};

#[tokio::test]
async fn a_message_has_the_body_the_headers_and_the_place_of_the_event() {
    let url = database().await;
    let mut client = connect(&url).await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let mut tx = client.transaction().await.unwrap();
    let text = OutboxEvent::json(
        "order",
        "ö-17",
        "placed",
        &serde_json::json!({ "total": 5 }),
    )
    .unwrap()
    .header("tenant", "a")
    .trace(trace)
    .id(EventId::new("mine").unwrap());
    let bytes = Payload::Bytes(vec![0, 0xff].into());
    let bytes = OutboxEvent::new("order", Key::new("ö-17").unwrap(), "shipped", bytes);
    let staged = Outbox::stage_all(&mut tx, &[text, bytes]).await.unwrap();
    tx.commit().await.unwrap();

    let publisher = RecordingPublisher::new();
    let _relay = Running::start(relay(&url, &publisher));
    publisher.has(2).await;
    let [first, second] = &publisher.envelopes()[..] else {
        panic!("there are two");
    };
    assert_eq!(&first.body[..], br#"{"total":5}"#);
    assert_eq!(&second.body[..], [0, 0xff]);
    let expected = [
        ("tenant", "a"),
        ("traceparent", trace),
        (HEADER_AGGREGATE, "order"),
        (HEADER_ID, "mine"),
        (HEADER_KEY, "ö-17"),
        (HEADER_SEQ, "1"),
        (HEADER_TYPE, "placed"),
    ];
    let headers: Vec<_> = first.headers.iter().map(|(n, v)| (&**n, &**v)).collect();
    assert_eq!(headers, expected);
    assert_eq!(second.headers[HEADER_ID], staged[1].id.as_str());
    let now = ordered_core::internal::wall_clock();
    let age = now - first.published_at.unwrap();
    assert!(age < 60_000, "{age}");
}

#[tokio::test]
async fn a_relay_that_stops_in_order_leaves_nothing_to_be_published_again() {
    let url = database().await;
    let mut client = connect(&url).await;
    let publisher = RecordingPublisher::new();
    let long = |builder: ordered_postgres::RelayBuilder| builder.lease(Duration::from_secs(600));
    for round in 1..=3 {
        // With this lease nobody would wait for the end of the one before.
        let relay = Running::start(long(relay(&url, &publisher)));
        for _ in 0..10 {
            stage(&mut client, &["a", "b", "c", "d"]).await;
        }
        publisher.has(40 * round).await;
        relay.stop().await.unwrap();
        assert_eq!(publisher.events().len(), 40 * round);
    }
    publisher.in_order();
    let left = status::status(&client).await.unwrap();
    assert_eq!(left.pending.events, 0);
    assert_eq!(left.relays.len(), 1);
    assert!(left.relays[0].name.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_batch_ends_by_its_events_and_by_its_bytes() {
    let url = database().await;
    let mut client = connect(&url).await;
    let body = format!("{:?}", "x".repeat(10_000));
    let mut tx = client.transaction().await.unwrap();
    let large = vec![event("large", &body); 20];
    Outbox::stage_all(&mut tx, &large).await.unwrap();
    tx.commit().await.unwrap();
    for _ in 0..10 {
        stage(&mut client, &["small"; 10]).await;
    }
    let publisher = RecordingPublisher::new();
    let _relay = Running::start(relay(&url, &publisher).batch(30).batch_bytes(50_000));
    publisher.has(120).await;
    let calls = publisher.calls();
    assert_eq!(calls[0], 5, "{calls:?}");
    assert!(calls.iter().all(|events| *events <= 30), "{calls:?}");
    assert!(calls.contains(&30), "{calls:?}");
    publisher.in_order();
}

#[tokio::test]
async fn who_listens_publishes_without_waiting_for_the_next_poll() {
    let url = database().await;
    let mut client = connect(&url).await;
    let publisher = RecordingPublisher::new();
    let slow = relay(&url, &publisher)
        .poll_interval(Duration::from_secs(300))
        .lease(Duration::from_secs(1_000))
        .listen(true);
    let _relay = Running::start(slow);
    eventually("it listens", async || {
        let listens = "select 1 from pg_stat_activity where query = 'listen ordered_outbox' and state = 'idle' and \
                       datname = current_database()";
        !client.query(listens, &[]).await.unwrap().is_empty()
    })
    .await;
    for round in 1..=3 {
        let mut tx = client.transaction().await.unwrap();
        Outbox::stage(&mut tx, &event("k", "1")).await.unwrap();
        Outbox::notify(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        publisher.has(round).await;
    }
}

#[tokio::test]
async fn what_is_published_is_removed_after_the_retention_and_what_is_not_stays() {
    let url = database().await;
    let mut client = connect(&url).await;
    let publisher = RecordingPublisher::new();
    publisher.fail(|key, seq| {
        let fails = key == "poison" && seq > 1;
        fails.then(|| ordered_core::transport::TransportError::fatal("no"))
    });
    stage(&mut client, &["a", "poison", "b", "poison", "a"]).await;
    let brief = relay(&url, &publisher).retention(Some(Duration::from_millis(1)));
    let _relay = Running::start(brief);
    eventually("only what is not published is left", async || {
        let left = "select aggregate_id, seq from ordered_outbox";
        let left = client.query(left, &[]).await.unwrap();
        let left: Vec<(String, i64)> = left.iter().map(|row| (row.get(0), row.get(1))).collect();
        left == [("poison".to_owned(), 2)]
    })
    .await;
    publisher.recover();
    publisher.has(5).await;
    // Numbers go on although the rows are gone.
    stage(&mut client, &["a", "poison"]).await;
    publisher.has(7).await;
    assert_eq!(publisher.in_order()["a"].len(), 3);
    eventually("nothing is left", async || {
        let left = "select 1 from ordered_outbox";
        client.query(left, &[]).await.unwrap().is_empty()
    })
    .await;
}

#[tokio::test]
async fn a_relay_goes_on_after_a_restart_of_postgres() {
    let mut server = PostgresServer::start().await.unwrap();
    let url = server.database().await.unwrap();
    let mut client = connect(&url).await;
    migrate(&mut client).await.unwrap();
    let publisher = RecordingPublisher::new();
    let relay = Running::start(relay(&url, &publisher));
    stage(&mut client, &["a", "b"]).await;
    publisher.has(2).await;
    server.restart().await.unwrap();
    let mut client = connect(&url).await;
    stage(&mut client, &["a", "b"]).await;
    publisher.has(4).await;
    publisher.in_order();
    relay.stop().await.unwrap();
}

/// A server that crashes gives out the numbers of transactions again that it had not written to the disk.
#[tokio::test]
async fn a_relay_publishes_what_is_staged_after_a_crash_took_transactions_back() {
    let builder = PostgresServer::builder().setting("wal_writer_delay", "10s");
    let mut server = builder.start().await.unwrap();
    let url = server.database().await.unwrap();
    let mut client = connect(&url).await;
    migrate(&mut client).await.unwrap();
    let publisher = RecordingPublisher::new();
    // Nothing but what this test stages is written to the disk at once.
    let relay = Running::start(relay(&url, &publisher).lease(Duration::from_secs(600)));
    stage(&mut client, &["a"]).await;
    publisher.has(1).await;
    for round in 1..=5 {
        let mut last = 0;
        // Few enough for one page of the log: a full one is written to the disk.
        for _ in 0..10 * round {
            let transaction = client.transaction().await.unwrap();
            let number = "select pg_current_xact_id()::text::bigint";
            last = transaction.query_one(number, &[]).await.unwrap().get(0);
        }
        eventually("the relay has looked beyond them", async || {
            let position = "select max(xid::text::bigint) from ordered_relay_shards";
            let position: i64 = client.query_one(position, &[]).await.unwrap().get(0);
            position >= last
        })
        .await;
        server.restart().await.unwrap();
        client = connect(&url).await;
        let next = "select pg_snapshot_xmax(pg_current_snapshot())::text::bigint";
        let next: i64 = client.query_one(next, &[]).await.unwrap().get(0);
        println!("round {round}: transaction {last} was the last, {next} is the next");
        stage(&mut client, &["a"]).await;
        publisher.has(1 + round).await;
        if next <= last {
            publisher.in_order();
            return relay.stop().await.unwrap();
        }
    }
    panic!("the server has written all transactions to the disk, five times");
}

#[tokio::test]
async fn a_relay_does_not_start_on_what_it_cannot_work_with_and_says_why() {
    let publisher = RecordingPublisher::new();
    let error = |url: String| {
        let relay = relay(&url, &publisher).build();
        async {
            match relay {
                Ok(relay) => relay.run(std::future::pending()).await.unwrap_err(),
                Err(error) => error,
            }
        }
    };
    let missing = error(empty_database().await).await;
    assert_eq!(missing.kind(), PostgresErrorKind::NotMigrated);

    let nowhere = error("postgres://me:secret@127.0.0.1:1/x".into()).await;
    assert_eq!(nowhere.kind(), PostgresErrorKind::Unavailable);
    let malformed = error("me:secret@127.0.0.1".into()).await;
    assert_eq!(malformed.kind(), PostgresErrorKind::Invalid);
    for error in [nowhere, malformed] {
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    let restored = database().await;
    let moved = "update ordered_relay_shards set xid = '1000000000'";
    connect(&restored).await.batch_execute(moved).await.unwrap();
    let restored = error(restored).await;
    let text = restored.to_string();
    assert!(
        text.contains("another server") && text.contains("update ordered_outbox"),
        "{text}"
    );

    let poor = database().await;
    let role = ordered_testkit::unique("poor").replace('-', "_");
    let create = format!(
        "create role {role} login; grant select on ordered_migrations, ordered_relay_shards, ordered_outbox to {role}"
    );
    connect(&poor).await.batch_execute(&create).await.unwrap();
    let denied = error(poor.replace("ordered@", &format!("{role}@"))).await;
    assert_eq!(denied.kind(), PostgresErrorKind::Denied, "{denied}");
    assert!(denied.to_string().contains("ordered_relays"), "{denied}");
}

#[test]
fn each_setting_that_makes_no_sense_is_refused_by_its_name() {
    let builder = || Relay::builder("postgres://x@h/d", RecordingPublisher::new() as Arc<_>);
    let zero = Duration::ZERO;
    let wrong = [
        ("batch", builder().batch(0)),
        ("batch", builder().batch(100_001)),
        ("batch_bytes", builder().batch_bytes(0)),
        ("poll_interval", builder().poll_interval(zero)),
        ("repair_interval", builder().repair_interval(zero)),
        ("lease", builder().lease(Duration::from_millis(299))),
        ("backoff", builder().backoff(zero)),
        (
            "max_backoff",
            builder().max_backoff(Duration::from_millis(99)),
        ),
        ("known_keys", builder().known_keys(0)),
        ("name", builder().name("")),
    ];
    for (name, builder) in wrong {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), PostgresErrorKind::Invalid);
        assert!(error.to_string().contains(&format!("`{name}`")), "{error}");
    }
    let _ = builder().build().unwrap();
}

#[tokio::test]
async fn few_known_keys_cost_questions_and_no_order() {
    let url = database().await;
    let mut client = connect(&url).await;
    let keys: Vec<String> = (0..50).map(|number| format!("key-{number}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let publisher = RecordingPublisher::new();
    let _relay = Running::start(relay(&url, &publisher).known_keys(1).batch(7));
    for _ in 0..5 {
        stage(&mut client, &keys).await;
    }
    publisher.has(250).await;
    everything_was_looked_at(&client).await;
    publisher.in_order();
    assert_eq!(publisher.events().len(), 250);
}
