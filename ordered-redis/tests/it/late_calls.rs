//! A call that its worker gave up may reach the server after later ones.

use std::sync::{Arc, Mutex};

use ordered_core::protocol::{Action, Command, Fence, Verdict};
use ordered_redis::RedisStore;
use ordered_testkit::server::RedisServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::talk::{apply, group, inspect, key, offer, open};

/// Stands between a store and its server, and keeps what the store says.
struct Ear {
    port: u16,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Ear {
    async fn before(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let keeps = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                tokio::spawn(pass_on(client, server, Arc::clone(&keeps)));
            }
        });
        Self { port, heard }
    }

    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.heard.lock().unwrap())
    }
}

async fn pass_on(client: TcpStream, server: TcpStream, heard: Arc<Mutex<Vec<u8>>>) {
    let (mut says, mut hears) = client.into_split();
    let (mut answers, mut takes) = server.into_split();
    let back = async move { tokio::io::copy(&mut answers, &mut hears).await };
    let there = async move {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(count @ 1..) = says.read(&mut buffer).await {
            heard.lock().unwrap().extend_from_slice(&buffer[..count]);
            if takes.write_all(&buffer[..count]).await.is_err() {
                break;
            }
        }
    };
    tokio::join!(back, there).1
}

#[tokio::test]
async fn a_call_that_comes_after_a_later_one_changes_nothing() {
    let server = RedisServer::shared().await.unwrap();
    let ear = Ear::before(server.port()).await;
    let store = RedisStore::connect(format!("redis://127.0.0.1:{}", ear.port))
        .await
        .unwrap();
    let (group, key) = (group("late-call"), key("k"));
    open(&store, &group).await.unwrap();
    ear.take();
    let verdicts = apply(&store, &group, &[offer(&key, 1)]).await.unwrap();
    assert!(matches!(verdicts[0], Verdict::Run(_)), "{verdicts:?}");
    let call = ear.take();
    let release = Command {
        key: key.clone(),
        action: Action::Release { fence: Fence(1) },
    };
    let verdicts = apply(&store, &group, &[release]).await.unwrap();
    assert_eq!(verdicts, [Verdict::Released]);
    let before = inspect(&store, &group, &key).await.unwrap().unwrap();

    // The very bytes, again, over another connection.
    let mut late = TcpStream::connect(("127.0.0.1", server.port()))
        .await
        .unwrap();
    late.write_all(&call).await.unwrap();
    let mut answer = [0; 64];
    let count = late.read(&mut answer).await.unwrap();
    let said = String::from_utf8_lossy(&answer[..count]);
    assert_eq!(
        said, "*1\r\n:20\r\n",
        "the code of a call that is overtaken"
    );

    let mut after = inspect(&store, &group, &key).await.unwrap().unwrap();
    after.now = before.now;
    assert_eq!(after, before);
    // The worker itself goes on.
    let verdicts = apply(&store, &group, &[offer(&key, 1)]).await.unwrap();
    assert!(matches!(verdicts[0], Verdict::Run(_)), "{verdicts:?}");
}
