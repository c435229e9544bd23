//! A TCP proxy that does to a connection what networks do: cut it, lose one direction, delay it, throttle it.
//!
//! ```no_run
//! # async fn example() -> Result<(), ordered_testkit::server::ServerError> {
//! use std::time::Duration;
//! use ordered_testkit::proxy::{Direction, Flow, Proxy};
//! use ordered_testkit::server::RedisServer;
//!
//! let redis = RedisServer::start().await?;
//! let proxy = Proxy::start(redis.port()).await?;
//! let url = format!("redis://127.0.0.1:{}", proxy.port());
//!
//! // What the client says arrives, and the answers do not.
//! proxy.set(Direction::ToClient, Flow::blackhole());
//! // Now they do, if the client is still there to take them.
//! proxy.heal();
//! // Every connection ends with a reset; new ones are taken.
//! proxy.cut();
//! # Ok(())
//! # }
//! ```

mod connection;
mod flow;
mod pump;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

pub use flow::{Direction, Flow};

use crate::server::ServerError;

/// A proxy on a port of its own, in front of one server on loopback. Its connections end with it.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    switches: Arc<Switches>,
    listening: AbortHandle,
}

/// What the connections look at.
#[derive(Debug)]
struct Switches {
    /// Where new connections lead.
    server: watch::Sender<SocketAddr>,
    to_server: watch::Sender<Flow>,
    to_client: watch::Sender<Flow>,
    /// How often the connections were cut.
    cuts: watch::Sender<u64>,
    /// How often they were stranded.
    strandings: watch::Sender<u64>,
    refusing: watch::Sender<bool>,
}

impl Proxy {
    /// Listens on a free port of loopback, for a server that listens on another. The server need not be there yet.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(server: u16) -> Result<Self, ServerError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(ServerError::system("no port for a proxy"))?;
        let port = listener
            .local_addr()
            .map_err(ServerError::system("no port for a proxy"))?
            .port();
        let switches = Arc::new(Switches {
            server: watch::Sender::new(SocketAddr::from((Ipv4Addr::LOCALHOST, server))),
            to_server: watch::Sender::default(),
            to_client: watch::Sender::default(),
            cuts: watch::Sender::default(),
            strandings: watch::Sender::default(),
            refusing: watch::Sender::default(),
        });
        let listening = listen(listener, Arc::clone(&switches));
        let listening = tokio::spawn(listening).abort_handle();
        Ok(Self {
            port,
            switches,
            listening,
        })
    }

    /// Where clients connect.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Changes one direction, of the connections that there are and of those to come.
    pub fn set(&self, direction: Direction, flow: Flow) {
        self.switches.flow(direction).send_replace(flow);
    }

    /// Changes both directions.
    pub fn set_both(&self, flow: Flow) {
        self.set(Direction::ToServer, flow);
        self.set(Direction::ToClient, flow);
    }

    /// Ends every connection with a reset, on both sides, in the middle of whatever was under way: what is in the proxy
    /// is lost. New connections are taken.
    pub fn cut(&self) {
        self.switches.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// The connections that there are carry nothing any more, in either direction, until they are cut, as if their
    /// server had forgotten them: healing does not help them. New ones are taken, and flow.
    pub fn strand(&self) {
        self.switches.strandings.send_modify(|count| *count += 1);
    }

    /// New connections lead to another server of loopback, as when a name is given another address. Those that there
    /// are stay where they are.
    pub fn lead_to(&self, server: u16) {
        let server = SocketAddr::from((Ipv4Addr::LOCALHOST, server));
        self.switches.server.send_replace(server);
    }

    /// Cuts, and resets every new connection too, until [`heal`](Proxy::heal).
    pub fn refuse(&self) {
        self.switches.refusing.send_replace(true);
        self.cut();
    }

    /// Everything flows again. What a blackhole has kept back arrives now, late.
    pub fn heal(&self) {
        self.switches.refusing.send_replace(false);
        self.set_both(Flow::default());
    }
}

impl Switches {
    fn flow(&self, direction: Direction) -> &watch::Sender<Flow> {
        match direction {
            Direction::ToServer => &self.to_server,
            Direction::ToClient => &self.to_client,
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// Takes connections until it is aborted; those that are there go with it.
async fn listen(listener: TcpListener, switches: Arc<Switches>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((client, _)) = listener.accept() => {
                if *switches.refusing.borrow() {
                    // Without lingering the drop is a reset.
                    let _ = client.set_zero_linger();
                    continue;
                }
                connections.spawn(serve(client, Arc::clone(&switches)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(client: TcpStream, switches: Arc<Switches>) {
    // Before the connection to the server is made, so that nothing is missed.
    let cuts = switches.cuts.subscribe();
    let strandings = switches.strandings.subscribe();
    let address = *switches.server.borrow();
    let Ok(server) = TcpStream::connect(address).await else {
        let _ = client.set_zero_linger();
        return;
    };
    connection::carry(client, server, &switches, cuts, strandings).await;
}
