use std::fs;
use std::io;
use std::process::Command;

use super::command::{ask, field};
use super::{INSTALL, RedisServer, TIMEOUT};
use crate::server::ServerError;
use crate::server::certificates::{AUTHORITY_FILE, CERTIFICATE_FILE, KEY_FILE};
use crate::server::port::Port;
use crate::server::process::ServerProcess;

/// By which the Sentinels know the master.
const NAME: &str = "mymaster";
const COUNT: usize = 3;

/// So that a fail-over takes a second and not ten. A machine that is busy makes a Sentinel think that the clock has
/// jumped, whereupon it does nothing for a while: half a minute, if nothing else is said.
const HASTE: &str = "SENTINEL DEBUG info-period 500 publish-period 300 ping-period 200 default-down-after 1000 \
    tilt-period 500";

/// Three Redis Sentinels that watch a master, and make one of its replicas the master when it is down for a second.
#[derive(Debug)]
pub struct RedisSentinels {
    sentinels: Vec<Sentinel>,
    /// What is said to them before anything else.
    login: String,
}

#[derive(Debug)]
struct Sentinel {
    process: ServerProcess,
    port: Port,
    /// Where it listens for TLS, if it does.
    tls_port: Option<Port>,
}

/// Settings of [`RedisSentinels`].
#[derive(Debug, Clone)]
#[must_use]
pub struct RedisSentinelsBuilder {
    master: u16,
    /// Where the master listens for TLS, if the Sentinels are to speak it.
    tls_port: Option<u16>,
    lines: Vec<String>,
    login: String,
}

impl RedisSentinels {
    /// Starts three that know each other, the master, and every replica that it has by now.
    ///
    /// # Errors
    /// When they do not come up, with the end of a log.
    pub async fn start(master: &RedisServer) -> Result<Self, ServerError> {
        Self::builder(master).start().await
    }

    /// Sentinels with other settings.
    pub fn builder(master: &RedisServer) -> RedisSentinelsBuilder {
        RedisSentinelsBuilder {
            master: master.port(),
            tls_port: None,
            lines: Vec::new(),
            login: "PING".into(),
        }
    }

    /// `redis+sentinel://127.0.0.1:<port>,127.0.0.1:<port>,127.0.0.1:<port>/mymaster`, without passwords.
    #[must_use]
    pub fn url(&self) -> String {
        url(
            "redis",
            self.sentinels.iter().map(|sentinel| &sentinel.port),
        )
    }

    /// The same with `rediss+sentinel://`, for Sentinels that [speak TLS](RedisSentinelsBuilder::tls).
    #[must_use]
    pub fn tls_url(&self) -> Option<String> {
        let ports = self.sentinels.iter().map(|one| one.tls_port.as_ref());
        let ports: Vec<&Port> = ports.collect::<Option<_>>()?;
        Some(url("rediss", ports.into_iter()))
    }

    /// The port of the master, if all of them name the same one and think that it is up.
    pub async fn master(&self) -> Option<u16> {
        let mut master = None;
        for sentinel in &self.sentinels {
            let fields = about(sentinel.port.number(), &self.login).await.ok()?;
            let named = value(&fields, "port")?.parse().ok()?;
            if value(&fields, "flags")? != "master" || master.is_some_and(|known| known != named) {
                return None;
            }
            master = Some(named);
        }
        master
    }

    /// Ends one of them with SIGKILL, the first in the URL being 0.
    pub fn kill(&mut self, place: usize) {
        self.sentinels[place].process.kill();
    }
}

