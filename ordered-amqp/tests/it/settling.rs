//! Acknowledgements and copies.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::FutureExt;
use ordered_amqp::QueueKind;
use ordered_core::transport::{Delivery, Disposition, Reason, ReasonKind, Settlement, Transport};
use ordered_testkit::eventually;
use ordered_testkit::server::RabbitServer;
use ordered_testkit::transport_suite::TransportFixture;

use crate::support::{Queue, ack, numbered, settle, take};

fn dead() -> Disposition {
    Disposition::DeadLetter(Reason {
        kind: ReasonKind::Malformed,
        text: "no".into(),
    })
}

#[tokio::test]
async fn a_slow_event_does_not_hold_up_the_prefetch() {
    let queue = Queue::shared().await;
    queue.publish(numbered(200)).await;
    let transport = queue.started(8).await;
    let slow = take(&transport, 1).await;
    for _ in 0..199 {
        let fast = take(&transport, 1).await;
        ack(&transport, &fast).await;
    }
    ack(&transport, &slow).await;
    transport.close().await.unwrap();
    assert_eq!(queue.client().await.count(&queue.name).await, Some(0));
}

#[tokio::test]
async fn an_acknowledgement_behind_a_slow_event_reaches_the_broker_soon() {
    let queue = Queue::shared().await;
    queue.publish(numbered(2)).await;
    let transport = queue.started(100).await;
    let both = take(&transport, 2).await;
    ack(&transport, &both[1..]).await;
    let server = RabbitServer::shared().await.unwrap();
    eventually("one is unacknowledged", async || {
        let columns = ["list_queues", "name", "messages_unacknowledged"];
        let queues = server.ctl(&columns).await.unwrap();
        queues.contains(&format!("{}\t1\n", queue.name))
    })
    .await;
}

#[tokio::test]
async fn a_settle_that_is_dropped_goes_on() {
    let queue = Queue::shared().await;
    queue.publish(numbered(1)).await;
    let transport = queue.started(10).await;
    let token = take(&transport, 1).await[0].token;
    let disposition = dead();
    let settled = transport.settle(vec![Settlement { token, disposition }]);
    assert!(
        settled.now_or_never().is_none(),
        "it has to wait for the confirm"
    );
    let dead_letters = format!("{}.dead", queue.name);
    let client = queue.client().await;
    eventually("the dead letter is there", async || {
        client.count(&dead_letters).await == Some(1)
    })
    .await;
    // Acknowledged, too.
    transport.close().await.unwrap();
    assert_eq!(client.count(&queue.name).await, Some(0));
}

#[tokio::test]
async fn queues_for_copies_that_were_deleted_are_declared_again() {
    let queue = Queue::shared().await;
    queue.publish(numbered(4)).await;
    let transport = queue.started(10).await;
    let deliveries = take(&transport, 4).await;
    let client = queue.client().await;
    let soon = Disposition::Defer(Duration::from_millis(100));
    settle(&transport, &deliveries[0], soon.clone()).await;
    take(&transport, 1).await;
    client.delete(&format!("{}.defer.100", queue.name)).await;
    settle(&transport, &deliveries[1], soon).await;
    take(&transport, 1).await;
    settle(&transport, &deliveries[2], dead()).await;
    client.delete(&format!("{}.dead", queue.name)).await;
    settle(&transport, &deliveries[3], dead()).await;
    assert_eq!(queue.dead_letters().await.len(), 1);
}

#[tokio::test]
async fn copies_go_where_they_are_told() {
    let queue = Queue::shared().await;
    queue.publish(numbered(2)).await;
    let (morgue, delays) = (
        format!("{}-morgue", queue.name),
        format!("{}-later", queue.name),
    );
    let builder = queue.builder();
    let transport = builder
        .dead_letter_queue(&morgue)
        .defer_queue_prefix(&delays);
    let transport = transport.await.unwrap();
    let options = ordered_core::transport::ConsumeOptions { max_unsettled: 10 };
    transport.start(options).await.unwrap();
    let deliveries = take(&transport, 2).await;
    settle(&transport, &deliveries[0], dead()).await;
    settle(
        &transport,
        &deliveries[1],
        Disposition::Defer(Duration::from_secs(900)),
    )
    .await;
    let client = queue.client().await;
    assert_eq!(client.count(&morgue).await, Some(1));
    assert_eq!(client.count(&format!("{delays}.900000")).await, Some(1));
}

/// What is acknowledged behind a hole goes out one by one, and a channel that closes right behind takes leave of
/// nothing.
#[tokio::test]
async fn what_was_acknowledged_before_the_close_does_not_come_again() {
    for kind in [QueueKind::Quorum, QueueKind::Classic] {
        let queue = Queue::of(kind).await;
        for round in 0..2 {
            queue.publish(numbered(1_000)).await;
            let transport = queue.started(1_000).await;
            let deliveries = take(&transport, 1_000).await;
            let (holes, done): (Vec<_>, Vec<_>) = deliveries
                .into_iter()
                .enumerate()
                .partition(|(number, _)| number % 100 == 0);
            let done: Vec<_> = done.into_iter().map(|(_, delivery)| delivery).collect();
            ack(&transport, &done).await;
            transport.close().await.unwrap();
            let transport = queue.started(2_000).await;
            let left = take(&transport, holes.len()).await;
            let bodies = |deliveries: &[Delivery]| -> BTreeSet<_> {
                deliveries
                    .iter()
                    .map(|it| it.envelope.body.clone())
                    .collect()
            };
            let holes: Vec<_> = holes.into_iter().map(|(_, delivery)| delivery).collect();
            assert_eq!(bodies(&left), bodies(&holes), "{kind:?}, round {round}");
            assert!(left.iter().all(|delivery| delivery.redelivered));
            ack(&transport, &left).await;
            transport.close().await.unwrap();
            let count = queue.client().await.count(&queue.name).await;
            assert_eq!(count, Some(0), "{kind:?}, round {round}");
        }
    }
}
