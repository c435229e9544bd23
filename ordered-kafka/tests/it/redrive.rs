//! What operators see of the dead letters.

use ordered_core::transport::{DeadLetters, Disposition, Reason, ReasonKind, Token};

use crate::support::{Consumer, Topic, consumer::bodies, topic::keyed};

async fn with_dead_letters(count: usize) -> (Topic, Consumer) {
    let topic = Topic::shared(2).await;
    topic
        .publish((0..count).map(|n| keyed("a", &n.to_string())))
        .await;
    let consumer = Consumer::start(topic.connect(), 100).await;
    for delivery in consumer.take(count).await {
        let reason = Reason {
            kind: ReasonKind::Malformed,
            text: "no".into(),
        };
        consumer
            .settle(delivery.token, Disposition::DeadLetter(reason))
            .await;
    }
    (topic, consumer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_are_shown_and_put_back() {
    let (topic, consumer) = with_dead_letters(5).await;
    let letters = topic.connect().dead_letters().await.unwrap();
    assert_eq!(letters.queue(), topic.dead_letter_topic());
    assert_eq!(letters.count().await.unwrap(), 5);
    let taken = letters.take(100).await.unwrap();
    assert_eq!(taken.len(), 5);
    let one = &taken[0];
    assert_eq!(
        (one.reason.as_deref(), one.text.as_deref()),
        (Some("malformed"), Some("no"))
    );
    assert_eq!(one.queue.as_ref(), Some(&topic.name));
    assert_eq!(one.envelope.headers["kafka.key"], "a");
    assert_eq!(one.envelope.headers["kafka.offset"], "0");
    assert_eq!(
        one.envelope
            .headers
            .keys()
            .filter(|name| name.starts_with("x-"))
            .count(),
        0
    );
    assert_eq!(letters.take(100).await.unwrap(), []);

    // The second and the fourth go back; the others are still here, for this and for the next who looks.
    let wanted = [taken[1].token, taken[3].token, Token(99)];
    let outcomes = letters.redrive(&wanted).await;
    assert!(
        outcomes[0].is_ok() && outcomes[1].is_ok() && outcomes[2].is_err(),
        "{outcomes:?}"
    );
    let again = consumer.take(2).await;
    assert_eq!(bodies(&again), ["1", "3"]);
    assert!(again.iter().all(|delivery| {
        delivery
            .envelope
            .headers
            .keys()
            .all(|name| !name.starts_with("x-"))
    }));
    assert_eq!(letters.count().await.unwrap(), 3);
    letters.close().await.unwrap();

    let next = topic.connect().dead_letters().await.unwrap();
    assert_eq!(next.count().await.unwrap(), 3);
    let left = next.take(100).await.unwrap();
    let left_bodies: Vec<_> = left
        .iter()
        .map(|letter| letter.envelope.body.clone())
        .collect();
    assert_eq!(left_bodies, ["0", "2", "4"]);
    let tokens: Vec<Token> = left.iter().map(|letter| letter.token).collect();
    assert!(next.redrive(&tokens).await.iter().all(Result::is_ok));
    assert_eq!(next.count().await.unwrap(), 0);
    assert_eq!(bodies(&consumer.take(3).await), ["0", "2", "4"]);
    let none = topic.connect().dead_letters().await.unwrap();
    assert_eq!(none.take(10).await.unwrap(), []);
}

/// Looking takes what is asked for, and goes on where it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_are_taken_in_parts() {
    let (topic, _consumer) = with_dead_letters(7).await;
    let letters = topic.connect().dead_letters().await.unwrap();
    let mut all = Vec::new();
    for expected in [3, 3, 1, 0] {
        let part = letters.take(3).await.unwrap();
        assert_eq!(part.len(), expected);
        all.extend(part.into_iter().map(|letter| letter.envelope.body));
    }
    assert_eq!(all, ["0", "1", "2", "3", "4", "5", "6"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_without_dead_letters_says_so() {
    let topic = Topic::shared(1).await;
    let error = topic
        .connect()
        .dead_letters()
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains(&format!(
            "there is no topic `{}`",
            topic.dead_letter_topic()
        )),
        "{error}"
    );
}