impl RedisSentinelsBuilder {
    /// A line of `sentinel.conf`.
    pub fn line(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    /// They ask for this password.
    pub fn password(mut self, password: &str) -> Self {
        self.login = format!("AUTH {password}");
        self.line(format!("requirepass {password}"))
            .line(format!("sentinel sentinel-pass {password}"))
    }

    /// The master and its replicas ask for this password.
    pub fn master_password(self, password: &str) -> Self {
        self.line(format!("sentinel auth-pass {NAME} {password}"))
    }

    /// They speak TLS with each other and with the master, which has to [listen for it](super::RedisBuilder::tls), and
    /// name the port at which it does.
    pub fn tls(mut self, master: &RedisServer) -> Self {
        self.tls_port = master.tls_port.as_ref().map(Port::number);
        self.line(format!("tls-cert-file {CERTIFICATE_FILE}"))
            .line(format!("tls-key-file {KEY_FILE}"))
            .line(format!("tls-ca-cert-file {AUTHORITY_FILE}"))
            .line("tls-auth-clients no")
            .line("tls-replication yes")
    }

    /// Starts three that know each other, the master, and every replica that it has by now.
    ///
    /// # Errors
    /// When they do not come up, with the end of a log.
    pub async fn start(self) -> Result<RedisSentinels, ServerError> {
        let mut trio = RedisSentinels {
            sentinels: Vec::new(),
            login: self.login.clone(),
        };
        for _ in 0..COUNT {
            trio.sentinels.push(self.one()?);
        }
        let info = ask(self.master, &["INFO replication"]).await;
        // With a password set the master says nothing, and is expected to be alone.
        let info = info.unwrap_or_default();
        let replicas = field(&info, "connected_slaves").unwrap_or("0").to_owned();
        for sentinel in &mut trio.sentinels {
            let port = sentinel.port.number();
            let hurries = async || hurries(port, &self.login).await;
            sentinel.process.ready(TIMEOUT, hurries).await?;
        }
        for sentinel in &mut trio.sentinels {
            let port = sentinel.port.number();
            let is_ready = async || knows_all(port, &self.login, &replicas).await;
            sentinel.process.ready(TIMEOUT, is_ready).await?;
        }
        Ok(trio)
    }

    fn one(&self) -> Result<Sentinel, ServerError> {
        let (mut process, port) = (ServerProcess::new("sentinel")?, Port::claim()?);
        let tls_port = self.tls_port.map(|_| Port::claim()).transpose()?;
        let (number, watched) = (port.number(), self.tls_port.unwrap_or(self.master));
        let mut lines = vec![
            "bind 127.0.0.1".to_owned(),
            format!("port {number}"),
            format!("sentinel monitor {NAME} 127.0.0.1 {watched} 2"),
            format!("sentinel down-after-milliseconds {NAME} 1000"),
            format!("sentinel failover-timeout {NAME} 3000"),
        ];
        lines.extend(
            tls_port
                .as_ref()
                .map(|port| format!("tls-port {}", port.number())),
        );
        lines.extend_from_slice(&self.lines);
        // It writes what it learns into its file.
        let file = process.folder().join("sentinel.conf");
        fs::write(&file, lines.join("\n")).map_err(ServerError::system("no configuration"))?;
        let mut command = Command::new("redis-server");
        command.arg(&file).arg("--sentinel");
        process.spawn(&mut command, INSTALL)?;
        Ok(Sentinel {
            process,
            port,
            tls_port,
        })
    }
}

fn url<'a>(scheme: &str, ports: impl Iterator<Item = &'a Port>) -> String {
    let places: Vec<String> = ports
        .map(|port| format!("127.0.0.1:{}", port.number()))
        .collect();
    format!("{scheme}+sentinel://{}/{NAME}", places.join(","))
}

async fn about(port: u16, login: &str) -> io::Result<String> {
    ask(port, &[login, &format!("SENTINEL MASTER {NAME}")]).await
}

/// Sets the periods of one of them.
async fn hurries(port: u16, login: &str) -> io::Result<()> {
    let answers = ask(port, &[login, HASTE]).await?;
    if answers.ends_with("+OK\r\n") {
        return Ok(());
    }
    Err(io::Error::other(answers))
}

/// Whether one of them knows the others and so many replicas.
async fn knows_all(port: u16, login: &str, replicas: &str) -> io::Result<()> {
    let fields = about(port, login).await?;
    let others = (COUNT - 1).to_string();
    if value(&fields, "num-slaves") == Some(replicas)
        && value(&fields, "num-other-sentinels") == Some(&others)
    {
        return Ok(());
    }
    Err(io::Error::other(format!("it knows only {fields:?}")))
}

/// The value after a name in an answer that is a list of names and values.
fn value<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = answer.lines().filter(|line| !line.starts_with(['$', '*']));
    lines.find(|line| *line == name)?;
    lines.next()
}
