//! Dead letters are looked at and put back.

use ordered_amqp::{Amqp, QueueKind};
use ordered_core::event::Envelope;
use ordered_core::transport::{
    BrokerDeadLetter, DeadLetters, Disposition, Reason, ReasonKind, Token, Transport,
    TransportErrorKind,
};
use ordered_testkit::eventually;
use ordered_testkit::server::RabbitServer;
use ordered_testkit::unique;

use crate::support::{Queue, ack, settle, take};

/// So many events that became dead letters, with a header.
async fn dead(queue: &Queue, count: usize) {
    let events = (0..count).map(|number| {
        let mut envelope = Envelope::new(format!("body {number}"));
        envelope.headers.insert("tenant".into(), "acme".into());
        envelope.published_at = Some(1_700_000_000_123);
        envelope
    });
    queue.publish(events).await;
    let transport = queue.started(count).await;
    for delivery in take(&transport, count).await {
        let text = format!("why: {}", String::from_utf8_lossy(&delivery.envelope.body));
        let kind = ReasonKind::Malformed;
        settle(
            &transport,
            &delivery,
            Disposition::DeadLetter(Reason { kind, text }),
        )
        .await;
    }
    transport.close().await.unwrap();
}

fn tokens(letters: &[BrokerDeadLetter]) -> Vec<Token> {
    letters.iter().map(|letter| letter.token).collect()
}

async fn counts(queue: &Queue, dead: u32) {
    let (client, name) = (queue.client().await, format!("{}.dead", queue.name));
    eventually("the dead letters are given back", async || {
        client.count(&name).await == Some(dead)
    })
    .await;
}

#[tokio::test]
async fn dead_letters_are_listed_with_their_reasons_and_stay_where_they_are() {
    for kind in [QueueKind::Quorum, QueueKind::Classic] {
        let queue = Queue::of(kind).await;
        dead(&queue, 3).await;
        for _ in 0..2 {
            let letters = queue.builder().dead_letters().await.unwrap();
            assert_eq!(letters.queue(), format!("{}.dead", queue.name));
            let first = letters.take(2).await.unwrap();
            let rest = letters.take(10).await.unwrap();
            assert_eq!((first.len(), rest.len()), (2, 1));
            assert!(letters.take(10).await.unwrap().is_empty());
            assert_eq!(letters.count().await.unwrap(), 3);
            let mut texts: Vec<&str> = first
                .iter()
                .chain(&rest)
                .map(|letter| letter.text.as_deref().unwrap())
                .collect();
            texts.sort_unstable();
            assert_eq!(texts, ["why: body 0", "why: body 1", "why: body 2"]);
            let one = &first[0];
            assert_eq!(one.reason.as_deref(), Some("malformed"));
            assert_eq!(one.queue.as_ref(), Some(&queue.name));
            assert_eq!(one.envelope.headers.len(), 1, "{one:?}");
            assert_eq!(one.envelope.published_at, Some(1_700_000_000_123));
            letters.close().await.unwrap();
            counts(&queue, 3).await;
        }
    }
}

#[tokio::test]
async fn dead_letters_are_put_back_as_they_were_and_the_others_stay() {
    let queue = Queue::shared().await;
    dead(&queue, 5).await;
    let letters = queue.builder().dead_letters().await.unwrap();
    let taken = letters.take(10).await.unwrap();
    let results = letters.redrive(&tokens(&taken[..2])).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    let again = letters.redrive(&tokens(&taken[..1])).await;
    assert!(again[0].is_err(), "it is not here any more");
    assert_eq!(letters.count().await.unwrap(), 3);
    letters.close().await.unwrap();
    counts(&queue, 3).await;
    let transport = queue.started(10).await;
    let deliveries = take(&transport, 2).await;
    for (delivery, letter) in deliveries.iter().zip(&taken) {
        assert_eq!(delivery.envelope, letter.envelope);
    }
    ack(&transport, &deliveries).await;
    transport.close().await.unwrap();
}

#[tokio::test]
async fn a_letter_that_is_looked_at_often_is_put_into_its_queue_anew() {
    let queue = Queue::of(QueueKind::Quorum).await;
    dead(&queue, 1).await;
    for _ in 0..12 {
        let letters = queue.builder().dead_letters().await.unwrap();
        let taken = letters.take(10).await.unwrap();
        assert_eq!(taken.len(), 1);
        assert_eq!(taken[0].text.as_deref(), Some("why: body 0"));
        letters.close().await.unwrap();
        counts(&queue, 1).await;
    }
    // After twelve looks the broker has counted fewer: RabbitMQ 4 drops a message after twenty.
    let name = format!("{}.dead", queue.name);
    let (_, properties) = queue.client().await.get(&name).await.unwrap();
    let headers = properties.headers().clone().unwrap_or_default();
    let counted = headers
        .inner()
        .get("x-delivery-count")
        .map(|count| format!("{count:?}"));
    let few = |count: &String| !count.contains("12") && !count.contains("11");
    assert!(counted.as_ref().is_none_or(few), "{counted:?}");
}

#[tokio::test]
async fn what_cannot_be_put_back_stays_a_dead_letter() {
    let server = RabbitServer::shared().await.unwrap();
    let queue = Queue::at(server, None);
    dead(&queue, 1).await;
    queue.client().await.delete(&queue.name).await;
    let letters = queue.builder().dead_letters().await.unwrap();
    let taken = letters.take(10).await.unwrap();
    let error = letters
        .redrive(&tokens(&taken))
        .await
        .remove(0)
        .unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Fatal);
    assert!(error.to_string().contains("there is no queue"), "{error}");
    letters.close().await.unwrap();
    counts(&queue, 1).await;
}

#[tokio::test]
async fn without_a_queue_of_dead_letters_it_says_so_and_makes_none() {
    let server = RabbitServer::shared().await.unwrap();
    let name = unique("none");
    let opened = Amqp::connect(server.url())
        .queue(&name)
        .dead_letters()
        .await;
    let error = opened.unwrap_err().to_string();
    assert!(
        error.contains(&format!("there is no queue \"{name}.dead\"")),
        "{error}"
    );
}
