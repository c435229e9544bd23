//! An address that stays, behind which another server comes to be the master: a name that is moved, a load balancer, or
//! the endpoint of a hosted service.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ordered_redis::RedisStore;
use ordered_testkit::eventually;
use ordered_testkit::proxy::Proxy;
use ordered_testkit::server::RedisServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::recording_worker::RecordingWorker;

/// A master, its replica, and an address that leads to the master.
struct Pair {
    master: RedisServer,
    replica: RedisServer,
    address: Proxy,
}

impl Pair {
    async fn start() -> Self {
        let master = RedisServer::start().await.unwrap();
        let replica = RedisServer::builder().replica_of(&master).start();
        let replica = replica.await.unwrap();
        let address = Proxy::start(master.port()).await.unwrap();
        Self {
            master,
            replica,
            address,
        }
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.address.port())
    }

    async fn are_in_step(&self) {
        eventually("the replica has what its master has", async || {
            self.replica.is_in_step_with(&self.master).await
        })
        .await;
    }
}

#[tokio::test]
async fn a_fail_over_behind_an_unchanged_address_is_followed_although_the_old_master_keeps_the_connection()
 {
    let mut pair = Pair::start().await;
    let worker = RecordingWorker::start(RedisStore::connect(pair.url()).await.unwrap());
    worker.publish(&[1]).await;
    worker.handles(&[1], "a first event").await;
    pair.are_in_step().await;
    pair.address.lead_to(pair.replica.port());
    pair.replica.promote().await.unwrap();
    pair.master.follow(&pair.replica).await.unwrap();
    worker.publish(&[2, 3]).await;
    worker
        .handles(&[1, 2, 3], "a fail-over behind an unchanged address")
        .await;
    worker.stop().await;
}

#[tokio::test]
async fn a_master_that_hangs_is_left_for_the_one_that_took_its_address() {
    let mut pair = Pair::start().await;
    let builder = RedisStore::builder(pair.url()).timeout(Duration::from_secs(1));
    let worker = RecordingWorker::start(builder.connect().await.unwrap());
    worker.publish(&[1]).await;
    worker.handles(&[1], "a first event").await;
    pair.are_in_step().await;
    pair.master.pause();
    pair.address.lead_to(pair.replica.port());
    pair.replica.promote().await.unwrap();
    worker.publish(&[2, 3]).await;
    worker
        .handles(&[1, 2, 3], "a fail-over from a master that hangs")
        .await;
    worker.stop().await;
}

#[tokio::test]
async fn a_worker_that_starts_in_the_middle_of_a_fail_over_waits_for_its_end() {
    let mut pair = Pair::start().await;
    pair.address.lead_to(pair.replica.port());
    let worker = RecordingWorker::start(RedisStore::connect(pair.url()).await.unwrap());
    worker.publish(&[1, 2]).await;
    eventually("the replica has refused a write", async || {
        let errors = pair.replica.info("errorstats").await.unwrap();
        errors.contains("errorstat_READONLY")
    })
    .await;
    pair.replica.promote().await.unwrap();
    worker
        .handles(&[1, 2], "a start in the middle of a fail-over")
        .await;
    worker.stop().await;
}

/// Answers every command with an error of its own, as a proxy does that has lost its servers.
struct Lost {
    port: u16,
    answered: Arc<AtomicUsize>,
}

impl Lost {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let answered = Arc::default();
        let counts = Arc::clone(&answered);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(Self::answer(client, Arc::clone(&counts)));
            }
        });
        Self { port, answered }
    }

    async fn answer(mut client: TcpStream, answered: Arc<AtomicUsize>) {
        let mut buffer = vec![0; 1 << 20];
        while let Ok(count @ 1..) = client.read(&mut buffer).await {
            // A command is an array; none of these tests has the same bytes in an argument.
            let commands = String::from_utf8_lossy(&buffer[..count])
                .matches("*")
                .count();
            let errors = "-ERR no upstream host\r\n".repeat(commands);
            if client.write_all(errors.as_bytes()).await.is_err() {
                return;
            }
            answered.fetch_add(commands, Ordering::Relaxed);
        }
    }
}

#[tokio::test]
async fn an_error_that_only_the_proxy_knows_is_waited_out_and_ends_no_worker() {
    let server = RedisServer::shared().await.unwrap();
    let (lost, address) = (
        Lost::start().await,
        Proxy::start(server.port()).await.unwrap(),
    );
    let url = format!("redis://127.0.0.1:{}", address.port());
    let builder = RedisStore::builder(url).timeout(Duration::from_secs(1));
    let worker = RecordingWorker::start(builder.connect().await.unwrap());
    worker.publish(&[1]).await;
    worker.handles(&[1], "a first event").await;
    address.lead_to(lost.port);
    address.cut();
    worker.publish(&[2, 3]).await;
    eventually("the worker is told an error again and again", async || {
        lost.answered.load(Ordering::Relaxed) >= 3
    })
    .await;
    // The connection to the proxy stays.
    address.lead_to(server.port());
    worker
        .handles(&[1, 2, 3], "a proxy that had lost its servers")
        .await;
    worker.stop().await;
}
