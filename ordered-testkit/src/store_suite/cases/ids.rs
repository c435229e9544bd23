use std::time::Duration;

use ordered_core::event::Key;
use ordered_core::protocol::Policy;
use ordered_core::store::{Acquire, Inspect, Save};

use crate::store_suite::stage::{A, B, Stage, ask, id, key, owned, saved};

const TTL: u64 = 60_000;

/// A group that remembers ids for a minute, and was opened so.
async fn short<S: Inspect>(stage: Stage<S>) -> Stage<S> {
    let rules = |policy: &mut Policy| policy.dedup_ttl = Duration::from_millis(TTL);
    stage.with(rules).elsewhere().await
}

async fn remember(stage: &Stage<impl Inspect>, ids: &[&str]) {
    stage.beat(A).await;
    let fence = stage.own(A).await.fence;
    let save = Save {
        remember: ids.iter().map(|text| id(text)).collect(),
        ..stage.blank(fence)
    };
    assert!(stage.release(A, save).await.released);
}

async fn seen(stage: &Stage<impl Inspect>, key: &Key, ids: &[&str]) -> Vec<bool> {
    stage.beat(B).await;
    let acquire = Acquire {
        look_up: ids.iter().map(|text| id(text)).collect(),
        ..ask(key)
    };
    let owned = owned(stage.acquire(B, acquire).await);
    stage.release(B, Save::new(key.clone(), owned.fence)).await;
    owned.seen
}

pub async fn an_id_is_remembered_for_its_own_key_alone(stage: Stage<impl Inspect>) {
    remember(&stage, &["one", "two"]).await;
    let found = seen(&stage, &stage.key, &["two", "three", "one", "two"]).await;
    assert_eq!(
        found,
        [true, false, true, true],
        "in the order of the look-up"
    );
    let found = seen(&stage, &key("order-2"), &["one", "two"]).await;
    assert_eq!(found, [false, false]);
}

pub async fn an_id_is_looked_up_before_it_is_remembered(stage: Stage<impl Inspect>) {
    let fence = stage.own(A).await.fence;
    let save = Save {
        remember: vec![id("one")],
        look_up: vec![id("one")],
        ..stage.blank(fence)
    };
    assert_eq!(saved(stage.save(A, save.clone()).await).seen, [false]);
    assert_eq!(saved(stage.save(A, save).await).seen, [true]);
}

pub async fn an_id_is_remembered_for_its_time(stage: Stage<impl Inspect>) {
    let stage = short(stage).await;
    remember(&stage, &["one"]).await;
    stage.clock.advance(TTL - 1);
    assert_eq!(seen(&stage, &stage.key, &["one"]).await, [true]);
    // A store may remember it up to twice as long.
    stage.clock.advance(TTL + 2);
    remember(&stage, &["another"]).await;
    assert_eq!(seen(&stage, &stage.key, &["one"]).await, [false]);
}

pub async fn an_id_that_is_remembered_again_stays_longer(stage: Stage<impl Inspect>) {
    let stage = short(stage).await;
    for _ in 0..5 {
        remember(&stage, &["one"]).await;
        stage.clock.advance(TTL - 1);
        assert_eq!(seen(&stage, &stage.key, &["one"]).await, [true]);
    }
}

pub async fn ids_are_remembered_without_a_body(stage: Stage<impl Inspect>) {
    remember(&stage, &["one"]).await;
    assert_eq!(stage.read().await, None);
    assert_eq!(seen(&stage, &stage.key, &["one"]).await, [true]);
}

pub async fn many_ids_are_remembered(stage: Stage<impl Inspect>) {
    let ids: Vec<String> = (0..2_000).map(|number| format!("id-{number}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    for some in ids.chunks(500) {
        remember(&stage, &some[..250]).await;
    }
    let found = seen(&stage, &stage.key, &ids).await;
    for (place, found) in found.into_iter().enumerate() {
        assert_eq!(found, place % 500 < 250, "{}", ids[place]);
    }
}
