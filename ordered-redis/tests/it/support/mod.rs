//! What the tests of this crate share.

pub(crate) mod fleet;
pub(crate) mod list_broker;
pub(crate) mod recording_worker;

use std::time::Duration;

use bytes::Bytes;
use ordered_core::event::{EventId, Key};
use ordered_core::protocol::{Fence, Policy, WorkerId};
use ordered_core::store::{
    Acquire, AcquireMode, Answer, Busy, Change, Letter, Opened, Owned, PutMode, Request, Save,
    Saved, Session, Slot, Store, Sweep,
};
use ordered_core::store::{Group, StoreError};
use ordered_redis::RedisStore;
use ordered_testkit::server::RedisServer;
use ordered_testkit::unique;

/// One lease; half of it is a whole number.
pub(crate) const LEASE: Duration = Duration::from_secs(10);

pub(crate) fn group(name: &str) -> Group {
    Group::new(unique(name), Policy::default())
}

pub(crate) fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

pub(crate) fn id(text: &str) -> EventId {
    EventId::new(text).unwrap()
}

pub(crate) fn letter(name: &str, data: &str) -> Letter {
    Letter {
        id: id(name),
        note: Bytes::from_static(b"note"),
        data: Bytes::copy_from_slice(data.as_bytes()),
    }
}

pub(crate) fn put(seq: u64, letter: Letter) -> Change {
    Change::Put {
        slot: Slot::Held(seq),
        letter,
        mode: PutMode::New,
    }
}

pub(crate) fn sweep(limit: usize) -> Sweep {
    Sweep {
        limit,
        longest_wait: Duration::from_secs(3600),
        stuck_after: Duration::from_secs(60),
    }
}

pub(crate) async fn connect(server: &RedisServer, buckets: u32) -> RedisStore {
    let builder = RedisStore::builder(server.url()).buckets(buckets);
    builder.connect().await.unwrap()
}

/// A server for one test, which keeps nothing, and a store on it with so many buckets.
pub(crate) async fn alone(buckets: u32) -> (RedisServer, RedisStore) {
    let server = RedisServer::builder().no_persistence().start();
    let server = server.await.unwrap();
    let store = connect(&server, buckets).await;
    (server, store)
}

/// The text without its last bytes, which are not in the hash tag.
pub(crate) fn tag(group: &Group) -> String {
    format!("{{ordered:{}:0}}", group.name())
}

/// A worker with a lease.
pub(crate) struct Worker {
    pub(crate) store: RedisStore,
    pub(crate) group: Group,
    pub(crate) session: Session,
}

impl Worker {
    pub(crate) async fn open(store: &RedisStore, group: &Group, name: &str) -> Self {
        let opened = open(store, group, name).await.unwrap();
        let worker = Self {
            store: store.clone(),
            group: group.clone(),
            session: opened.session,
        };
        worker.beat().await;
        worker
    }

    pub(crate) async fn beat(&self) {
        let beat = self
            .store
            .heartbeat(&self.group, &self.session, LEASE)
            .await;
        beat.unwrap();
    }

    pub(crate) async fn say(&self, requests: &[Request]) -> Result<Vec<Answer>, StoreError> {
        let exchange = self.store.exchange(&self.group, &self.session, requests);
        Ok(exchange.await?.answers)
    }

    pub(crate) async fn one(&self, request: Request) -> Answer {
        self.say(&[request]).await.unwrap().remove(0)
    }

    pub(crate) async fn acquire(&self, name: &str) -> Owned {
        match self.one(acquire(name)).await {
            Answer::Owned(owned) => *owned,
            other => panic!("{name}: {other:?}"),
        }
    }

    pub(crate) async fn busy(&self, request: Request) -> Busy {
        match self.one(request).await {
            Answer::Busy(busy) => *busy,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn save(&self, save: Save) -> Saved {
        match self.one(Request::Save(Box::new(save))).await {
            Answer::Saved(saved) => saved,
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) async fn open(
    store: &RedisStore,
    group: &Group,
    name: &str,
) -> Result<Opened, StoreError> {
    store.open(group, &WorkerId::new(name)).await
}

pub(crate) fn acquire(name: &str) -> Request {
    acquire_with(name, AcquireMode::Ask, Vec::new())
}

pub(crate) fn acquire_with(name: &str, mode: AcquireMode, letters: Vec<(Slot, Letter)>) -> Request {
    Request::Acquire(Acquire {
        key: key(name),
        mode,
        letters,
        look_up: Vec::new(),
    })
}

pub(crate) fn post(name: &str, seq: u64, letter: Letter) -> Request {
    acquire_with(name, AcquireMode::Ask, vec![(Slot::Held(seq), letter)])
}

pub(crate) fn save(name: &str, fence: Fence) -> Save {
    Save::new(key(name), fence)
}

pub(crate) fn release(name: &str, fence: Fence) -> Save {
    Save {
        release: true,
        ..save(name, fence)
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
