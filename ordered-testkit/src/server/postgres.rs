mod processes;

use std::fs::{self, Permissions};
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;

use super::ServerError;
use super::certificates::{CERTIFICATE_FILE, KEY_FILE};
use super::port::Port;
use super::process::ServerProcess;
use crate::unique;

const INSTALL: &str = "apt-get install postgresql";
const TIMEOUT: Duration = Duration::from_secs(60);
/// Where Debian has its programs, one folder for each version.
const PLACES: &str = "/usr/lib/postgresql";
/// The superuser of the cluster; it needs no password.
const USER: &str = "ordered";
/// Whom the server runs as where the tests run as root, which it refuses.
const UNPRIVILEGED: &str = "postgres";

/// A Postgres cluster of the test's own. A database for each test comes from [`database`](Self::database).
#[derive(Debug)]
pub struct PostgresServer {
    process: ServerProcess,
    port: Port,
    programs: PathBuf,
    owner: Option<(u32, u32)>,
}

/// Settings of a [`PostgresServer`].
#[derive(Debug, Clone)]
#[must_use]
pub struct PostgresBuilder {
    settings: Vec<(String, String)>,
    tls: bool,
}

impl PostgresServer {
    /// Makes a cluster and starts its server; it takes about a second. What is committed survives [`kill`](Self::kill).
    ///
    /// # Errors
    /// When it is not installed or does not come up, with the end of its log.
    pub async fn start() -> Result<Self, ServerError> {
        Self::builder().start().await
    }

    /// A server with other settings.
    pub fn builder() -> PostgresBuilder {
        let (settings, tls) = (Vec::new(), false);
        PostgresBuilder { settings, tls }
            .setting("shared_buffers", "32MB")
            .setting("max_connections", "100")
            .setting("wal_level", "logical")
            // In files of its folder, and not in memory that a server leaves behind when it is killed.
            .setting("dynamic_shared_memory_type", "mmap")
            // A kill of the server leaves to the system what was written; only a kill of the machine would not.
            .setting("fsync", "off")
            .setting("full_page_writes", "off")
    }

    /// The one server that the tests of this process share. Use a [`database`](Self::database) of your own on it.
    ///
    /// # Errors
    /// When it is not installed or does not come up, with the end of its log.
    pub async fn shared() -> Result<&'static Self, ServerError> {
        static SHARED: OnceCell<PostgresServer> = OnceCell::const_new();
        SHARED.get_or_try_init(Self::start).await
    }

    /// A new empty database: its URL, `postgres://ordered@127.0.0.1:<port>/<name>`, the same after every restart.
    ///
    /// # Errors
    /// When the server does not create it, with its words.
    pub async fn database(&self) -> Result<String, ServerError> {
        let name = unique("db").replace('-', "_");
        self.sql("postgres", &format!("create database {name}"))
            .await?;
        Ok(self.url(&name))
    }

    /// The URL of a database of this server. The database `postgres` is always there.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{database}", self.port())
    }

    /// The port it listens on, the same after every restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Runs SQL as superuser, with `psql`, and gives back what it printed, without headings.
    ///
    /// # Errors
    /// When the server refuses, with its words.
    pub async fn sql(&self, database: &str, sql: &str) -> Result<String, ServerError> {
        let mut command = Command::new(self.programs.join("psql"));
        command
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql])
            .arg(self.url(database));
        run(command, format!("psql -c {sql:?}")).await
    }

    /// Ends it as a power cut would, with SIGKILL.
    pub fn kill(&mut self) {
        processes::kill(&mut self.process);
    }

    /// Lets it shut down in order; it ends the connections that there are.
    ///
    /// # Errors
    /// When it takes too long; it has been killed then.
    pub async fn stop(&mut self) -> Result<(), ServerError> {
        // SIGTERM would wait for all clients to leave.
        self.process.signal_group(Signal::INT);
        self.process.stop(TIMEOUT).await
    }

    /// Starts it again with the same port and data; one that still runs is killed first.
    ///
    /// # Errors
    /// When it does not come up, with the end of its log.
    pub async fn start_again(&mut self) -> Result<(), ServerError> {
        self.kill();
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data());
        self.process.spawn(&mut command, INSTALL)?;
        let port = self.port();
        self.process
            .ready(TIMEOUT, async || is_ready(port).await)
            .await
    }

    /// A hot standby of this server: it follows what is committed here, and takes no writes.
    ///
    /// # Errors
    /// When it cannot be copied or does not come up, with what it said.
    pub async fn standby(&self) -> Result<Self, ServerError> {
        let mut standby = Self {
            process: ServerProcess::new("postgres")?,
            port: Port::claim()?,
            programs: self.programs.clone(),
            owner: self.owner,
        };
        standby.own(standby.process.folder())?;
        let mut command = standby.command("pg_basebackup");
        command
            .current_dir(standby.process.folder())
            .args(["-h", "127.0.0.1", "-U", USER, "-p"])
            .arg(self.port().to_string())
            .args(["--write-recovery-conf", "--wal-method=stream"])
            .args(["--checkpoint=fast", "--no-sync", "-D"])
            .arg(standby.data());
        run(command, "pg_basebackup".into()).await?;
        // The last value of a setting counts.
        let file = standby.data().join("postgresql.auto.conf");
        let mut settings = fs::read_to_string(&file)
            .map_err(ServerError::system("cannot read the standby's settings"))?;
        settings += &format!("port = {}\n", standby.port());
        fs::write(file, settings)
            .map_err(ServerError::system("cannot write the standby's settings"))?;
        standby.start_again().await?;
        Ok(standby)
    }

    /// [`kill`](Self::kill), then [`start_again`](Self::start_again).
    ///
    /// # Errors
    /// When it does not come up, with the end of its log.
    pub async fn restart(&mut self) -> Result<(), ServerError> {
        self.start_again().await
    }

    /// Stops it without ending it: connections stay open, and nothing answers.
    pub fn pause(&self) {
        processes::signal(&self.process, Signal::STOP);
    }

    /// Lets a paused server go on.
    pub fn resume(&self) {
        processes::signal(&self.process, Signal::CONT);
    }

    fn data(&self) -> PathBuf {
        self.process.folder().join("data")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
        // What the environment of the tests says about a server is about another one.
        command.env_clear().env("LC_ALL", "C");
        command
    }

    fn own(&self, path: &Path) -> Result<(), ServerError> {
        let Some((user, group)) = self.owner else {
            return Ok(());
        };
        chown(path, Some(user), Some(group))
            .map_err(ServerError::system("cannot give a file to `postgres`"))
    }

    /// Puts the certificate and its key where the server looks for them by itself. It wants a key that nobody else can
    /// read.
    fn take_certificate(&self) -> Result<(), ServerError> {
        for (from, name) in [(CERTIFICATE_FILE, "server.crt"), (KEY_FILE, "server.key")] {
            let file = self.data().join(name);
            let taken = fs::copy(from, &file)
                .and_then(|_| fs::set_permissions(&file, Permissions::from_mode(0o600)));
            taken.map_err(ServerError::system("cannot copy the certificate"))?;
            self.own(&file)?;
        }
        Ok(())
    }

    async fn init(&self, settings: &[(String, String)]) -> Result<(), ServerError> {
        let folder = self.process.folder();
        self.own(folder)?;
        let mut command = self.command("initdb");
        command
            .current_dir(folder)
            .args(["-U", USER, "-A", "trust", "-E", "UTF8"])
            .args(["--no-sync", "--no-locale", "--no-instructions", "-D"])
            .arg(self.data());
        run(command, "initdb".into()).await?;
        let mut lines = format!(
            "listen_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = ''\n",
            self.port()
        );
        for (name, value) in settings {
            lines += &format!("{name} = '{value}'\n");
        }
        let file = self.data().join("postgresql.auto.conf");
        fs::write(file, lines).map_err(ServerError::system("cannot write the server's settings"))
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.kill();
    }
}

