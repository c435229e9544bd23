//! Queues with partitions.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lapin::types::AMQPValue;
use ordered_amqp::{Amqp, ExchangeKind, QueueRole};
use ordered_core::event::{Envelope, Key};
use ordered_core::publish::Outgoing;
use ordered_core::transport::{
    ConsumeOptions, DeadLetters, DeliveryOrder, Disposition, Publish, Reason, ReasonKind, Transport,
};
use ordered_testkit::eventually;
use ordered_testkit::server::RabbitServer;
use ordered_testkit::unique;
use tokio::time::{Instant, timeout};

use crate::support::{Queue, ack, refusal, settle, started, take};

/// So soon is a partition handed over in these tests.
const SOON: Duration = Duration::from_millis(200);

/// Events `first..last` of each of so many keys, with `key number` as their bodies.
fn of_keys(keys: usize, numbers: std::ops::Range<usize>) -> Vec<Outgoing> {
    let places = numbers.flat_map(|number| (0..keys).map(move |key| (key, number)));
    let event = |(key, number): (usize, usize)| {
        let key = format!("key-{key}");
        let envelope = Envelope::new(format!("{key} {number}"));
        Outgoing::new(Key::new(&key).unwrap(), envelope)
    };
    places.map(event).collect()
}

async fn publish(queue: &Queue, events: &[Outgoing]) {
    let publisher = queue.builder().publisher().await.unwrap();
    for outcome in publisher.send(events).await {
        outcome.unwrap();
    }
    publisher.close().await;
}

fn body(envelope: &Envelope) -> String {
    String::from_utf8(envelope.body.to_vec()).unwrap()
}

#[tokio::test]
async fn all_events_of_a_key_come_over_one_partition_in_order() {
    let queue = Queue::partitioned(4).await;
    publish(&queue, &of_keys(40, 0..5)).await;
    let mut by_partition = Vec::new();
    for partition in queue.builder().queues().await.unwrap() {
        if partition.role != QueueRole::Partition {
            continue;
        }
        let transport = started(Amqp::connect(&queue.url).queue(partition.name)).await;
        let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for delivery in take(&transport, usize::try_from(partition.waiting).unwrap()).await {
            let body = body(&delivery.envelope);
            let (key, number) = body.split_once(' ').unwrap();
            keys.entry(key.into()).or_default().push(number.into());
        }
        transport.close().await.unwrap();
        by_partition.push(keys);
    }
    let all: BTreeSet<&String> = by_partition.iter().flat_map(BTreeMap::keys).collect();
    assert_eq!(all.len(), 40);
    for keys in &by_partition {
        assert!(
            !keys.is_empty(),
            "each partition has some: {by_partition:?}"
        );
        assert!(
            keys.values()
                .all(|numbers| *numbers == ["0", "1", "2", "3", "4"])
        );
    }
}

