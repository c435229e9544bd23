use std::io;

use tokio::net::TcpStream;
use tokio::sync::watch;

use super::pump::pump;
use super::{Direction, Switches};

/// Carries one connection until both directions have ended, or it is cut, or breaks.
pub(super) async fn carry(
    mut client: TcpStream,
    mut server: TcpStream,
    switches: &Switches,
    mut cuts: watch::Receiver<u64>,
    mut strandings: watch::Receiver<u64>,
) {
    // Small packets go on as they came.
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let in_order = {
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        let flow = |direction| switches.flow(direction).subscribe();
        let asking = pump(&mut from_client, &mut to_server, flow(Direction::ToServer));
        let answering = pump(&mut from_server, &mut to_client, flow(Direction::ToClient));
        let both = async { tokio::try_join!(asking, answering) };
        tokio::select! {
            // A cut comes first: what was kept back is lost with it, even if it could go on by now.
            biased;
            _ = cuts.changed() => Err(io::ErrorKind::ConnectionReset.into()),
            _ = strandings.changed() => {
                let _ = cuts.changed().await;
                Err(io::ErrorKind::ConnectionReset.into())
            }
            ended = both => ended.map(drop),
        }
    };
    if in_order.is_err() {
        // Without lingering the drop is a reset.
        let _ = client.set_zero_linger();
        let _ = server.set_zero_linger();
    }
}
