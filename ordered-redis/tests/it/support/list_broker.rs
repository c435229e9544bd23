//! A broker that is a list in Redis: it outlives the processes that publish to it, and shows what came in which order.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use ordered_core::publish::{NewEvent, Outgoing, header};
use ordered_core::transport::{Publish, TransportError};
use ordered_redis::sequencer::SequencerBuilder;
use ordered_redis::{RedisStore, Sequencer};
use ordered_testkit::eventually_within;
use redis::aio::MultiplexedConnection;

const LIST: &str = "published";
const TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Clone)]
pub(crate) struct ListBroker {
    connection: MultiplexedConnection,
    /// How long it takes from when it has an event until it says so.
    confirm: Duration,
}

impl ListBroker {
    pub(crate) async fn on(url: &str) -> Self {
        let client = redis::Client::open(url).unwrap();
        Self {
            connection: client.get_multiplexed_async_connection().await.unwrap(),
            confirm: Duration::ZERO,
        }
    }

    pub(crate) fn confirms_after(mut self, time: Duration) -> Self {
        self.confirm = time;
        self
    }

    pub(crate) async fn len(&self) -> usize {
        let mut connection = self.connection.clone();
        let mut len = redis::cmd("LLEN");
        len.arg(LIST).query_async(&mut connection).await.unwrap()
    }

    /// Key, seq and id of all that was published, in order.
    pub(crate) async fn events(&self) -> Vec<(String, u64, String)> {
        let mut connection = self.connection.clone();
        let mut range = redis::cmd("LRANGE");
        range.arg(LIST).arg(0).arg(-1);
        let lines: Vec<String> = range.query_async(&mut connection).await.unwrap();
        let parse = |line: &String| {
            let words: Vec<&str> = line.split(' ').collect();
            (
                words[0].to_owned(),
                words[1].parse().unwrap(),
                words[2].to_owned(),
            )
        };
        lines.iter().map(parse).collect()
    }

    pub(crate) async fn has(&self, events: usize) {
        eventually_within(TIMEOUT, "so many are published", async || {
            self.len().await >= events
        })
        .await;
    }

    /// Each key is published 1, 2, 3, … without a gap, and each number once; answers with the last of each key, and how
    /// many events came twice.
    pub(crate) async fn is_without_gaps(&self) -> (BTreeMap<String, u64>, usize) {
        let (mut last, mut ids, mut repeats) = (BTreeMap::new(), BTreeMap::new(), 0);
        let mut all = BTreeSet::new();
        for (key, seq, id) in self.events().await {
            let before = last.entry(key.clone()).or_insert(0);
            assert!(seq <= *before + 1, "{key}: {seq} came after {before}");
            if seq <= *before {
                repeats += 1;
            }
            *before = seq.max(*before);
            let known = ids.entry((key.clone(), seq)).or_insert_with(|| id.clone());
            assert_eq!(*known, id, "{key}: two events have the number {seq}");
            all.insert((key, id));
        }
        assert_eq!(all.len(), ids.len(), "an event has two numbers");
        (last, repeats)
    }
}

#[async_trait]
impl Publish for ListBroker {
    async fn send(&self, events: &[Outgoing]) -> Vec<Result<(), TransportError>> {
        let mut push = redis::cmd("RPUSH");
        push.arg(LIST);
        for event in events {
            let header = |name: &str| event.envelope().headers[name].as_str();
            push.arg(format!(
                "{} {} {}",
                header(header::KEY),
                header(header::SEQ),
                header(header::ID)
            ));
        }
        let mut connection = self.connection.clone();
        let pushed: Result<(), _> = push.query_async(&mut connection).await;
        tokio::time::sleep(self.confirm).await;
        let outcome = |_: &Outgoing| match &pushed {
            Ok(()) => Ok(()),
            Err(error) => Err(TransportError::unavailable(error.to_string())),
        };
        events.iter().map(outcome).collect()
    }
}

pub(crate) fn event(key: &str, id: &str) -> NewEvent {
    let event = NewEvent::json("order", key, "placed", &id).unwrap();
    event.id(crate::support::id(id))
}

/// Quick to take over, and to look.
pub(crate) async fn builder(url: &str, transport: impl Publish) -> SequencerBuilder {
    let store = RedisStore::connect(url).await.unwrap();
    Sequencer::builder(&store, "orders", transport)
        .lease(Duration::from_millis(500))
        .poll_interval(Duration::from_millis(20))
        .retry_after(Duration::from_millis(50))
}
