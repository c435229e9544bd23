use bytes::Bytes;
use ordered_core::event::{EventId, Key};
use ordered_postgres::{Outbox, OutboxEvent, Payload};
use sqlx::Connection;

use crate::support::{connect, database, event};

#[tokio::test]
async fn a_batch_numbers_each_key_in_the_order_in_which_its_events_are_given() {
    let url = database().await;
    let mut client = connect(&url).await;
    let mut tx = client.transaction().await.unwrap();
    let first = Outbox::stage(&mut tx, &event("b", "0")).await.unwrap();
    assert_eq!(first.seq.get(), 1);
    let events = ["b", "a", "b", "c", "a", "b"].map(|key| event(key, "1"));
    let staged = Outbox::stage_all(&mut tx, &events).await.unwrap();
    let seqs: Vec<u64> = staged.iter().map(|staged| staged.seq.get()).collect();
    assert_eq!(seqs, [2, 1, 3, 1, 2, 4]);
    let none: [OutboxEvent; 0] = [];
    assert!(Outbox::stage_all(&mut tx, &none).await.unwrap().is_empty());
    tx.commit().await.unwrap();
    let rows = client
        .query(
            "select id from ordered_outbox where aggregate_id = 'b' and seq > 1 order by seq",
            &[],
        )
        .await
        .unwrap();
    let ids: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let answered = [0, 2, 5].map(|place: usize| staged[place].id.to_string());
    assert_eq!(ids, answered);
}

#[tokio::test]
async fn what_is_staged_from_tokio_postgres_from_sqlx_and_by_sql_alone_is_the_same() {
    let url = database().await;
    let given = OutboxEvent::new(
        "order",
        Key::new("k").unwrap(),
        "placed",
        Payload::Json(r#"{ "a" : 1.10 }"#.into()),
    )
    .header("tenant", "ü")
    .trace("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    .id(EventId::new("mine").unwrap());

    let mut client = connect(&url).await;
    let mut tx = client.transaction().await.unwrap();
    Outbox::stage(&mut tx, &given).await.unwrap();
    Outbox::stage_all(&mut tx, std::slice::from_ref(&given))
        .await
        .unwrap();
    tx.commit().await.unwrap();

    let mut sqlx = sqlx::PgConnection::connect(&url).await.unwrap();
    let mut tx = sqlx.begin().await.unwrap();
    let third = Outbox::stage(&mut tx, &given).await.unwrap();
    assert_eq!((third.seq.get(), third.id.as_str()), (3, "mine"));
    Outbox::stage_all(&mut tx, std::slice::from_ref(&given))
        .await
        .unwrap();
    Outbox::notify(&mut tx).await.unwrap();
    tx.commit().await.unwrap();

    let by_hand = r#"select * from ordered_stage(aggregate_type => 'order', key => 'k', event_type => 'placed',
        payload => '{ "a" : 1.10 }', headers => '{"tenant":"ü"}',
        trace => '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', event_id => 'mine')"#;
    let by_hand = client.query_one(by_hand, &[]).await.unwrap();
    assert_eq!(by_hand.get::<_, i64>("seq"), 5);

    let kinds = "select distinct shard, id, aggregate_type, aggregate_id, event_type, payload::text, payload_bytes, \
                 headers::text, trace from ordered_outbox";
    let kinds = client.query(kinds, &[]).await.unwrap();
    assert_eq!(kinds.len(), 1, "{kinds:?}");
    assert_eq!(kinds[0].get::<_, &str>("payload"), r#"{ "a" : 1.10 }"#);
}

#[tokio::test]
async fn bytes_that_are_no_text_are_kept_as_they_are() {
    let url = database().await;
    let mut client = connect(&url).await;
    let body = Bytes::from_static(&[0, 0xff, b'{']);
    let given = OutboxEvent::new(
        "order",
        Key::new("k").unwrap(),
        "placed",
        Payload::Bytes(body.clone()),
    );
    let mut tx = client.transaction().await.unwrap();
    Outbox::stage(&mut tx, &given).await.unwrap();
    Outbox::stage_all(&mut tx, &[given]).await.unwrap();
    tx.commit().await.unwrap();
    for row in client
        .query("select payload_bytes from ordered_outbox", &[])
        .await
        .unwrap()
    {
        assert_eq!(row.get::<_, &[u8]>(0), &body[..]);
    }
}

#[tokio::test]
async fn an_event_of_a_transaction_that_was_rolled_back_leaves_nothing() {
    let url = database().await;
    let mut client = connect(&url).await;
    let mut tx = client.transaction().await.unwrap();
    Outbox::stage(&mut tx, &event("k", "1")).await.unwrap();
    drop(tx);
    let mut tx = client.transaction().await.unwrap();
    let staged = Outbox::stage(&mut tx, &event("k", "1")).await.unwrap();
    assert_eq!(staged.seq.get(), 1);
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn the_example_in_python_stages_without_gaps_although_it_rolls_back() {
    let url = database().await;
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = here.join("../target/python/bin/python");
    assert!(
        python.exists(),
        "there is no Python with psycopg: run scripts/install-servers"
    );
    let program = here.join("../examples/python/stage.py");
    let run = move |url: String| {
        let mut command = std::process::Command::new(&python);
        command.arg(&program).arg(url).args(["--transfers", "70"]);
        tokio::task::spawn_blocking(move || command.output().unwrap())
    };
    let ended = run(url.clone()).await.unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}");
    let client = connect(&url).await;
    let count = "select count(*), count(distinct aggregate_id), sum(seq)::bigint, (select sum(cents)::bigint from \
                 accounts) from ordered_outbox";
    let row = client.query_one(count, &[]).await.unwrap();
    // Of seven keys eight events each.
    let counted: (i64, i64, i64, i64) = (row.get(0), row.get(1), row.get(2), row.get(3));
    assert_eq!(counted, (56, 7, 7 * 36, 5_600));
}
