//! Shorthands of these tests.

use ordered_core::event::{Envelope, EventId, Key, Seq};
use ordered_core::protocol::{Action, Command, Event, Fence, KeyView, Policy, Verdict, WorkerId};
use ordered_core::store::{Admin, Group, Store, StoreError, StoreReport};
use ordered_redis::RedisStore;
use ordered_testkit::server::RedisServer;
use ordered_testkit::unique;

pub(crate) fn group(name: &str) -> Group {
    Group::new(unique(name), Policy::default())
}

pub(crate) fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

pub(crate) fn event(seq: u64) -> Event {
    Event {
        seq: Seq::new(seq).unwrap(),
        id: EventId::new(format!("id-{seq}")).unwrap(),
        epoch: None,
    }
}

pub(crate) fn offer(key: &Key, seq: u64) -> Command {
    Command {
        key: key.clone(),
        action: Action::Offer(event(seq)),
    }
}

pub(crate) fn hold(key: &Key, seq: u64, bytes: usize) -> Command {
    Command {
        key: key.clone(),
        action: Action::Hold(event(seq), Envelope::new(vec![b'x'; bytes])),
    }
}

pub(crate) fn commit(key: &Key, seq: u64, fence: u64) -> Command {
    let action = Action::Commit {
        event: event(seq),
        fence: Fence(fence),
        have: seq,
    };
    Command {
        key: key.clone(),
        action,
    }
}

pub(crate) async fn apply(
    store: &RedisStore,
    group: &Group,
    commands: &[Command],
) -> Result<Vec<Verdict>, StoreError> {
    store.apply(group, &WorkerId::new("w"), commands).await
}

/// A server for one test, which keeps nothing, and a store on it with so many buckets.
pub(crate) async fn alone(buckets: u32) -> (RedisServer, RedisStore) {
    let server = RedisServer::builder().no_persistence().start();
    let server = server.await.unwrap();
    let store = RedisStore::builder(server.url()).buckets(buckets).connect();
    let store = store.await.unwrap();
    (server, store)
}

/// One event after the other, each offered and committed.
pub(crate) async fn process(store: &RedisStore, group: &Group, key: &Key, upto: u64) {
    for seq in 1..=upto {
        let verdicts = apply(store, group, &[offer(key, seq), commit(key, seq, seq)]).await;
        assert!(
            matches!(verdicts.unwrap()[1], Verdict::Committed { .. }),
            "{key} {seq}"
        );
    }
}

/// A connection beside the store's, to look at the server or change it.
pub(crate) async fn raw(server: &RedisServer) -> redis::aio::MultiplexedConnection {
    let client = redis::Client::open(server.url()).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

/// A command in words.
pub(crate) async fn ask<T: redis::FromRedisValue>(
    connection: &mut redis::aio::MultiplexedConnection,
    words: &str,
) -> T {
    let mut words = words.split(' ');
    let mut command = redis::cmd(words.next().unwrap());
    words.for_each(|word| {
        command.arg(word);
    });
    command.query_async(connection).await.unwrap()
}

pub(crate) async fn open(store: &RedisStore, group: &Group) -> Result<StoreReport, StoreError> {
    store.open(group, &WorkerId::new("w")).await
}

/// What is known of the key, whenever that is.
pub(crate) async fn inspect(
    store: &RedisStore,
    group: &Group,
    key: &Key,
) -> Result<Option<KeyView>, StoreError> {
    let view = store.inspect(group, key).await?;
    Ok(view.map(|view| KeyView { now: 0, ..view }))
}
