//! Dead letters are looked at and put back.

use ordered_core::event::Envelope;
use ordered_core::transport::{
    BrokerDeadLetter, ConsumeOptions, DeadLetters, Disposition, Reason, ReasonKind, Settlement,
    Token, Transport,
};
use ordered_sqs::names;

use crate::support::queue::Queue;

/// So many events that became dead letters, with a header; each of a message group of its own.
async fn dead(queue: &Queue, count: usize) {
    let events = (0..count).map(|number| {
        let mut envelope = Envelope::new(format!("body {number}"));
        envelope.headers.insert("tenant".into(), "acme".into());
        if queue.name.ends_with(".fifo") {
            let group = names::MESSAGE_GROUP_ID.to_owned();
            envelope.headers.insert(group, format!("g{number}"));
        }
        envelope
    });
    queue.publish(events.collect()).await;
    let transport = queue.connect().await.unwrap();
    let options = ConsumeOptions {
        max_unsettled: count,
    };
    transport.start(options).await.unwrap();
    let mut seen = 0;
    while seen < count {
        let deliveries = transport.receive(count).await.unwrap();
        seen += deliveries.len();
        let settlements = deliveries.into_iter().map(|delivery| {
            let text = format!("why: {}", String::from_utf8_lossy(&delivery.envelope.body));
            let kind = ReasonKind::Malformed;
            Settlement {
                token: delivery.token,
                disposition: Disposition::DeadLetter(Reason { kind, text }),
            }
        });
        transport.settle(settlements.collect()).await.unwrap();
    }
    transport.close().await.unwrap();
}

fn tokens(letters: &[BrokerDeadLetter]) -> Vec<Token> {
    letters.iter().map(|letter| letter.token).collect()
}

async fn round(queue: &Queue) {
    dead(queue, 12).await;
    let letters = queue.connect().dead_letters().await.unwrap();
    assert_eq!(letters.queue(), queue.dead_letters);
    assert_eq!(letters.count().await.unwrap(), 12);
    let first = letters.take(2).await.unwrap();
    let rest = letters.take(100).await.unwrap();
    assert_eq!((first.len(), rest.len()), (2, 10));
    let one = &first[0];
    assert_eq!(one.reason.as_deref(), Some("malformed"));
    assert_eq!(one.queue.as_ref(), Some(&queue.name));
    assert!(one.text.as_deref().unwrap().starts_with("why: body"));
    assert_eq!(one.envelope.headers["tenant"], "acme");
    assert!(!one.envelope.headers.contains_key(names::REASON));
    let results = letters.redrive(&tokens(&first)).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    let again = letters.redrive(&tokens(&first)).await;
    assert!(
        again.iter().all(Result::is_err),
        "they are not here any more"
    );
    letters.close().await.unwrap();
    assert_eq!(queue.backlog().await, 2);

    let transport = queue.connect().await.unwrap();
    transport
        .start(ConsumeOptions { max_unsettled: 10 })
        .await
        .unwrap();
    let mut bodies = Vec::new();
    while bodies.len() < 2 {
        for delivery in transport.receive(10).await.unwrap() {
            assert_eq!(delivery.envelope.headers["tenant"], "acme");
            assert!(!delivery.envelope.headers.contains_key(names::REASON));
            bodies.push(delivery.envelope.body);
        }
    }
    bodies.sort_unstable();
    let mut expected: Vec<_> = first
        .into_iter()
        .map(|letter| letter.envelope.body)
        .collect();
    expected.sort_unstable();
    assert_eq!(bodies, expected);
    transport.close().await.unwrap();
    // The others are there at once for the next who looks.
    let letters = queue.connect().dead_letters().await.unwrap();
    assert_eq!(letters.take(100).await.unwrap().len(), 10);
    letters.close().await.unwrap();
}

#[tokio::test]
async fn dead_letters_of_a_standard_queue_are_listed_and_put_back() {
    round(&Queue::standard("30").await).await;
}

#[tokio::test]
async fn dead_letters_of_a_fifo_queue_are_listed_and_put_back() {
    round(&Queue::fifo("30").await).await;
}

#[tokio::test]
async fn without_a_queue_of_dead_letters_it_says_so_and_makes_none() {
    let queue = Queue::standard("30").await;
    for _ in 0..2 {
        let opened = queue.connect().dead_letters().await;
        let error = opened.unwrap_err().to_string();
        assert!(error.contains(&queue.dead_letters), "{error}");
    }
}
