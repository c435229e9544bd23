//! What is missing of one producer, where the order of a key comes from its producers: it is asked for, filled, or
//! lost, while another one sends.

use std::time::Duration;

use ordered_events::core::explain::KeyStatus;
use ordered_events::core::protocol::{KeyView, Verb};
use ordered_events::{Control, GapPolicy, Order, Seq};
use ordered_testkit::eventually_within;

use crate::support::archive::{Answer, WHY};
use crate::support::processes::TIMEOUT;
use crate::support::producers::{Producer, Scene};

const KEY: &str = "holidays";
const REPAIR: GapPolicy = GapPolicy::Repair {
    after: Duration::from_millis(200),
};

fn seq(number: u64) -> Seq {
    Seq::new(number).unwrap()
}

/// The second event of ada is never delivered. Bob sends all the time.
async fn what_is_missing_is_asked_for(order: Order) {
    let scene = Scene::start(order, REPAIR).await;
    let (mut ada, mut bob) = (Producer::of(KEY, "ada"), Producer::of(KEY, "bob"));
    scene.join(&[&ada, &bob]).await;
    let [first, second, third] = [ada.next(), ada.next(), ada.next()];
    scene.publish(&first).await;
    scene.until_handled(&first).await;
    scene.archive.keeps(&second);
    scene.publish(&third).await;
    let mut last = bob.next();
    scene.publish(&last).await;
    eventually_within(TIMEOUT, "it is asked for, and again", async || {
        last = bob.next();
        scene.publish(&last).await;
        scene.archive.asked_for(KEY, "ada").len() >= 2
    })
    .await;
    if order == Order::Causal {
        // Of ada they know nothing.
        scene.until_handled(&last).await;
    }
    assert!(!scene.has_handled(&third));
    scene.archive.answers(Answer::Again);
    eventually_within(TIMEOUT, "it is sent again", async || {
        scene.publish(&bob.next()).await;
        scene.has_handled(&third)
    })
    .await;
    bob.reads(&third);
    scene.publish(&bob.next()).await;
    for producer in [&ada, &bob] {
        scene.say(KEY, producer.leaves()).await;
    }
    scene.ends(KEY).await;
    let asked = scene.archive.asked_for(KEY, "ada");
    assert!(asked.iter().all(|asked| *asked == (2, 2)), "{asked:?}");
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_of_a_producer_is_asked_for_and_runs_before_its_effects() {
    what_is_missing_is_asked_for(Order::Causal).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_of_a_producer_is_asked_for_and_runs_in_the_order_of_times() {
    what_is_missing_is_asked_for(Order::Lamport).await;
}

/// Ada has given a number to no event.
async fn what_will_never_come_is_passed(order: Order) {
    let scene = Scene::start(order, GapPolicy::Wait).await;
    let (mut ada, mut bob) = (Producer::of(KEY, "ada"), Producer::of(KEY, "bob"));
    scene.join(&[&ada, &bob]).await;
    let [first, never, third] = [ada.next(), ada.next(), ada.next()];
    for event in [&first, &third, &bob.next()] {
        scene.publish(event).await;
    }
    bob.reads(&third);
    let reply = bob.next();
    scene.publish(&reply).await;
    let waits = |view: &KeyView| view.waiting.len() == 2 && view.gap_since.is_some();
    let view = scene
        .until(KEY, "what is behind the gap waits", waits)
        .await;
    let explanation = scene.explained(&view);
    assert_eq!(explanation.status, KeyStatus::Gap);
    let words = "holidays waits for event 2 of ada since";
    assert!(explanation.text.starts_with(words), "{}", explanation.text);
    let fill = Control::GapFillOf {
        producer: "ada".into(),
        from: seq(never.seq),
        to: seq(never.seq),
    };
    scene.say(KEY, fill).await;
    for producer in [&ada, &bob] {
        scene.say(KEY, producer.leaves()).await;
    }
    scene.ends(KEY).await;
    assert_eq!(scene.handled.of(KEY).last(), Some(&reply.id()));
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_fill_of_a_producer_lets_its_effects_run() {
    what_will_never_come_is_passed(Order::Causal).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_fill_of_a_producer_lets_the_order_of_times_go_on() {
    what_will_never_come_is_passed(Order::Lamport).await;
}

/// Two keys stop before what was lost. An operator passes over it in one of them; in the other one it is found again.
async fn what_is_lost_halts_the_key(order: Order) {
    let scene = Scene::start(order, REPAIR).await;
    scene.archive.answers(Answer::Lost);
    let mut of_keys = Vec::new();
    for key in ["found", "passed"] {
        let (mut ada, mut bob) = (Producer::of(key, "ada"), Producer::of(key, "bob"));
        scene.join(&[&ada, &bob]).await;
        let [first, second, third] = [ada.next(), ada.next(), ada.next()];
        scene.publish(&first).await;
        scene.until_handled(&first).await;
        scene.publish(&third).await;
        let is_halted = |view: &KeyView| view.phase == "halted";
        scene.until(key, "it is halted", is_halted).await;
        // It may run, and is at the head of a key that is halted for another reason.
        scene.publish(&bob.next()).await;
        let is_held = |view: &KeyView| view.held.len() == 1;
        let view = scene.until(key, "bob's is held", is_held).await;
        let explanation = scene.explained(&view);
        assert_eq!(explanation.status, KeyStatus::Halted);
        for words in [
            format!("{key} is halted: event 2 of ada did not come in time."),
            format!(": event 2 of ada cannot be sent again: {WHY}."),
            format!("`ordered retry {key}` to wait for it once more"),
            format!("`ordered skip {key}` to pass over event 2 of ada"),
        ] {
            assert!(explanation.text.contains(&words), "{}", explanation.text);
        }
        of_keys.push((second, ada.leaves(), bob.leaves()));
    }
    assert_eq!(scene.halted_keys().await, 2);
    let [found, passed] = [&of_keys[0].0, &of_keys[1].0];
    scene.archive.keeps(found);
    scene.archive.answers(Answer::Again);
    scene.operate("found", &Verb::Retry).await;
    scene.operate("passed", &Verb::Skip { to: None }).await;
    for (key, (_, ada, bob)) in ["found", "passed"].into_iter().zip(&of_keys) {
        scene.say(key, ada.clone()).await;
        scene.say(key, bob.clone()).await;
        scene.ends(key).await;
    }
    assert!(scene.has_handled(found) && !scene.has_handled(passed));
    assert_eq!(scene.halted_keys().await, 0);
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lost_of_a_producer_halts_a_key_of_causes_until_an_operator_decides() {
    what_is_lost_halts_the_key(Order::Causal).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lost_of_a_producer_halts_a_key_of_times_until_an_operator_decides() {
    what_is_lost_halts_the_key(Order::Lamport).await;
}
