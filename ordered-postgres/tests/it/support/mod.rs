//! What the tests of this crate share.

pub(crate) mod inbox;
pub(crate) mod recording_publisher;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use ordered_core::event::{Key, Seq};
use ordered_postgres::repair::{self, RepairRequest};
use ordered_postgres::{Outbox, OutboxEvent, Payload, PostgresError, Relay, RelayBuilder, migrate};
use ordered_testkit::eventually;
use ordered_testkit::server::PostgresServer;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};

use crate::support::recording_publisher::RecordingPublisher;

/// The URL of a database of the test's own, without tables.
pub(crate) async fn empty_database() -> String {
    let server = PostgresServer::shared().await.unwrap();
    server.database().await.unwrap()
}

/// The URL of a database of the test's own, with the tables of `ordered`.
pub(crate) async fn database() -> String {
    let url = empty_database().await;
    migrate(&mut connect(&url).await).await.unwrap();
    url
}

pub(crate) async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// An event with this payload as JSON.
pub(crate) fn event(key: &str, json: &str) -> OutboxEvent {
    let payload = Payload::Json(json.to_owned());
    OutboxEvent::new("order", Key::new(key).unwrap(), "placed", payload)
}

/// Stages one event of each of these keys, in one transaction.
pub(crate) async fn stage(client: &mut Client, keys: &[&str]) {
    let events: Vec<OutboxEvent> = keys.iter().map(|key| event(key, "{}")).collect();
    let mut tx = client.transaction().await.unwrap();
    Outbox::stage_all(&mut tx, &events).await.unwrap();
    tx.commit().await.unwrap();
}

/// A relay that does everything quickly.
pub(crate) fn relay(url: &str, publisher: &Arc<RecordingPublisher>) -> RelayBuilder {
    Relay::builder(url, Arc::clone(publisher) as _)
        .poll_interval(Duration::from_millis(5))
        .repair_interval(Duration::from_millis(5))
        .lease(Duration::from_millis(500))
        .backoff(Duration::from_millis(10))
        .max_backoff(Duration::from_millis(50))
        .retention(None)
}

/// A relay at work; it ends, as by a crash, with this value.
pub(crate) struct Running {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), PostgresError>>,
}

impl Running {
    pub(crate) fn start(builder: RelayBuilder) -> Self {
        let relay = builder.build().unwrap();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(relay.run(async {
            let _ = stopped.await;
        }));
        Self {
            stop: Some(stop),
            task,
        }
    }

    /// Lets it end in order.
    pub(crate) async fn stop(mut self) -> Result<(), PostgresError> {
        drop(self.stop.take());
        (&mut self.task).await.unwrap()
    }

    /// Ends it as SIGKILL would: nothing more of it happens.
    pub(crate) async fn kill(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn request(key: &str, from: u64, to: u64) -> RepairRequest {
    RepairRequest {
        group: "orders".into(),
        key: Key::new(key).unwrap(),
        from: Seq::new(from).unwrap(),
        to: Seq::new(to).unwrap(),
        by: "a test".into(),
        fill: true,
    }
}

/// Asks, and waits for the answer.
pub(crate) async fn ask(client: &Client, request: &RepairRequest) -> repair::RepairStatus {
    let id = repair::ask(client, request).await.unwrap();
    let found = std::sync::Mutex::new(None);
    eventually("the request is answered", async || {
        let all = repair::requests(client, &request.key, 100).await.unwrap();
        let status = all.into_iter().find(|status| status.id == id).unwrap();
        let answered = status.answered.is_some();
        *found.lock().unwrap() = Some(status);
        answered
    })
    .await;
    found.into_inner().unwrap().unwrap()
}

/// Waits until the relay of every shard has looked for new events at least once from now on.
pub(crate) async fn everything_was_looked_at(client: &Client) {
    let shards =
        "select distinct on (ordered_shard(n::text)) n::text from generate_series(1, 200) n";
    let keys: Vec<String> = client
        .query(shards, &[])
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(keys.len(), 16);
    // A relay answers, then it reads. The second answer comes after a reading that began after the first.
    for _ in 0..2 {
        let requests: Vec<RepairRequest> = keys
            .iter()
            .map(|key| RepairRequest {
                fill: false,
                ..request(key, 1, 1)
            })
            .collect();
        join_all(requests.iter().map(|request| ask(client, request))).await;
    }
}
