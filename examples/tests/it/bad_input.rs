use std::collections::BTreeMap;
use std::time::Duration;

use ordered_events::Envelope;
use ordered_events::core::transport::{ConsumeOptions, Disposition, Settlement};
use ordered_testkit::eventually;
use ordered_testkit::server::{RabbitServer, RedisServer};
use tokio::time::timeout;

use crate::support::load::Load;
use crate::support::processes::Setting;

/// What is wrong, the bytes, and what the reason must say.
fn bad() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let event = |order: &str, seq: &str| {
        format!(
            r#"{{"order_id": {order}, "seq": {seq}, "payload": {{"type": "OrderDelivered"}},
                "event_id": "00000000-0000-4000-8000-000000000001"}}"#
        )
        .into_bytes()
    };
    let without = |field: &str| {
        String::from_utf8(event("\"k\"", "1"))
            .unwrap()
            .replace(field, "other")
            .into_bytes()
    };
    let large = format!("\"{}\"", "k".repeat(10_000));
    vec![
        ("not JSON", b"order-1, please".to_vec(), "not JSON"),
        (
            "JSON of another shape",
            br#"{"hello": ["world"]}"#.to_vec(),
            "missing field `order_id`",
        ),
        (
            "key missing",
            without("order_id"),
            "missing field `order_id`",
        ),
        ("key empty", event("\"\"", "1"), "the key is empty"),
        (
            "key too long",
            event(&large, "1"),
            "the key has 10000 bytes, and a key may have 512 at most",
        ),
        ("seq missing", without("seq"), "missing field `seq`"),
        (
            "seq zero",
            event("\"k\"", "0"),
            "seq is 0, and the keys of the group begin with 1",
        ),
        (
            "seq negative",
            event("\"k\"", "-1"),
            "invalid value: integer `-1`, expected u64",
        ),
        (
            "seq fractional",
            event("\"k\"", "1.5"),
            "invalid type: floating point `1.5`, expected u64",
        ),
        (
            "seq a word",
            event("\"k\"", "\"one\""),
            "invalid type: string \"one\", expected u64",
        ),
        (
            "seq too large",
            event("\"k\"", "9007199254740992"),
            "seq is 9007199254740992, and must be",
        ),
        ("empty", Vec::new(), "the body is empty"),
        (
            "too large",
            vec![b' '; 5_000_000],
            "the body has 5000000 bytes, and may have 1048576 at most",
        ),
        (
            "not UTF-8",
            b"{\"order_id\": \"\xff\xfe\", \"seq\": 1}".to_vec(),
            "is not UTF-8",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_ends_in_the_dead_letter_queue_and_the_worker_goes_on() {
    let (rabbit, redis) = (
        RabbitServer::shared().await.unwrap(),
        RedisServer::shared().await.unwrap(),
    );
    let setting = Setting::new("bad", rabbit.url(), redis.url());
    is_dead_lettered(&setting, &format!("{}.dead", setting.queue), |_| true, &[]).await;
}

const GOOD: Load = Load {
    keys: 3,
    events: 5,
    seed: 4,
};

/// Publishes what is bad, as far as the broker takes it, with these headers, and good events behind it.
pub(crate) async fn is_dead_lettered(
    setting: &Setting,
    dead: &str,
    is_taken: impl Fn(&[u8]) -> bool,
    headers: &[(&str, &str)],
) {
    let bad: Vec<_> = bad()
        .into_iter()
        .filter(|(_, body, _)| is_taken(body))
        .collect();
    let headers: BTreeMap<_, _> = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let envelope = |body: &Vec<u8>| Envelope {
        headers: headers.clone(),
        ..Envelope::new(body.clone())
    };
    let publisher = ordered_events::publisher(&setting.transport, &setting.queue)
        .await
        .unwrap();
    let worker = setting.work("w1", &[]);
    publisher
        .publish(bad.iter().map(|(_, body, _)| envelope(body)).collect())
        .await
        .unwrap();
    setting.produce(&GOOD).await;
    setting.finished(&GOOD).await;

    let mut letters = BTreeMap::<Vec<u8>, String>::new();
    let dead = ordered_events::transport(&setting.transport, dead)
        .await
        .unwrap();
    dead.start(ConsumeOptions { max_unsettled: 100 })
        .await
        .unwrap();
    eventually("all bad events are dead-lettered", async || {
        // A receive waits for as long as nothing comes.
        let received = timeout(Duration::from_secs(1), dead.receive(100)).await;
        for delivery in received.map_or_else(|_| Vec::new(), Result::unwrap) {
            let headers = &delivery.envelope.headers;
            assert_eq!(headers["x-ordered-reason"], "malformed");
            letters.insert(
                delivery.envelope.body.to_vec(),
                headers["x-ordered-reason-text"].clone(),
            );
            dead.settle(vec![Settlement {
                token: delivery.token,
                disposition: Disposition::Ack,
            }])
            .await
            .unwrap();
        }
        letters.len() == bad.len()
    })
    .await;
    for (what, body, reason) in bad {
        let said = letters
            .get(&body)
            .unwrap_or_else(|| panic!("{what}: the original bytes are not there"));
        println!("{what}: {said}");
        assert!(said.contains(reason), "{what}: {said}");
    }
    worker.stop().await;
    setting.log.assert_in_order_once(&GOOD);
}