impl PostgresBuilder {
    /// A line of `postgresql.conf`, such as `("max_connections", "5")`. The last value of a setting counts.
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let name = name.into();
        self.settings.retain(|(known, _)| *known != name);
        self.settings.push((name, value.into()));
        self
    }

    /// Listens for TLS, too, with a certificate for 127.0.0.1 and localhost that [`AUTHORITY`](super::AUTHORITY) has
    /// signed.
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self.setting("ssl", "on")
    }

    /// Makes the cluster and starts the server.
    ///
    /// # Errors
    /// When it is not installed or does not come up, with the end of its log.
    pub async fn start(self) -> Result<PostgresServer, ServerError> {
        let mut server = PostgresServer {
            process: ServerProcess::new("postgres")?,
            port: Port::claim()?,
            programs: programs()?,
            owner: owner()?,
        };
        server.init(&self.settings).await?;
        if self.tls {
            server.take_certificate()?;
        }
        server.start_again().await?;
        Ok(server)
    }
}

async fn run(mut command: Command, words: String) -> Result<String, ServerError> {
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .map_err(io::Error::other)
        .flatten()
        .map_err(ServerError::system("cannot run a program of Postgres"))?;
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

/// The folder of the programs: that of the latest version on Debian, or one of the `PATH`.
fn programs() -> Result<PathBuf, ServerError> {
    let versions = fs::read_dir(PLACES).into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, folder)| folder.join("postgres").is_file())
        .collect();
    found.sort();
    if let Some((_, folder)) = found.pop() {
        return Ok(folder);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .find(|folder: &PathBuf| folder.join("postgres").is_file())
        .ok_or(ServerError::NotInstalled {
            program: "postgres".into(),
            install: INSTALL,
        })
}

/// The ids of the unprivileged user and its group, where these tests run as root.
fn owner() -> Result<Option<(u32, u32)>, ServerError> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let users =
        fs::read_to_string("/etc/passwd").map_err(ServerError::system("no list of users"))?;
    let ids = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let is_it = fields.next() == Some(UNPRIVILEGED);
        let user = fields.nth(1)?.parse().ok()?;
        let group = fields.next()?.parse().ok()?;
        is_it.then_some((user, group))
    });
    ids.map(Some).ok_or(ServerError::NotInstalled {
        program: "the user `postgres`, whom the server runs as".into(),
        install: INSTALL,
    })
}

/// Whether it takes connections: asks for the database `postgres`, and reads the first message of the answer.
async fn is_ready(port: u16) -> io::Result<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let parameters = format!("user\0{USER}\0database\0postgres\0\0");
    // Version 3.0 of the protocol (<https://www.postgresql.org/docs/current/protocol-message-formats.html>).
    let length = u32::try_from(parameters.len() + 8).map_err(io::Error::other)?;
    let mut message = length.to_be_bytes().to_vec();
    message.extend(196_608_u32.to_be_bytes());
    message.extend(parameters.bytes());
    stream.write_all(&message).await?;
    match stream.read_u8().await? {
        b'R' => Ok(()),
        _ => Err(io::Error::other("it does not take connections yet")),
    }
}
