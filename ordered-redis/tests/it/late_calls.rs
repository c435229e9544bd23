//! A call that its worker gave up may reach the server after later ones.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use ordered_core::store::{Answer, Inspect, Request, Save};
use ordered_redis::RedisStore;
use ordered_testkit::server::RedisServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::*;

/// Stands between a store and its server, and keeps what the store says.
struct Tap {
    port: u16,
    sent: Arc<Mutex<Vec<u8>>>,
}

impl Tap {
    async fn before(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let sent = Arc::new(Mutex::new(Vec::new()));
        let keeps = Arc::clone(&sent);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                tokio::spawn(forward(client, server, Arc::clone(&keeps)));
            }
        });
        Self { port, sent }
    }

    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.sent.lock().unwrap())
    }
}

async fn forward(client: TcpStream, server: TcpStream, sent: Arc<Mutex<Vec<u8>>>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let answers = async move { tokio::io::copy(&mut from_server, &mut to_client).await };
    let calls = async move {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(count @ 1..) = from_client.read(&mut buffer).await {
            sent.lock().unwrap().extend_from_slice(&buffer[..count]);
            if to_server.write_all(&buffer[..count]).await.is_err() {
                break;
            }
        }
    };
    tokio::join!(answers, calls).1
}

#[tokio::test]
async fn a_save_that_comes_after_a_later_one_changes_nothing() {
    let server = RedisServer::shared().await.unwrap();
    let tap = Tap::before(server.port()).await;
    let store = RedisStore::connect(format!("redis://127.0.0.1:{}", tap.port));
    let store = store.await.unwrap();
    let group = group("late");
    let worker = Worker::open(&store, &group, "w").await;
    let owned = worker.acquire("k").await;
    let saving = |body: &'static [u8]| Save {
        body: Some(Bytes::from_static(body)),
        remember: vec![id("an id")],
        ..save("k", owned.fence)
    };
    tap.take();
    worker.save(saving(b"earlier")).await;
    let earlier = tap.take();
    worker.save(saving(b"later")).await;
    let before = store.read(&group, &key("k")).await.unwrap().unwrap();

    // The very bytes, again, over another connection.
    let mut late = TcpStream::connect(("127.0.0.1", server.port()))
        .await
        .unwrap();
    late.write_all(&earlier).await.unwrap();
    let mut answer = [0; 64];
    let count = late.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..count]);
    assert!(
        answer.starts_with("*2\r\n:2\r\n"),
        "the code of a late call: {answer}"
    );
    let mut after = store.read(&group, &key("k")).await.unwrap().unwrap();
    after.now = before.now;
    assert_eq!(after, before);
    // The worker itself goes on.
    let answer = worker
        .one(Request::Save(Box::new(release("k", owned.fence))))
        .await;
    assert!(matches!(answer, Answer::Saved(_)), "{answer:?}");
}
