mod libraries;
mod quorum;

use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use self::libraries::HASHING_EXCHANGE;
use super::ServerError;
use super::certificates::{CERTIFICATE_FILE, KEY_FILE};
use super::port::Port;
use super::process::ServerProcess;

const INSTALL: &str = "apt-get install rabbitmq-server";
/// On a machine that builds with twenty processes beside it a start takes more than a minute.
const TIMEOUT: Duration = Duration::from_secs(240);

/// Debian's program on the `PATH` changes the user; the one behind it runs as whoever starts it. Elsewhere the
/// `PATH` leads to the latter.
const SCRIPTS: &str = "/usr/lib/rabbitmq/bin";

/// The folder of the libraries and plugins that are linked for one server.
const LIBRARIES: &str = "libraries";

/// Tests share their few processors with the server, which does not keep one busy while it waits.
const ERLANG_ARGUMENTS: &str = "-noinput +B i +sbwt none +sbwtdcpu none +sbwtdio none +stbt u \
     -start_epmd false -kernel inet_dist_use_interface {127,0,0,1}";

/// A RabbitMQ server of the test's own, with a port mapper (epmd) of its own, so that any number of them run at once.
#[derive(Debug)]
pub struct RabbitServer {
    process: ServerProcess,
    amqp: Port,
    distribution: Port,
    epmd: Port,
    /// Where it listens for TLS, if it does.
    amqps: Option<Port>,
    schedulers: u8,
}

/// Settings of a [`RabbitServer`].
#[derive(Debug, Clone)]
#[must_use]
pub struct RabbitBuilder {
    settings: Vec<(String, String)>,
    plugins: Vec<String>,
    tls: bool,
    schedulers: u8,
}

impl RabbitServer {
    /// Starts a server with the exchange that hashes and no other plugin; it takes about two seconds.
    ///
    /// # Errors
    /// When it is not installed or does not come up, with the end of its log.
    pub async fn start() -> Result<Self, ServerError> {
        Self::builder().start().await
    }

    /// A server with other settings.
    pub fn builder() -> RabbitBuilder {
        let builder = RabbitBuilder {
            settings: Vec::new(),
            plugins: vec![HASHING_EXCHANGE.to_owned()],
            tls: false,
            schedulers: 1,
        };
        builder
            .setting("disk_free_limit.absolute", "1MB")
            .setting("raft.wal_max_size_bytes", "16777216")
            .setting("log.console.level", "info")
    }

    /// The one server that the tests of this process share. Use [`unique`](fn@crate::unique) names on it.
    ///
    /// # Errors
    /// When it is not installed or does not come up, with the end of its log.
    pub async fn shared() -> Result<&'static Self, ServerError> {
        static SHARED: OnceCell<RabbitServer> = OnceCell::const_new();
        SHARED.get_or_try_init(Self::start).await
    }

    /// The one server that tests of this process kill, stop and hang. One test has it at a time, and it runs when a
    /// test gets it. Whatever else a test changes there, such as a limit, the test sets back.
    ///
    /// # Errors
    /// When it is not installed or does not come up, with the end of its log.
    pub async fn exclusive() -> Result<MutexGuard<'static, Self>, ServerError> {
        static EXCLUSIVE: OnceCell<Mutex<RabbitServer>> = OnceCell::const_new();
        let start = async || Self::start().await.map(Mutex::new);
        let mut server = EXCLUSIVE.get_or_try_init(start).await?.lock().await;
        server.resume();
        if !server.process.is_running() {
            server.start_again().await?;
        }
        Ok(server)
    }

    /// `amqp://guest:guest@127.0.0.1:<port>/%2f`, the same after every restart.
    #[must_use]
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.port())
    }

    /// `amqps://guest:guest@127.0.0.1:<port>/%2f`, for a server that [listens for TLS](RabbitBuilder::tls).
    #[must_use]
    pub fn tls_url(&self) -> Option<String> {
        let port = self.amqps.as_ref()?.number();
        Some(format!("amqps://guest:guest@127.0.0.1:{port}/%2f"))
    }

    /// The port it listens on for AMQP, the same after every restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.amqp.number()
    }

    /// Waits until [`kill`](Self::kill) would not break a quorum queue that has been declared by now.
    ///
    /// A declaration is answered before the name of the queue is on disk: RabbitMQ writes the names about a second
    /// after the last change (<https://github.com/rabbitmq/ra/blob/v2.2.0/src/ra_directory.erl>), and the messages at
    /// once. One that is killed in between starts the queue with an empty log and without a leader, and what it had
    /// confirmed is lost.
    ///
    /// # Errors
    /// When the names are not written in time, with the end of the server's log.
    pub async fn queues_are_on_disk(&mut self) -> Result<(), ServerError> {
        let data = self.process.folder().join("data");
        let node = self.node();
        self.process
            .ready(TIMEOUT, async || quorum::names_are_written(&data, &node))
            .await
    }

    /// Ends it as a power cut would, with SIGKILL. [`queues_are_on_disk`](Self::queues_are_on_disk) says what that may
    /// do to a queue that is younger than a second.
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
        let mut epmd = Command::new("epmd");
        epmd.args(["-address", "127.0.0.1", "-port"])
            .arg(self.epmd.number().to_string());
        self.process.spawn(&mut epmd, INSTALL)?;
        let port = self.epmd.number();
        self.process
            .ready(TIMEOUT, async || connect(port).await.map(drop))
            .await?;
        let mut server = self.command("rabbitmq-server");
        self.process.spawn(&mut server, INSTALL)?;
        let port = self.port();
        self.process
            .ready(TIMEOUT, async || greet(port).await)
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

    /// Runs `rabbitmqctl` with these arguments and gives back what it printed; it takes a second or two.
    ///
    /// # Errors
    /// When the command fails, with what it printed.
    pub async fn ctl(&self, arguments: &[&str]) -> Result<String, ServerError> {
        let mut command = self.command("rabbitmqctl");
        command.arg("--quiet").args(arguments);
        let words = format!("rabbitmqctl {}", arguments.join(" "));
        let output = tokio::task::spawn_blocking(move || command.output())
            .await
            .map_err(io::Error::other)
            .flatten()
            .map_err(ServerError::system("cannot run `rabbitmqctl`"))?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            Ok(printed)
        } else {
            Err(ServerError::Command {
                command: words,
                output: printed + &String::from_utf8_lossy(&output.stderr),
            })
        }
    }

    fn command(&self, program: &str) -> Command {
        let folder = self.process.folder();
        let script = Path::new(SCRIPTS).join(program);
        let mut command = if script.exists() {
            Command::new(script)
        } else {
            Command::new(program)
        };
        command
            .env("HOME", folder)
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("ERL_EPMD_PORT", self.epmd.number().to_string())
            .env("RABBITMQ_NODENAME", self.node())
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", self.port().to_string())
            .env("RABBITMQ_DIST_PORT", self.distribution.number().to_string())
            .env("RABBITMQ_CONF_ENV_FILE", folder.join("none"))
            .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq.conf"))
            .env(
                "RABBITMQ_ADVANCED_CONFIG_FILE",
                folder.join("advanced.config"),
            )
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("plugins"))
            .env("RABBITMQ_MNESIA_BASE", folder.join("data"))
            .env("RABBITMQ_LOG_BASE", folder.join("log"))
            .env("RABBITMQ_LOGS", "-")
            .env("RABBITMQ_PID_FILE", folder.join("pid"))
            // Makes the script become the server, instead of a shell that waits for it: what is killed is the server.
            .env("RABBITMQ_ALLOW_INPUT", "true")
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                format!("{ERLANG_ARGUMENTS} +S {0}:{0}", self.schedulers),
            );
        if folder.join(LIBRARIES).exists() {
            command.env("RABBITMQ_PLUGINS_DIR", folder.join(LIBRARIES));
        }
        command
    }

    fn node(&self) -> String {
        format!("rabbit{}@localhost", self.port())
    }
}