#[tokio::test]
async fn a_publisher_finds_the_key_where_it_is_told_to() {
    let queue = Queue::partitioned(8).await;
    let builder = queue.builder().partition_key("order_id");
    let publisher = builder.publisher().await.unwrap();
    let event =
        |number: usize| Envelope::new(format!(r#"{{"order_id": "order-1", "n": {number}}}"#));
    publisher
        .publish((0..20).map(event).collect())
        .await
        .unwrap();
    publisher.close().await;
    let queues = queue.builder().queues().await.unwrap();
    let waiting = queues
        .iter()
        .map(|queue| queue.waiting)
        .filter(|waiting| *waiting > 0);
    assert_eq!(waiting.collect::<Vec<_>>(), [20], "{queues:?}");
}

#[tokio::test]
async fn the_queues_are_told_with_what_waits_and_who_consumes() {
    let queue = Queue::partitioned(3).await;
    let transport = started(queue.builder()).await;
    let second = started(queue.builder()).await;
    assert_eq!(transport.delivery_order(), DeliveryOrder::PerPartition);
    // Also to one who does not know how many there are.
    let plain = Amqp::connect(&queue.url).queue(&queue.name);
    let queues = plain.queues().await.unwrap();
    let told: Vec<_> = queues
        .iter()
        .map(|queue| (queue.role, queue.consumers))
        .collect();
    assert_eq!(
        told,
        [
            (QueueRole::Partition, 1),
            (QueueRole::Partition, 1),
            (QueueRole::Partition, 1),
            (QueueRole::Workers, 2),
            (QueueRole::DeadLetters, 0)
        ]
    );
    assert_eq!(queues[2].name, format!("{}.2", queue.name));
    transport.close().await.unwrap();
    second.close().await.unwrap();
    let missing = Amqp::connect(&queue.url).queue(unique("none")).queues();
    let error = missing.await.unwrap_err().to_string();
    assert!(error.contains("no partition of one"), "{error}");
}

/// The one that started first hands over what is more than its share, and what it has settled is not delivered again.
#[tokio::test]
async fn a_worker_that_starts_later_gets_its_share() {
    let queue = Queue::partitioned(4).await;
    let builder = || queue.builder().rebalance_interval(SOON);
    let first = started(builder()).await;
    let publisher = queue.builder().publisher().await.unwrap();
    for outcome in publisher.send(&of_keys(40, 0..2)).await {
        outcome.unwrap();
    }
    let all = take(&first, 80).await;
    ack(&first, &all).await;
    let second = started(builder()).await;
    let mut came: BTreeMap<String, usize> = BTreeMap::new();
    let mut of_second = BTreeSet::new();
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut number = 2;
    // In each round the keys of a partition come to one of them.
    loop {
        assert!(Instant::now() < deadline, "the second has {of_second:?}");
        for outcome in publisher.send(&of_keys(40, number..number + 1)).await {
            outcome.unwrap();
        }
        let mut round = 0;
        of_second.clear();
        while round < 40 {
            let (transport, deliveries) = tokio::select! {
                deliveries = first.receive(100) => (&first, deliveries.unwrap()),
                deliveries = second.receive(100) => (&second, deliveries.unwrap()),
            };
            for delivery in &deliveries {
                *came.entry(body(&delivery.envelope)).or_default() += 1;
                if std::ptr::eq(transport, &second) {
                    let text = body(&delivery.envelope);
                    of_second.insert(text.split(' ').next().unwrap().to_owned());
                }
            }
            round += deliveries.len();
            ack(transport, &deliveries).await;
        }
        number += 1;
        // About half of the keys, however they are spread over the four.
        if (5..=35).contains(&of_second.len()) {
            break;
        }
    }
    assert_eq!(came.len(), 40 * (number - 2));
    assert!(came.values().all(|times| *times == 1), "{came:?}");
    publisher.close().await;
    first.close().await.unwrap();
    // And the rest when the first is gone.
    publish(&queue, &of_keys(40, number..number + 1)).await;
    let rest = take(&second, 40).await;
    ack(&second, &rest).await;
    second.close().await.unwrap();
}

/// What is not settled in time is delivered again, to the next worker; the tokens of before settle nothing.
#[tokio::test]
async fn what_takes_too_long_is_handed_over_unfinished() {
    let queue = Queue::partitioned(2).await;
    let builder = || queue.builder().rebalance_interval(SOON);
    publish(&queue, &of_keys(20, 0..1)).await;
    let queues = queue.builder().queues().await.unwrap();
    let of_the_last = usize::try_from(queues[1].waiting).unwrap();
    assert!((1..20).contains(&of_the_last), "{queues:?}");
    let first = started(builder()).await;
    let slow = take(&first, 20).await;
    let second = started(builder()).await;
    // It keeps the other one.
    let again = take(&second, of_the_last).await;
    assert!(again.iter().all(|delivery| delivery.redelivered));
    ack(&first, &slow).await;
    ack(&second, &again).await;
    first.close().await.unwrap();
    second.close().await.unwrap();
    eventually("all is settled", async || {
        let queues = queue.builder().queues().await.unwrap();
        queues.iter().all(|queue| queue.waiting == 0)
    })
    .await;
}

#[tokio::test]
async fn more_partitions_are_declared_while_workers_with_fewer_go_on() {
    let queue = Queue::partitioned(2).await;
    let old = started(queue.builder()).await;
    publish(&queue, &of_keys(40, 0..1)).await;
    let grown = queue.with_partitions(4);
    let new = started(grown.builder()).await;
    publish(&queue, &of_keys(40, 1..3)).await;
    let mut came = BTreeSet::new();
    while came.len() < 120 {
        let (transport, deliveries) = tokio::select! {
            deliveries = old.receive(100) => (&old, deliveries.unwrap()),
            deliveries = new.receive(100) => (&new, deliveries.unwrap()),
        };
        came.extend(deliveries.iter().map(|delivery| body(&delivery.envelope)));
        ack(transport, &deliveries).await;
    }
    old.close().await.unwrap();
    new.close().await.unwrap();
    let queues = queue.builder().queues().await.unwrap();
    let partitions = queues.iter().filter(|it| it.role == QueueRole::Partition);
    assert_eq!(partitions.count(), 4, "{queues:?}");
}

#[tokio::test]
async fn dead_letters_of_all_partitions_are_in_one_queue_and_come_back_to_their_partitions() {
    let queue = Queue::partitioned(4).await;
    let transport = started(queue.builder()).await;
    publish(&queue, &of_keys(20, 0..1)).await;
    for delivery in take(&transport, 20).await {
        let reason = Reason {
            kind: ReasonKind::Malformed,
            text: "no".into(),
        };
        settle(&transport, &delivery, Disposition::DeadLetter(reason)).await;
    }
    // By a tool that knows of no partitions.
    let letters = Amqp::connect(&queue.url).queue(&queue.name).dead_letters();
    let letters = letters.await.unwrap();
    let dead = letters.take(100).await.unwrap();
    assert_eq!(dead.len(), 20);
    let from: BTreeSet<_> = dead
        .iter()
        .filter_map(|letter| letter.queue.clone())
        .collect();
    assert!(from.len() > 1, "they say from which partition: {from:?}");
    let tokens: Vec<_> = dead.iter().map(|letter| letter.token).collect();
    for outcome in letters.redrive(&tokens).await {
        outcome.unwrap();
    }
    letters.close().await.unwrap();
    let again = take(&transport, 20).await;
    for delivery in &again {
        let key = body(&delivery.envelope);
        let key = key.split(' ').next().unwrap();
        assert_eq!(delivery.envelope.headers["amqp.routing_key"], key);
        assert_eq!(delivery.envelope.headers.len(), 1, "{delivery:?}");
    }
    ack(&transport, &again).await;
    transport.close().await.unwrap();
}

#[tokio::test]
async fn an_exchange_before_the_partitions_feeds_them() {
    let queue = Queue::partitioned(4).await;
    let topics = unique("topics");
    let transport = started(queue.builder().bind(&topics, "order.#")).await;
    let exchange = Amqp::connect(&queue.url).exchange(&topics, "order.created");
    let publisher = exchange.await.unwrap();
    publisher.publish(vec![Envelope::new("x")]).await.unwrap();
    publisher.close().await;
    let delivery = take(&transport, 1).await.remove(0);
    assert_eq!(
        delivery.envelope.headers["amqp.routing_key"],
        "order.created"
    );
    let soon = Disposition::Defer(Duration::from_millis(50));
    settle(&transport, &delivery, soon).await;
    let again = take(&transport, 1).await;
    assert_eq!(again[0].envelope, delivery.envelope);
    ack(&transport, &again).await;
    transport.close().await.unwrap();
}

#[tokio::test]
async fn a_strict_transport_refuses_a_partition_that_several_get() {
    let queue = Queue::partitioned(2).await;
    let client = queue.client().await;
    let text = |text: &str| AMQPValue::LongString(text.into());
    let arguments = [("x-queue-type", text("quorum"))];
    client
        .declare(&format!("{}.1", queue.name), &arguments)
        .await;
    let error = refusal(queue.builder().strict(true)).await;
    assert!(
        error.contains("Declare it with x-single-active-consumer"),
        "{error}"
    );
    let transport = started(queue.builder()).await;
    assert_eq!(transport.delivery_order(), DeliveryOrder::OneQueue);
    transport.close().await.unwrap();
}

#[tokio::test]
async fn an_exchange_that_does_not_hash_is_refused() {
    let queue = Queue::partitioned(2).await;
    let name = format!("{}.partitions", queue.name);
    let plain = Queue::shared().await;
    let topic = plain.builder().exchange(&name, ExchangeKind::Topic);
    started(topic).await.close().await.unwrap();
    let error = refusal(queue.builder()).await;
    assert!(error.contains("does not hash the routing key"), "{error}");
}

#[tokio::test]
async fn the_other_hash_is_taken_where_only_that_is_there_and_without_any_it_is_told_what_to_enable()
 {
    let other = RabbitServer::builder().plugins(["rabbitmq_sharding"]);
    let none = RabbitServer::builder().plugins(Vec::<String>::new());
    let (other, none) = tokio::try_join!(other.start(), none.start()).unwrap();
    let without = Queue::at(&none, None).with_partitions(2);
    let error = refusal(without.builder()).await;
    let advice = "rabbitmq-plugins enable rabbitmq_consistent_hash_exchange";
    assert!(error.contains(advice), "{error}");
    let queue = Queue::at(&other, None).with_partitions(2);
    let transport = started(queue.builder()).await;
    publish(&queue, &of_keys(20, 0..2)).await;
    let all = take(&transport, 40).await;
    ack(&transport, &all).await;
    transport.close().await.unwrap();
    // It is there now, and found to be.
    started(queue.builder()).await.close().await.unwrap();
}

/// One settles, and the other one receives: what may be unsettled is bounded over all partitions.
#[tokio::test]
async fn settling_in_one_partition_makes_room_for_another() {
    let queue = Queue::partitioned(4).await;
    publish(&queue, &of_keys(40, 0..1)).await;
    let transport = queue.builder().await.unwrap();
    transport
        .start(ConsumeOptions { max_unsettled: 3 })
        .await
        .unwrap();
    let mut seen = BTreeSet::new();
    while seen.len() < 40 {
        let received = timeout(Duration::from_secs(60), transport.receive(100)).await;
        let deliveries = received.unwrap().unwrap();
        assert!(deliveries.len() <= 3, "{deliveries:?}");
        seen.extend(deliveries.iter().map(|delivery| body(&delivery.envelope)));
        ack(&transport, &deliveries).await;
    }
    transport.close().await.unwrap();
}
