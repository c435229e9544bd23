//! Brokers that die, stop, hang, and run out of memory.

use std::collections::BTreeSet;
use std::time::Duration;

use lapin::types::AMQPValue;
use ordered_amqp::{Amqp, QueueKind};
use ordered_core::event::Envelope;
use ordered_core::transport::{
    Disposition, Publish, Reason, ReasonKind, Transport, TransportErrorKind,
};
use ordered_testkit::eventually;
use ordered_testkit::proxy::{Direction, Flow};
use ordered_testkit::server::RabbitServer;
use ordered_testkit::transport_suite::TransportFixture;
use tokio::time::{sleep, timeout};

use crate::support::{Queue, ack, numbered, settle, take};

fn dead() -> Disposition {
    Disposition::DeadLetter(Reason {
        kind: ReasonKind::Malformed,
        text: "no".into(),
    })
}

/// Receives and acknowledges until every number up to `count` has come.
async fn drain(transport: &Amqp, mut missing: BTreeSet<Vec<u8>>) {
    while !missing.is_empty() {
        let delivery = take(transport, 1).await;
        missing.remove(&delivery[0].envelope.body[..]);
        ack(transport, &delivery).await;
    }
}

fn all(count: usize) -> BTreeSet<Vec<u8>> {
    let bodies = numbered(count).into_iter();
    bodies.map(|envelope| envelope.body.to_vec()).collect()
}

#[tokio::test]
async fn nothing_is_lost_when_the_broker_is_killed() {
    let mut server = RabbitServer::exclusive().await.unwrap();
    let queue = Queue::at(&server, Some(QueueKind::Quorum));
    queue.publish(numbered(300)).await;
    let transport = queue.started(100).await;
    let deliveries = take(&transport, 80).await;
    ack(&transport, &deliveries[..30]).await;
    settle(&transport, &deliveries[30], dead()).await;
    let a_second = Disposition::Defer(Duration::from_secs(1));
    settle(&transport, &deliveries[31], a_second.clone()).await;
    server.queues_are_on_disk().await.unwrap();
    server.kill();
    // Settling while the broker is unavailable does nothing, and does not wait for it.
    for delivery in &deliveries[32..40] {
        settle(&transport, delivery, Disposition::Ack).await;
    }
    server.start_again().await.unwrap();
    let mut missing = all(300);
    for delivery in deliveries[..31].iter() {
        missing.remove(&delivery.envelope.body[..]);
    }
    drain(&transport, missing).await;
    // Tokens of the dead connection do nothing, and publish nothing.
    settle(&transport, &deliveries[50], dead()).await;
    settle(&transport, &deliveries[51], a_second).await;
    ack(&transport, &deliveries).await;
    assert_eq!(queue.dead_letters().await.len(), 1);
    transport.close().await.unwrap();
    let left = queue.client().await.count(&queue.name).await;
    assert_eq!(left, Some(0));
}

#[tokio::test]
async fn it_comes_back_after_an_outage_of_seconds() {
    let mut server = RabbitServer::exclusive().await.unwrap();
    let queue = Queue::at(&server, Some(QueueKind::Classic));
    queue.publish(numbered(20)).await;
    let transport = queue.started(100).await;
    let first = take(&transport, 10).await;
    ack(&transport, &first).await;
    let outage = async {
        server.stop().await.unwrap();
        // The outage itself.
        sleep(Duration::from_secs(5)).await;
        server.start_again().await.unwrap();
    };
    let rest: BTreeSet<_> = {
        let done: BTreeSet<_> = first.iter().map(|d| d.envelope.body.to_vec()).collect();
        all(20).difference(&done).cloned().collect()
    };
    // Nobody receives while it happens.
    outage.await;
    drain(&transport, rest).await;
    transport.close().await.unwrap();
    assert_eq!(queue.client().await.count(&queue.name).await, Some(0));
}

#[tokio::test]
async fn a_broker_that_hangs_is_noticed_by_its_silence() {
    let server = RabbitServer::exclusive().await.unwrap();
    let mut queue = Queue::at(&server, None);
    queue.publish(numbered(5)).await;
    queue.url += "?heartbeat=2&connection_timeout=1000";
    let transport = queue.started(10).await;
    let stale = take(&transport, 5).await;
    server.pause();
    // Its end is seen by the events coming again, all five, under other tokens.
    let hanging = async {
        let noticed = timeout(Duration::from_secs(8), transport.receive(1)).await;
        assert!(noticed.is_err(), "a receive waits the outage out");
        server.resume();
        take(&transport, 5).await
    };
    let again = hanging.await;
    assert!(again.iter().all(|delivery| delivery.redelivered));
    assert_ne!(again[0].token, stale[0].token);
    ack(&transport, &again).await;
}

