//! What Redis needs for a key at rest and for a remembered id, a million of each.

use std::time::Duration;

use ordered_events::core::internal::{KeyState, Subject, Transition};
use ordered_events::core::protocol::{Policy, WorkerId};
use ordered_events::core::store::{Acquire, AcquireMode, Answer, Group, Request, Save, Session};
use ordered_events::{EventId, Key, RedisStore, Store};
use redis::aio::MultiplexedConnection;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::redis_cost::{field, wipe};
use super::servers::Servers;
use crate::Failure;
use crate::load::RedisTarget;

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
    let store = RedisStore::connect(servers.redis_url(RedisTarget::Everysec)).await?;
    let mut redis = servers.redis(RedisTarget::Everysec).await?;
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
    let session = open(store, &group).await?;
    for first in (0..count).step_by(BATCH as usize) {
        commit(
            store,
            &group,
            &session,
            (first..first + BATCH).map(|n| (n, 1)),
            first,
        )
        .await?;
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
    let session = open(store, &group).await?;
    // The first event of each key brings the key, which is not to be counted.
    commit(store, &group, &session, (0..KEYS).map(|n| (n, 1)), 0).await?;
    let before = used(redis).await?;
    for round in 1..=count / KEYS {
        let places = (0..KEYS).map(|n| (n, u64::from(round) + 1));
        commit(store, &group, &session, places, round * KEYS).await?;
    }
    Ok((used(redis).await? - before) / f64::from(count / KEYS * KEYS))
}

fn group(name: &str, dedup_ttl: Duration) -> Group {
    let mut policy = Policy::default();
    policy.dedup_ttl = dedup_ttl;
    Group::new(name, policy)
}

/// Commits one event for each (key, seq), as a worker does.
async fn commit(
    store: &RedisStore,
    group: &Group,
    session: &Session,
    places: impl Iterator<Item = (u32, u64)>,
    first: u32,
) -> Result<(), Failure> {
    let places: Vec<(Key, u64, EventId)> = places
        .zip(u64::from(first)..)
        .map(|((key, seq), index)| {
            let scrambled = index.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let id = EventId::new(Uuid::from_u64_pair(scrambled, index).to_string())?;
            Ok((Key::new(format!("order-{key:06}"))?, seq, id))
        })
        .collect::<Result<_, Failure>>()?;
    let acquire = |(key, _, id): &(Key, u64, EventId)| {
        Request::Acquire(Acquire {
            key: key.clone(),
            mode: AcquireMode::Ask,
            letters: Vec::new(),
            look_up: vec![id.clone()],
        })
    };
    let requests: Vec<Request> = places.iter().map(acquire).collect();
    let granted = store.exchange(group, session, &requests).await?;
    let mut saves = Vec::with_capacity(places.len());
    for ((key, seq, id), answer) in places.iter().zip(granted.answers) {
        let Answer::Owned(owned) = answer else {
            return Err(format!("{key} #{seq}: {answer:?}").into());
        };
        let mut state = match &owned.body {
            Some(body) => KeyState::decode(body, owned.body_fence)?,
            None => KeyState::new(group.policy().first_seq),
        };
        let mut transition = Transition::new(&mut state, group.policy(), granted.now);
        transition.commit(Subject {
            seq: *seq,
            id,
            stored: false,
            replay: false,
        });
        let mut save = Save::new(key.clone(), owned.fence);
        save.remember = transition.remember;
        save.body = Some(state.encode(owned.fence));
        save.release = true;
        saves.push(Request::Save(Box::new(save)));
    }
    store.exchange(group, session, &saves).await?;
    Ok(())
}

/// A session with a lease that outlasts the measurement.
async fn open(store: &RedisStore, group: &Group) -> Result<Session, Failure> {
    let session = store.open(group, &WorkerId::new("bench")).await?.session;
    let lease = Duration::from_secs(3_600);
    store.heartbeat(group, &session, lease).await?;
    Ok(session)
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
