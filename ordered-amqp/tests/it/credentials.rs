//! A password that is changed while the transport consumes.

use std::path::PathBuf;
use std::time::Duration;

use lapin::BasicProperties;
use ordered_amqp::{Amqp, AmqpBuilder};
use ordered_core::credentials::{Credentials, PasswordFile};
use ordered_core::transport::{Transport, TransportErrorKind, TransportStatus};
use ordered_testkit::proxy::Proxy;
use ordered_testkit::server::RabbitServer;
use ordered_testkit::{eventually, unique};

use crate::support::{Client, Queue, started, take};

/// A user of a test's own, and a queue that it consumes through a proxy.
struct Setting {
    server: &'static RabbitServer,
    user: String,
    proxy: Proxy,
    queue: Queue,
}

impl Setting {
    async fn new() -> Self {
        let server = RabbitServer::shared().await.unwrap();
        let user = unique("user");
        server.ctl(&["add_user", &user, "old"]).await.unwrap();
        let everything = ["set_permissions", "-p", "/", &user, ".*", ".*", ".*"];
        server.ctl(&everything).await.unwrap();
        let (proxy, mut queue) = Queue::behind_a_proxy(server).await;
        // The password of the address is never the right one.
        queue.url = queue.url.replace("guest:guest", &format!("{user}:unknown"));
        Self {
            server,
            user,
            proxy,
            queue,
        }
    }

    fn builder(&self) -> AmqpBuilder {
        self.queue.builder()
    }

    async fn rotate(&self) {
        let change = ["change_password", &self.user, "new"];
        self.server.ctl(&change).await.unwrap();
        self.proxy.cut();
    }

    async fn publish(&self) {
        let client = Client::connect(&self.server.url()).await;
        let (queue, properties) = (&self.queue.name, BasicProperties::default());
        client.publish(queue, b"{}", properties).await;
    }
}

/// Waits until the transport says that it does not consume because the login is refused.
async fn is_refused(transport: &Amqp) {
    eventually("the login is refused", async || {
        matches!(transport.status(), TransportStatus::Unavailable { error, .. } if error.contains("refuses the user"))
    })
    .await;
}

fn password_file(password: &str) -> PathBuf {
    let path = std::env::temp_dir().join(unique("password"));
    std::fs::write(&path, password).unwrap();
    path
}

#[tokio::test]
async fn a_password_that_is_rotated_is_read_from_its_file_at_the_next_connection() {
    let setting = Setting::new().await;
    let file = password_file("old\n");
    let transport = started(setting.builder().credentials(PasswordFile::new(&file))).await;
    setting.publish().await;
    take(&transport, 1).await;
    assert_eq!(transport.status(), TransportStatus::Consuming);
    setting.rotate().await;
    is_refused(&transport).await;
    std::fs::write(&file, "new\n").unwrap();
    setting.publish().await;
    take(&transport, 1).await;
    eventually("it consumes again", async || {
        transport.status() == TransportStatus::Consuming
    })
    .await;
    transport.close().await.unwrap();
    std::fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn a_login_that_stays_refused_ends_the_consumer_with_the_reason() {
    let setting = Setting::new().await;
    let old = || async { Ok(Credentials::password("old")) };
    let builder = setting.builder().credentials(old);
    let transport = started(builder.refused_for(Duration::from_millis(300))).await;
    setting.rotate().await;
    let received = tokio::time::timeout(Duration::from_secs(60), transport.receive(1)).await;
    let error = received.expect("it ends").unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::Fatal);
    let words = error.to_string();
    assert!(words.contains("refuses the user"), "{words}");
    assert!(words.contains("`refused_for`"), "{words}");
    transport.close().await.unwrap();
}

#[tokio::test]
async fn a_login_that_is_refused_at_start_is_an_error_at_once() {
    let setting = Setting::new().await;
    let wrong = || async { Ok(Credentials::password("wrong")) };
    let error = setting.builder().credentials(wrong).await.unwrap_err();
    assert!(error.to_string().contains("refuses the user"), "{error}");
    let none = || async { Err("the vault is sealed".into()) };
    let error = setting.builder().credentials(none).await.unwrap_err();
    assert!(error.to_string().contains("the vault is sealed"), "{error}");
    let user = setting.user.clone();
    let named = move || {
        let user = user.clone();
        async move { Ok(Credentials::user(user, "old")) }
    };
    let mut queue = setting.builder();
    queue = queue.credentials(named);
    queue.await.unwrap();
}
