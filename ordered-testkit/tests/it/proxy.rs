use std::io::{self, ErrorKind};
use std::time::Duration;

use ordered_testkit::proxy::{Direction, Flow, Proxy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

/// Long enough to see that nothing comes.
const SILENCE: Duration = Duration::from_millis(100);

/// Sends back what it gets, on every connection, and a reset when it was reset.
async fn echo() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    port
}

async fn connected() -> (Proxy, TcpStream) {
    let proxy = Proxy::start(echo().await).await.unwrap();
    let client = TcpStream::connect(("127.0.0.1", proxy.port())).await;
    (proxy, client.unwrap())
}

async fn hear(client: &mut TcpStream, length: usize) -> io::Result<Vec<u8>> {
    let mut heard = vec![0; length];
    client.read_exact(&mut heard).await?;
    Ok(heard)
}

#[tokio::test]
async fn what_goes_in_comes_out_to_the_end() {
    let (_proxy, mut client) = connected().await;
    let said: Vec<u8> = (0..200_000_u32).map(|byte| (byte % 251) as u8).collect();
    let expected = said.clone();
    let (mut from, mut to) = client.split();
    let asking = async {
        to.write_all(&said).await.unwrap();
        to.shutdown().await.unwrap();
    };
    let mut heard = Vec::new();
    let (heard_all, ()) = tokio::join!(from.read_to_end(&mut heard), asking);
    heard_all.unwrap();
    assert!(heard == expected, "{} bytes came back", heard.len());
}

#[tokio::test]
async fn a_cut_is_a_reset_and_new_connections_are_taken() {
    let (proxy, mut client) = connected().await;
    client.write_all(b"one").await.unwrap();
    assert_eq!(hear(&mut client, 3).await.unwrap(), b"one");
    proxy.cut();
    let error = hear(&mut client, 1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let mut again = TcpStream::connect(("127.0.0.1", proxy.port()))
        .await
        .unwrap();
    again.write_all(b"two").await.unwrap();
    assert_eq!(hear(&mut again, 3).await.unwrap(), b"two");
}

/// One word there and back, on a connection of its own.
async fn exchange(port: u16) -> io::Result<Vec<u8>> {
    let mut client = TcpStream::connect(("127.0.0.1", port)).await?;
    client.write_all(b"word").await?;
    hear(&mut client, 4).await
}

#[tokio::test]
async fn while_it_refuses_nobody_gets_through() {
    let (proxy, _client) = connected().await;
    proxy.refuse();
    assert!(exchange(proxy.port()).await.is_err());
    proxy.heal();
    assert_eq!(exchange(proxy.port()).await.unwrap(), b"word");
}

#[tokio::test]
async fn a_blackhole_keeps_one_direction_and_what_it_kept_arrives_late() {
    for direction in [Direction::ToServer, Direction::ToClient] {
        let (proxy, mut client) = connected().await;
        proxy.set(direction, Flow::blackhole());
        client.write_all(b"late").await.unwrap();
        assert!(timeout(SILENCE, hear(&mut client, 1)).await.is_err());
        proxy.heal();
        assert_eq!(
            hear(&mut client, 4).await.unwrap(),
            b"late",
            "{direction:?}"
        );
    }
}

#[tokio::test]
async fn what_a_blackhole_kept_is_lost_with_a_cut() {
    let (proxy, mut client) = connected().await;
    proxy.set(Direction::ToClient, Flow::blackhole());
    client.write_all(b"lost").await.unwrap();
    assert!(timeout(SILENCE, hear(&mut client, 1)).await.is_err());
    proxy.cut();
    proxy.heal();
    assert!(hear(&mut client, 1).await.is_err());
}

#[tokio::test]
async fn a_delay_comes_once_for_all_that_is_under_way() {
    const DELAY: Duration = Duration::from_millis(200);
    let (proxy, mut client) = connected().await;
    proxy.set(Direction::ToServer, Flow::delayed(DELAY));
    let begun = Instant::now();
    for _ in 0..20 {
        client.write_all(b"x").await.unwrap();
        tokio::task::yield_now().await;
    }
    hear(&mut client, 20).await.unwrap();
    let took = begun.elapsed();
    assert!(took >= DELAY, "{took:?}");
    assert!(took < DELAY * 20, "{took:?}");
}

#[tokio::test]
async fn a_throttle_bounds_the_bytes_of_a_second() {
    let (proxy, mut client) = connected().await;
    proxy.set(Direction::ToClient, Flow::throttled(100_000));
    let begun = Instant::now();
    client.write_all(&[7; 30_000]).await.unwrap();
    hear(&mut client, 30_000).await.unwrap();
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(250), "{took:?}");
}

#[tokio::test]
async fn a_server_that_is_away_is_a_reset() {
    // Bound, and gone at once: nobody listens there.
    let gone = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = gone.local_addr().unwrap().port();
    drop(gone);
    let proxy = Proxy::start(port).await.unwrap();
    assert!(exchange(proxy.port()).await.is_err());
}

#[tokio::test]
async fn a_dropped_proxy_takes_its_connections_along() {
    let (proxy, mut client) = connected().await;
    client.write_all(b"x").await.unwrap();
    hear(&mut client, 1).await.unwrap();
    drop(proxy);
    assert!(hear(&mut client, 1).await.is_err());
}
