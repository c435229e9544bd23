mod command;
mod replication;
mod sentinels;

use std::io;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use tokio::sync::OnceCell;

use super::ServerError;
use super::certificates::{CERTIFICATE_FILE, KEY_FILE};
use super::port::Port;
use super::process::ServerProcess;

pub use sentinels::{RedisSentinels, RedisSentinelsBuilder};

const INSTALL: &str = "apt-get install redis-server";
const TIMEOUT: Duration = Duration::from_secs(30);
/// So far above its port a node of a cluster listens for the others.
const CLUSTER_BUS: u16 = 10_000;

/// A Redis server of the test's own.
#[derive(Debug)]
pub struct RedisServer {
    process: ServerProcess,
    port: Port,
    /// Where it listens for TLS, if it does.
    tls_port: Option<Port>,
    settings: Vec<(String, String)>,
}

/// Settings of a [`RedisServer`].
#[derive(Debug, Clone)]
#[must_use]
pub struct RedisBuilder {
    settings: Vec<(String, String)>,
    tls: bool,
}

impl RedisServer {
    /// Starts a server that writes everything to disk before it answers.
    ///
    /// # Errors
    /// When it is not installed or does not come up, with the end of its log.
    pub async fn start() -> Result<Self, ServerError> {
        Self::builder().start().await
    }

    /// A server with other settings.
    pub fn builder() -> RedisBuilder {
        let (settings, tls) = (Vec::new(), false);
        RedisBuilder { settings, tls }
            .setting("appendonly", "yes")
            .appendfsync("always")
            .setting("save", "")
    }

    /// The one server that the tests of this process share. Use [`unique`](fn@crate::unique) names on it.
    ///
    /// # Errors
    /// When it is not installed or does not come up, with the end of its log.
    pub async fn shared() -> Result<&'static Self, ServerError> {
        static SHARED: OnceCell<RedisServer> = OnceCell::const_new();
        SHARED.get_or_try_init(Self::start).await
    }

    /// `redis://127.0.0.1:<port>`, the same after every restart.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port())
    }

    /// `rediss://127.0.0.1:<port>`, for a server that [listens for TLS](RedisBuilder::tls).
    #[must_use]
    pub fn tls_url(&self) -> Option<String> {
        let port = self.tls_port.as_ref()?.number();
        Some(format!("rediss://127.0.0.1:{port}"))
    }

    /// The port it listens on, the same after every restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Ends it as a power cut would, with SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Lets it shut down in order.
    ///
    /// # Errors
    /// When it takes too long; it has been killed then.
    pub async fn stop(&mut self) -> Result<(), ServerError> {
        self.process.stop(TIMEOUT).await
    }

    /// Starts it again with the same port and data; one that still runs is killed first.
    ///
    /// # Errors
    /// When it does not come up, with the end of its log.
    pub async fn start_again(&mut self) -> Result<(), ServerError> {
        self.process.kill();
        let port = self.port();
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
        for (name, value) in &self.settings {
            command.arg(format!("--{name}")).args(value.split(' '));
        }
        self.process.spawn(&mut command, INSTALL)?;
        self.process
            .ready(TIMEOUT, async || is_ready(port).await)
            .await
    }

    /// Stops it without ending it: connections stay open, and nothing answers.
    pub fn pause(&self) {
        self.process.signal_group(Signal::STOP);
    }

    /// Lets a paused server go on.
    pub fn resume(&self) {
        self.process.signal_group(Signal::CONT);
    }
}

impl RedisBuilder {
    /// A line of `redis.conf`, such as `("maxmemory-policy", "allkeys-lru")`. The last value of a setting counts.
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let name = name.into();
        self.settings.retain(|(known, _)| *known != name);
        self.settings.push((name, value.into()));
        self
    }

    /// How often the append-only file reaches the disk: `always` (the default), `everysec` or `no`.
    pub fn appendfsync(self, policy: &str) -> Self {
        self.setting("appendfsync", policy)
    }

    /// Nothing reaches the disk: a restart forgets everything.
    pub fn no_persistence(self) -> Self {
        self.setting("appendonly", "no")
    }

    /// It listens for TLS, too, with a certificate for 127.0.0.1 that [`AUTHORITY`](super::AUTHORITY) has signed.
    pub fn tls(self) -> Self {
        let mut builder = self
            .setting("tls-cert-file", CERTIFICATE_FILE)
            .setting("tls-key-file", KEY_FILE)
            .setting("tls-auth-clients", "no");
        builder.tls = true;
        builder
    }

    /// Starts the server.
    ///
    /// # Errors
    /// When it is not installed or does not come up, with the end of its log.
    pub async fn start(mut self) -> Result<RedisServer, ServerError> {
        let tls_port = self.tls.then(Port::claim).transpose()?;
        if let Some(port) = &tls_port {
            self = self.setting("tls-port", port.number().to_string());
        }
        let is_node =
            |(name, value): &(String, String)| name == "cluster-enabled" && value == "yes";
        let port = if self.settings.iter().any(is_node) {
            Port::claim_with(CLUSTER_BUS)?
        } else {
            Port::claim()?
        };
        let mut server = RedisServer {
            process: ServerProcess::new("redis")?,
            port,
            tls_port,
            settings: self.settings,
        };
        server.start_again().await?;
        Ok(server)
    }
}

/// Whether it answers, and a replica has its master's data.
async fn is_ready(port: u16) -> io::Result<()> {
    let answers = command::ask(port, &["PING", "INFO replication"]).await?;
    // With a password set the server refuses to talk, and is ready all the same.
    if answers.starts_with("-NOAUTH") {
        return Ok(());
    }
    if !answers.starts_with("+PONG") {
        return Err(io::Error::other(format!("it answered {answers:?}")));
    }
    match command::field(&answers, "master_link_status") {
        None | Some("up") => Ok(()),
        Some(status) => Err(io::Error::other(format!(
            "the connection to its master is {status}"
        ))),
    }
}