#[tokio::test]
async fn a_delivery_that_the_broker_takes_back_is_delivered_again() {
    let server = RabbitServer::builder().setting("consumer_timeout", "1000");
    let server = server.start().await.unwrap();
    // How often RabbitMQ looks at the time is no setting of `rabbitmq.conf`.
    let often = "application:set_env(rabbit, channel_tick_interval, 500).";
    server.ctl(&["eval", often]).await.unwrap();
    let queue = Queue::at(&server, Some(QueueKind::Classic));
    queue.publish([Envelope::new("slow")]).await;
    let transport = queue.started(10).await;
    let first = take(&transport, 1).await.remove(0);
    // RabbitMQ closes the channel of a consumer that holds a delivery for too long.
    let again = take(&transport, 1).await.remove(0);
    assert_eq!(again.envelope.body, "slow");
    assert!(again.redelivered && again.token > first.token);
    settle(&transport, &first, Disposition::Ack).await;
    settle(&transport, &again, Disposition::Ack).await;
    transport.close().await.unwrap();
    assert_eq!(queue.client().await.count(&queue.name).await, Some(0));
}

#[tokio::test]
async fn a_broker_short_of_memory_takes_acknowledgements_and_holds_up_copies() {
    let server = RabbitServer::exclusive().await.unwrap();
    let queue = Queue::at(&server, Some(QueueKind::Classic));
    queue.publish(numbered(20)).await;
    let transport = queue.started(5).await;
    let first = take(&transport, 3).await;
    // The connection for copies is there before the alarm.
    settle(&transport, &first[0], dead()).await;
    let watermark = "set_vm_memory_high_watermark";
    server.ctl(&[watermark, "0.00001"]).await.unwrap();
    let dead_letter = settle(&transport, &first[1], dead());
    let acknowledged = async {
        ack(&transport, &first[2..]).await;
        for _ in 0..17 {
            let delivery = take(&transport, 1).await;
            ack(&transport, &delivery).await;
        }
    };
    tokio::pin!(dead_letter);
    tokio::select! {
        () = &mut dead_letter => panic!("the broker takes no messages"),
        () = acknowledged => {}
    }
    server.ctl(&[watermark, "0.6"]).await.unwrap();
    dead_letter.await;
    eventually("both are there", async || {
        let client = queue.client().await;
        client.count(&format!("{}.dead", queue.name)).await == Some(2)
    })
    .await;
}

#[tokio::test]
async fn a_confirm_that_never_comes_is_not_waited_for_for_ever() {
    let server = RabbitServer::shared().await.unwrap();
    let (proxy, queue) = Queue::behind_a_proxy(server).await;
    let publisher = queue.builder().publisher().await.unwrap();
    publisher.publish(numbered(1)).await.unwrap();
    proxy.set(Direction::ToClient, Flow::blackhole());
    let publishing = publisher.publish(numbered(1_500));
    let error = timeout(Duration::from_secs(30), publishing).await;
    let error = error.expect("it comes to an end").unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Unavailable, "{error}");
    proxy.heal();
    publisher.publish(numbered(1_500)).await.unwrap();
    publisher.close().await;
}

/// RabbitMQ reads no more from a connection on whose channel more than a few messages for a quorum queue were
/// unconfirmed when that was deleted.
#[tokio::test]
async fn a_connection_that_owes_a_confirm_is_not_published_on_again() {
    let server = RabbitServer::shared().await.unwrap();
    let (proxy, queue) = Queue::behind_a_proxy(server).await;
    let publisher = queue.builder().publisher().await.unwrap();
    publisher.publish(numbered(1)).await.unwrap();
    proxy.strand();
    let error = publisher.publish(numbered(1)).await.unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Unavailable, "{error}");
    publisher.publish(numbered(1)).await.unwrap();
    publisher.close().await;
}

/// Before RabbitMQ 4.0 the server itself consumes from the new queue in the name of the consumer of the old one, and
/// then throws away what it is given.
#[tokio::test]
async fn a_queue_that_is_deleted_and_declared_again_at_once_is_consumed() {
    let server = RabbitServer::shared().await.unwrap();
    for kind in ["quorum", "classic"] {
        let queue = Queue::at(server, None);
        let arguments = [("x-queue-type", AMQPValue::LongString(kind.into()))];
        let client = queue.client().await;
        client.declare(&queue.name, &arguments).await;
        let transport = queue.started(100).await;
        for round in 0..5 {
            queue.publish(numbered(200)).await;
            let (last, consume) = (format!("round {round}"), async |last: &str| {
                let mut came = Vec::new();
                while !came.iter().any(|body| body == last) {
                    let deliveries = transport.receive(50).await.unwrap();
                    ack(&transport, &deliveries).await;
                    came.extend(deliveries.into_iter().map(|it| it.envelope.body));
                }
            });
            let again = async {
                let client = queue.client().await;
                client.delete(&queue.name).await;
                // The transport may have declared it first, with arguments of its own.
                let _ = client.try_declare(&queue.name, &arguments).await;
                queue.publish([Envelope::new(last.clone())]).await;
            };
            let both = timeout(Duration::from_secs(20), async {
                tokio::join!(again, consume(&last))
            });
            both.await
                .unwrap_or_else(|_| panic!("{kind}: nothing comes in round {round}"));
        }
        transport.close().await.unwrap();
    }
}
