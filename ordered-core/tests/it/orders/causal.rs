//! `causal`: comments on posts, each with the vector clock of its author.

use std::time::Duration;

use ordered_core::event::Envelope;
use ordered_core::internal::json_fields;
use ordered_core::logical::VectorClock;
use ordered_core::protocol::{Order, Refusal, Stamp, Verb, Verdict};
use ordered_core::transport::{Faults, Publish};
use serde_json::{Value, json};

use crate::support::by_producers::ByProducers;
use crate::support::operator::{group_in, operate_in, view_in};
use crate::support::world::World;

pub(crate) fn comments() -> ByProducers {
    ByProducers::new(Order::Causal, |envelope, event| {
        let author = event["producer"].as_str().unwrap_or_default();
        let clock = json_fields(envelope)?.clock("/vector")?;
        Ok(Stamp::causal(author, clock)?)
    })
}

pub(crate) fn comment(post: &str, author: &str, clock: &VectorClock) -> Envelope {
    let id = format!("{post}-{author}-{}", clock.of(author));
    let body = json!({"key": post, "producer": author, "vector": clock, "id": id});
    Envelope::new(body.to_string())
}

/// A conversation on each post: whoever speaks has heard everything before.
fn conversations(posts: u64, comments: usize) -> Vec<Envelope> {
    let mut sent = Vec::new();
    for post in 0..posts {
        let mut clock = VectorClock::default();
        for number in 0..comments {
            let author = ["ada", "bob", "eve"][number * 7 % 3];
            let clock = clock.send(author).unwrap();
            sent.push(comment(&format!("p{post}"), author, &clock));
        }
    }
    sent
}

fn in_order(post: &str, comments: usize) -> Vec<String> {
    let sent = conversations(1, comments);
    let ids = sent.iter().map(|sent| {
        let body: Value = serde_json::from_slice(&sent.body).unwrap();
        body["id"].as_str().unwrap().replacen("p0", post, 1)
    });
    ids.collect()
}

#[tokio::test(start_paused = true)]
async fn no_comment_is_read_before_what_it_answers_on_several_workers() {
    let world = World::new(Faults {
        seed: 5,
        shuffle: 40,
        duplicate: 20,
        delay: Duration::from_millis(50),
        ..Faults::default()
    });
    let comments = comments();
    world.broker.publish(conversations(8, 20)).await.unwrap();
    let run = |name: &str| {
        let worker = comments.worker(&world).id(name).build().unwrap();
        tokio::spawn(worker.run_until(tokio::time::sleep(Duration::from_secs(120))))
    };
    let workers = ["w1", "w2", "w3"].map(run);
    world
        .until("all done", |world| {
            comments.count() >= 160 && world.broker.backlog() == 0
        })
        .await;
    for worker in workers {
        worker.await.unwrap().unwrap();
    }
    for post in 0..8 {
        let post = format!("p{post}");
        assert_eq!(comments.of(&post), in_order(&post, 20));
    }
    assert!(world.broker.dead_letters().is_empty());
}

#[tokio::test(start_paused = true)]
async fn operators_see_what_a_key_waits_for_and_pass_over_it() {
    let world = World::new(Faults::default());
    let comments = comments();
    let mut sent = conversations(1, 4);
    sent.remove(1);
    let held = json!({"key": "p0", "producer": "ada", "id": "x"});
    sent.push(Envelope::new(held.to_string()));
    world.broker.publish(sent).await.unwrap();
    let worker = comments.worker(&world).build().unwrap();
    let running = tokio::spawn(worker.run_until(tokio::time::sleep(Duration::from_secs(60))));
    world
        .until("it waits", |world| world.broker.backlog() == 0)
        .await;
    let dead = world.broker.dead_letters();
    assert_eq!(dead.len(), 1, "that without a clock");
    assert!(dead[0].1.text.contains("has no `/vector`"), "{}", dead[0].1);
    let group = group_in(Order::Causal);
    let view = view_in(&world, &group, "p0").await;
    let waiting: Vec<_> = view.waiting.iter().map(|event| &event.id[..]).collect();
    assert_eq!(waiting, ["p0-ada-2", "p0-eve-1"]);
    let causes = view.causes.iter();
    let causes = causes.map(|cause| (&cause.producer[..], cause.from, cause.to));
    let causes: Vec<_> = causes.collect();
    assert_eq!(causes, [("bob", 1, 1)]);
    assert_eq!((view.held_events, view.last_seq), (2, 1));
    assert!(view.gap_since.is_some() && view.held_bytes > 0);
    for verb in [
        Verb::SetLast { to: 7 },
        Verb::Import {
            epoch: None,
            last: 7,
        },
    ] {
        let verdict = operate_in(&world, &group, "p0", &verb).await;
        assert_eq!(verdict, Verdict::Refused(Refusal::NoNumbers));
    }
    let Verdict::Operated(effect) =
        operate_in(&world, &group, "p0", &Verb::Skip { to: None }).await
    else {
        panic!("it waits");
    };
    assert_eq!(effect.released.len(), 2);
    world
        .until("the rest", |_| comments.of("p0").len() == 3)
        .await;
    assert_eq!(comments.of("p0"), ["p0-ada-1", "p0-eve-1", "p0-ada-2"]);
    let late = conversations(1, 2).remove(1);
    world.broker.publish(vec![late]).await.unwrap();
    world
        .until("it is late", |world| world.broker.dead_letters().len() == 2)
        .await;
    running.await.unwrap().unwrap();
}
