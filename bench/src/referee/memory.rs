//! What Redis needs for a key at rest and for a remembered id, a million of each.

use std::time::Duration;

use ordered_events::core::event::Seq;
use ordered_events::core::protocol::{Action, Command, Event, Policy, Verdict, WorkerId};
use ordered_events::core::store::Group;
use ordered_events::{EventId, Key, RedisStore, Store};
use redis::aio::MultiplexedConnection;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::redis_side::{field, wipe};
use super::servers::Servers;
use crate::Failure;
use crate::load::Place;

const MILLION: u32 = 1_000_000;
const BATCH: u32 = 1_000;
/// How many keys share the ids.
const KEYS: u32 = 1_000;

/// Bytes of `used_memory` for each.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct RedisMemory {
    pub(crate) count: u32,
    pub(crate) idle_key: f64,
    pub(crate) remembered_id: f64,
}

pub(super) async fn measure(servers: &Servers, quick: bool) -> Result<RedisMemory, Failure> {
    let count = if quick { 20_000 } else { MILLION };
    let store = RedisStore::connect(servers.redis_url(Place::Everysec)).await?;
    let mut redis = servers.redis(Place::Everysec).await?;
    let memory = RedisMemory {
        count,
        idle_key: idle(&store, &mut redis, count).await?,
        remembered_id: remembered(&store, &mut redis, count).await?,
    };
    eprintln!(
        "  {:.1} bytes a key at rest, {:.1} bytes a remembered id",
        memory.idle_key, memory.remembered_id
    );
    Ok(memory)
}

/// One event for each key, remembered for so short that only the keys are left.
async fn idle(
    store: &RedisStore,
    redis: &mut MultiplexedConnection,
    count: u32,
) -> Result<f64, Failure> {
    let before = empty(redis).await?;
    let group = group("idle", Duration::from_millis(100));
    store.open(&group, &worker()).await?;
    for first in (0..count).step_by(BATCH as usize) {
        commit(store, &group, (first..first + BATCH).map(|n| (n, 1)), first).await?;
    }
    let mut last = used(redis).await?;
    // Redis drops what has expired in small portions.
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = used(redis).await?;
        if (last - now).abs() < 1e5 {
            return Ok((now - before) / f64::from(count));
        }
        last = now;
    }
}

/// Many events of few keys, remembered for a day.
async fn remembered(
    store: &RedisStore,
    redis: &mut MultiplexedConnection,
    count: u32,
) -> Result<f64, Failure> {
    empty(redis).await?;
    let group = group("remembered", Duration::from_secs(24 * 60 * 60));
    store.open(&group, &worker()).await?;
    // The first event of each key brings the key, which is not to be counted.
    commit(store, &group, (0..KEYS).map(|n| (n, 1)), 0).await?;
    let before = used(redis).await?;
    for round in 1..=count / KEYS {
        let places = (0..KEYS).map(|n| (n, u64::from(round) + 1));
        commit(store, &group, places, round * KEYS).await?;
    }
    Ok((used(redis).await? - before) / f64::from(count / KEYS * KEYS))
}

fn group(name: &str, dedup_ttl: Duration) -> Group {
    let mut policy = Policy::default();
    policy.dedup_ttl = dedup_ttl;
    Group::new(name, policy)
}

fn worker() -> WorkerId {
    WorkerId::new("bench")
}

/// Offers and commits one event for each (key, seq).
async fn commit(
    store: &RedisStore,
    group: &Group,
    places: impl Iterator<Item = (u32, u64)>,
    first: u32,
) -> Result<(), Failure> {
    let worker = worker();
    let places: Vec<(Key, Event)> = places
        .zip(u64::from(first)..)
        .map(|((key, seq), index)| {
            let scrambled = index.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let event = Event {
                epoch: None,
                seq: Seq::new(seq)?,
                id: EventId::new(Uuid::from_u64_pair(scrambled, index).to_string())?,
            };
            Ok((Key::new(format!("order-{key:06}"))?, event))
        })
        .collect::<Result<_, Failure>>()?;
    let say = |action: &dyn Fn(&Event) -> Action| -> Vec<Command> {
        let command = |(key, event): &(Key, Event)| Command {
            key: key.clone(),
            action: action(event),
        };
        places.iter().map(command).collect()
    };
    let offers = say(&|event| Action::Offer(event.clone()));
    let grants = store.apply(group, &worker, &offers).await?;
    let mut commits = Vec::with_capacity(places.len());
    for ((key, event), verdict) in places.iter().zip(grants) {
        let Verdict::Run(grant) = verdict else {
            return Err(format!("{key} #{}: {verdict:?}", event.seq).into());
        };
        commits.push(Command {
            key: key.clone(),
            action: Action::Commit {
                event: event.clone(),
                fence: grant.fence,
                have: event.seq.get(),
            },
        });
    }
    store.apply(group, &worker, &commits).await?;
    Ok(())
}

/// Empties the server, and says what it needs for itself.
async fn empty(redis: &mut MultiplexedConnection) -> Result<f64, Failure> {
    wipe(redis).await?;
    used(redis).await
}

async fn used(redis: &mut MultiplexedConnection) -> Result<f64, Failure> {
    let info: String = redis::cmd("INFO").arg("memory").query_async(redis).await?;
    Ok(field(&info, "used_memory:"))
}
