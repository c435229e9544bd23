use ordered_core::event::Key;
use ordered_postgres::{OutboxEvent, Payload, migrate};
use ordered_testkit::server::PostgresServer;
use tokio_postgres::{Client, NoTls};

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