impl RabbitBuilder {
    /// A line of `rabbitmq.conf`, such as `("consumer_timeout", "1000")`. The last value of a setting counts.
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let name = name.into();
        self.settings.retain(|(known, _)| *known != name);
        self.settings.push((name, value.into()));
        self
    }

    /// The plugins that are enabled, such as `rabbitmq_sharding`, in place of `rabbitmq_consistent_hash_exchange`,
    /// which is enabled otherwise.
    pub fn plugins<P: Into<String>>(mut self, plugins: impl IntoIterator<Item = P>) -> Self {
        self.plugins = plugins.into_iter().map(Into::into).collect();
        self
    }

    /// On how many processors it runs Erlang's processes. Default one: for tests that is enough, and hands less from
    /// one processor to another.
    pub fn schedulers(mut self, schedulers: u8) -> Self {
        self.schedulers = schedulers;
        self
    }

    /// It listens for TLS, too, with a certificate for 127.0.0.1 that [`AUTHORITY`](super::AUTHORITY) has signed.
    pub fn tls(self) -> Self {
        let mut builder = self
            .setting("ssl_options.certfile", CERTIFICATE_FILE)
            .setting("ssl_options.keyfile", KEY_FILE)
            .setting("ssl_options.verify", "verify_none")
            .setting("ssl_options.fail_if_no_peer_cert", "false");
        builder.tls = true;
        builder
    }

    /// Starts the server.
    ///
    /// # Errors
    /// When it is not installed or does not come up, with the end of its log.
    pub async fn start(mut self) -> Result<RabbitServer, ServerError> {
        let amqps = self.tls.then(Port::claim).transpose()?;
        if let Some(port) = &amqps {
            let listener = format!("127.0.0.1:{}", port.number());
            self = self.setting("listeners.ssl.1", listener);
        }
        let process = ServerProcess::new("rabbit")?;
        let lines: String = self
            .settings
            .iter()
            .map(|(name, value)| format!("{name} = {value}\n"))
            .collect();
        let write = |name: &str, content: &str| {
            fs::write(process.folder().join(name), content)
                .map_err(ServerError::system("cannot write the server's settings"))
        };
        write("rabbitmq.conf", &lines)?;
        write("plugins", &format!("[{}].\n", self.plugins.join(",")))?;
        libraries::link(&process.folder().join(LIBRARIES), &self.plugins)
            .map_err(ServerError::system("cannot link the server's libraries"))?;
        let mut server = RabbitServer {
            process,
            amqp: Port::claim()?,
            distribution: Port::claim()?,
            epmd: Port::claim()?,
            amqps,
            schedulers: self.schedulers,
        };
        server.start_again().await?;
        Ok(server)
    }
}

async fn connect(port: u16) -> io::Result<TcpStream> {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await
}

/// Says hello in AMQP 0-9-1 and waits for the `connection.start` of the server.
async fn greet(port: u16) -> io::Result<()> {
    const START: [u8; 4] = [0, 10, 0, 10];
    let mut stream = connect(port).await?;
    stream.write_all(b"AMQP\x00\x00\x09\x01").await?;
    let mut frame = [0; 11];
    stream.read_exact(&mut frame).await?;
    if frame[7..] == START {
        Ok(())
    } else {
        Err(io::Error::other(format!("it answered {frame:?}")))
    }
}
