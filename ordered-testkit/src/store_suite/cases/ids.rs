use std::time::Duration;

use ordered_core::event::Key;
use ordered_core::protocol::Policy;
use ordered_core::store::{Acquire, Inspect, Save};

use crate::store_suite::fixture::{A, B, StoreFixture, ask, id, key, owned, saved};

const TTL: u64 = 60_000;

/// A group that remembers ids for a minute, and was opened so.
async fn short<S: Inspect>(fixture: StoreFixture<S>) -> StoreFixture<S> {
    let rules = |policy: &mut Policy| policy.dedup_ttl = Duration::from_millis(TTL);
    fixture.with(rules).elsewhere().await
}

async fn remember(fixture: &StoreFixture<impl Inspect>, ids: &[&str]) {
    fixture.beat(A).await;
    let fence = fixture.own(A).await.fence;
    let save = Save {
        remember: ids.iter().map(|text| id(text)).collect(),
        ..fixture.blank(fence)
    };
    assert!(fixture.release(A, save).await.released);
}

async fn seen(fixture: &StoreFixture<impl Inspect>, key: &Key, ids: &[&str]) -> Vec<bool> {
    fixture.beat(B).await;
    let acquire = Acquire {
        look_up: ids.iter().map(|text| id(text)).collect(),
        ..ask(key)
    };
    let owned = owned(fixture.acquire(B, acquire).await);
    fixture
        .release(B, Save::new(key.clone(), owned.fence))
        .await;
    owned.seen
}

pub async fn an_id_is_remembered_for_its_own_key_alone(fixture: StoreFixture<impl Inspect>) {
    remember(&fixture, &["one", "two"]).await;
    let found = seen(&fixture, &fixture.key, &["two", "three", "one", "two"]).await;
    assert_eq!(
        found,
        [true, false, true, true],
        "in the order of the look-up"
    );
    let found = seen(&fixture, &key("order-2"), &["one", "two"]).await;
    assert_eq!(found, [false, false]);
}

pub async fn an_id_is_looked_up_before_it_is_remembered(fixture: StoreFixture<impl Inspect>) {
    let fence = fixture.own(A).await.fence;
    let save = Save {
        remember: vec![id("one")],
        look_up: vec![id("one")],
        ..fixture.blank(fence)
    };
    assert_eq!(saved(fixture.save(A, save.clone()).await).seen, [false]);
    assert_eq!(saved(fixture.save(A, save).await).seen, [true]);
}

pub async fn an_id_is_remembered_for_its_time(fixture: StoreFixture<impl Inspect>) {
    let fixture = short(fixture).await;
    remember(&fixture, &["one"]).await;
    fixture.clock.advance(TTL - 1);
    assert_eq!(seen(&fixture, &fixture.key, &["one"]).await, [true]);
    // A store may remember it up to twice as long.
    fixture.clock.advance(TTL + 2);
    remember(&fixture, &["another"]).await;
    assert_eq!(seen(&fixture, &fixture.key, &["one"]).await, [false]);
}

pub async fn an_id_that_is_remembered_again_stays_longer(fixture: StoreFixture<impl Inspect>) {
    let fixture = short(fixture).await;
    for _ in 0..5 {
        remember(&fixture, &["one"]).await;
        fixture.clock.advance(TTL - 1);
        assert_eq!(seen(&fixture, &fixture.key, &["one"]).await, [true]);
    }
}

pub async fn ids_are_remembered_without_a_body(fixture: StoreFixture<impl Inspect>) {
    remember(&fixture, &["one"]).await;
    assert_eq!(fixture.read().await, None);
    assert_eq!(seen(&fixture, &fixture.key, &["one"]).await, [true]);
}

pub async fn many_ids_are_remembered(fixture: StoreFixture<impl Inspect>) {
    let ids: Vec<String> = (0..2_000).map(|number| format!("id-{number}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    for some in ids.chunks(500) {
        remember(&fixture, &some[..250]).await;
    }
    let found = seen(&fixture, &fixture.key, &ids).await;
    for (place, found) in found.into_iter().enumerate() {
        assert_eq!(found, place % 500 < 250, "{}", ids[place]);
    }
}
