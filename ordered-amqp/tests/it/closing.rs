//! A broker whose answer to the close of a connection never comes.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ordered_core::transport::{ConsumeOptions, Transport};
use ordered_testkit::server::RabbitServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{self, timeout};

use crate::support::Queue;

/// The answer to the close of a connection, `connection.close-ok` of AMQP 0-9-1, as a frame.
const CLOSE_OK: [u8; 12] = [1, 0, 0, 0, 0, 0, 4, 0, 10, 0, 51, 0xCE];
/// An answer is waited for ten seconds; by so much the clock jumps where one will not come.
const JUMP: Duration = Duration::from_secs(11);
/// In this time of that clock a call has come to an end, with one or two closes in it.
const LIMIT: Duration = Duration::from_secs(40);

/// Leads to a server, and counts the closes of which it keeps the answer.
struct KeepsCloseOk {
    port: u16,
    kept: Arc<AtomicUsize>,
}

impl KeepsCloseOk {
    async fn before(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let kept = Arc::new(AtomicUsize::new(0));
        let counting = Arc::clone(&kept);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).await;
                tokio::spawn(carry(client, server.unwrap(), Arc::clone(&counting)));
            }
        });
        Self { port, kept }
    }

    /// How many closes a call has waited for in vain.
    async fn closes_of<T>(&self, call: impl Future<Output = T>) -> (usize, T) {
        let before = self.kept.load(Ordering::Relaxed);
        let result = timeout(LIMIT, call).await.expect("it comes to an end");
        (self.kept.load(Ordering::Relaxed) - before, result)
    }
}

async fn carry(client: TcpStream, server: TcpStream, kept: Arc<AtomicUsize>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let answers = async {
        let mut buffer = vec![0; 16 << 10];
        while let Ok(length @ 1..) = from_server.read(&mut buffer).await {
            let bytes = &buffer[..length];
            if bytes.windows(CLOSE_OK.len()).any(|frame| frame == CLOSE_OK) {
                kept.fetch_add(1, Ordering::Relaxed);
                time::pause();
                time::advance(JUMP).await;
                time::resume();
                // The connection stays as it is.
                return std::future::pending().await;
            }
            if to_client.write_all(bytes).await.is_err() {
                return;
            }
        }
    };
    let ((), _) = tokio::join!(answers, copy(&mut from_client, &mut to_server));
}

#[tokio::test]
async fn a_close_that_is_not_answered_keeps_no_worker_from_its_start_and_no_list_from_its_end() {
    let server = RabbitServer::shared().await.unwrap();
    let proxy = KeepsCloseOk::before(server.port()).await;
    let queue = Queue::through(server, proxy.port);
    let (closes, transport) = proxy.closes_of(async { queue.builder().await }).await;
    assert_eq!(closes, 1);
    let (transport, options) = (transport.unwrap(), ConsumeOptions { max_unsettled: 10 });
    let (closes, started) = proxy.closes_of(transport.start(options)).await;
    assert_eq!(closes, 1);
    started.unwrap();
    let (closes, queues) = proxy.closes_of(queue.builder().queues()).await;
    assert_eq!(closes, 1);
    assert_eq!(queues.unwrap()[0].name, queue.name);
    let partitioned = queue.with_partitions(2);
    let (closes, connected) = proxy.closes_of(async { partitioned.builder().await }).await;
    assert_eq!(closes, 2, "that of the exchange, and that of the queues");
    connected.unwrap();
}
