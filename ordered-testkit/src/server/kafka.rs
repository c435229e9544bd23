mod java;
mod properties;
mod wire;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use tokio::sync::{Mutex, MutexGuard, OnceCell};
use tokio::time::{sleep, timeout};

use super::ServerError;
use super::certificates::{SERVER, SERVER_KEY};
use super::port::Port;
use super::process::ServerProcess;

/// On a machine that builds with twenty processes beside it a start takes a minute.
const TIMEOUT: Duration = Duration::from_secs(180);
/// How soon to look again whether the broker has heard of a topic.
const KNOWN: Duration = Duration::from_millis(10);
const LOGGING: &str = r#"<Configuration status="WARN"><Appenders><Console name="C"><PatternLayout pattern="%d{HH:mm:ss.SSS} %p %c{1} %m%n"/></Console></Appenders>
<Loggers><Root level="WARN"><AppenderRef ref="C"/></Root></Loggers></Configuration>
"#;

/// A Kafka broker of the test's own: one node, which is its own controller.
///
/// Its archives are looked for in the folder that `ORDERED_KAFKA_LIB` names, then in `target/servers/kafka/lib` of the
/// current folder and those above it.
#[derive(Debug)]
pub struct KafkaServer {
    process: ServerProcess,
    port: Port,
    controller: Port,
    settings: Vec<(String, String)>,
    users: Vec<(String, String)>,
    optimized: bool,
    /// Where it listens for TLS, if it does.
    tls: Option<Port>,
}

/// What a user of a [`KafkaServer`] may do, by its number in Kafka's protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KafkaOperation {
    /// Read records, or be the member of a group.
    Read = 3,
    /// Write records.
    Write = 4,
    /// See that it is there.
    Describe = 8,
}

/// On what a user of a [`KafkaServer`] may do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KafkaResource<'a> {
    /// The topic of this name.
    Topic(&'a str),
    /// The group of this name.
    Group(&'a str),
}

/// Settings of a [`KafkaServer`].
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct KafkaBuilder {
    settings: Vec<(String, String)>,
    users: Vec<(String, String)>,
    optimized: bool,
    tls: bool,
}

impl KafkaServer {
    /// Starts a broker without topics; it takes some five seconds.
    ///
    /// # Errors
    /// When it is not installed or does not come up, with the end of its log.
    pub async fn start() -> Result<Self, ServerError> {
        Self::builder().start().await
    }

    /// A broker with other settings.
    pub fn builder() -> KafkaBuilder {
        KafkaBuilder::default()
    }

    /// The one broker that the tests of this process share. Use [`unique`](fn@crate::unique) names on it.
    ///
    /// # Errors
    /// When it is not installed or does not come up, with the end of its log.
    pub async fn shared() -> Result<&'static Self, ServerError> {
        static SHARED: OnceCell<KafkaServer> = OnceCell::const_new();
        SHARED.get_or_try_init(Self::start).await
    }

    /// The one broker that tests of this process kill, stop and hang. One test has it at a time, and it runs when a
    /// test gets it. Whatever else a test changes there, such as a limit, the test sets back.
    ///
    /// # Errors
    /// When it is not installed or does not come up, with the end of its log.
    pub async fn exclusive() -> Result<MutexGuard<'static, Self>, ServerError> {
        static EXCLUSIVE: OnceCell<Mutex<KafkaServer>> = OnceCell::const_new();
        let start = async || Self::start().await.map(Mutex::new);
        let mut server = EXCLUSIVE.get_or_try_init(start).await?.lock().await;
        server.resume();
        if !server.process.is_running() {
            server.start_again().await?;
        }
        Ok(server)
    }

    /// `kafka://127.0.0.1:<port>`, the same after every restart.
    #[must_use]
    pub fn url(&self) -> String {
        format!("kafka://{}", self.address())
    }

    /// `127.0.0.1:<port>`, the same after every restart.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port())
    }

    /// `kafka://127.0.0.1:<port>?security=ssl`, for a broker that [listens for TLS](KafkaBuilder::tls).
    #[must_use]
    pub fn tls_url(&self) -> Option<String> {
        let port = self.tls.as_ref()?.number();
        Some(format!("kafka://127.0.0.1:{port}?security=ssl"))
    }

    /// The port it listens on, the same after every restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Makes a topic, with settings such as `("retention.ms", "1000")`. A broker that asks for a user refuses it.
    ///
    /// # Errors
    /// When the broker refuses, with its words.
    pub async fn create_topic(
        &self,
        topic: &str,
        partitions: i32,
        settings: &[(&str, &str)],
    ) -> Result<(), ServerError> {
        let port = self.port();
        let made = async {
            wire::create_topic(port, topic, partitions, settings).await?;
            while !wire::knows(port, topic).await? {
                sleep(KNOWN).await;
            }
            Ok::<_, io::Error>(())
        };
        let made = timeout(TIMEOUT, made).await.map_err(io::Error::from);
        made.flatten().map_err(|error| ServerError::Command {
            command: format!("CreateTopics {topic}"),
            output: error.to_string(),
        })
    }

    /// Lets a user do something, on a broker that [asks for one](KafkaBuilder::user). The broker may hear of it a
    /// moment later.
    ///
    /// # Errors
    /// When the broker has no users, or refuses.
    pub async fn allow(
        &self,
        user: &str,
        operation: KafkaOperation,
        on: KafkaResource<'_>,
    ) -> Result<(), ServerError> {
        let failed = |output: String| ServerError::Command {
            command: format!("CreateAcls {user} {operation:?} {on:?}"),
            output,
        };
        let Some((admin, password)) = self.users.first() else {
            return Err(failed("the broker has no users".into()));
        };
        let (resource, name) = match on {
            KafkaResource::Topic(name) => (2, name),
            KafkaResource::Group(name) => (3, name),
        };
        let right = wire::Right {
            user,
            resource,
            name,
            operation: operation as u8,
        };
        let allowed = wire::allow(self.port(), (admin, password), &right).await;
        allowed.map_err(|error| failed(error.to_string()))
    }

    /// Changes a setting, from the next start on.
    ///
    /// # Errors
    /// When the file of settings cannot be written.
    pub fn set(
        &mut self,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<(), ServerError> {
        self.settings.push((name.into(), value.into()));
        self.write("server.properties", &self.properties())
    }

    fn write(&self, name: &str, text: &str) -> Result<(), ServerError> {
        fs::write(self.process.folder().join(name), text)
            .map_err(ServerError::system("cannot write into the server's folder"))
    }

    /// The number of its process, while it runs.
    #[must_use]
    pub fn process_id(&self) -> Option<i32> {
        let leader = self.process.leader();
        leader.map(|process| process.as_raw_nonzero().get())
    }

    /// Ends it as a power cut would, with SIGKILL. What it had confirmed is with the system, and there after a restart.
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
        let mut java = java::command(self.process.folder(), self.optimized)?;
        java.args(["kafka.Kafka", "server.properties"]);
        self.process.spawn(&mut java, java::INSTALL)?;
        let port = self.port();
        self.process
            .ready(TIMEOUT, async || wire::greet(port).await)
            .await
    }

    /// Stops it without ending it: connections stay open, and nothing answers.
    pub fn pause(&self) {
        self.process.signal_group(Signal::STOP);
    }

    /// Lets a paused broker go on.
    pub fn resume(&self) {
        self.process.signal_group(Signal::CONT);
    }

    /// Writes the settings, and the files of a formatted folder.
    async fn prepare(&self) -> Result<(), ServerError> {
        /// What is in a formatted folder is the same for all brokers: one comes with the archives, or the tool runs
        /// once in a process.
        static FORMATTED: OnceCell<Vec<(PathBuf, Vec<u8>)>> = OnceCell::const_new();
        self.write("log4j2.xml", LOGGING)?;
        self.write("server.properties", &self.properties())?;
        if self.tls.is_some() {
            self.write("broker.pem", &format!("{SERVER_KEY}{SERVER}"))?;
        }
        let data = self.process.folder().join("data");
        let files = FORMATTED.get_or_try_init(async || {
            let installed = java::library().map(|library| library.join("../formatted"));
            let formatted = match installed.filter(|folder| folder.is_dir()) {
                Some(folder) => folder,
                None => {
                    self.format().await?;
                    data.clone()
                }
            };
            files(&formatted).map_err(ServerError::system("cannot read the formatted folder"))
        });
        for (name, content) in files.await? {
            let place = data.join(name);
            fs::create_dir_all(place.parent().unwrap_or(&data))
                .and_then(|()| fs::write(&place, content))
                .map_err(ServerError::system("cannot write the formatted folder"))?;
        }
        Ok(())
    }

    async fn format(&self) -> Result<(), ServerError> {
        let folder = self.process.folder();
        let mut java = java::command(folder, false)?;
        // The id of a cluster is 16 bytes in base64.
        let id = "b3JkZXJlZC10ZXN0a2l0LQ";
        java.args([
            "kafka.tools.StorageTool",
            "format",
            "-t",
            id,
            "-c",
            "server.properties",
        ]);
        java.current_dir(folder);
        let output = tokio::task::spawn_blocking(move || java.output())
            .await
            .map_err(io::Error::other)
            .flatten()
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => java::not_installed("java"),
                _ => ServerError::system("cannot run `java`")(error),
            })?;
        if output.status.success() {
            return Ok(());
        }
        let output = [output.stdout, output.stderr].concat();
        Err(ServerError::Command {
            command: "kafka-storage format".into(),
            output: String::from_utf8_lossy(&output).into_owned(),
        })
    }
}

impl KafkaBuilder {
    /// A line of `server.properties`, such as `("log.retention.ms", "1000")`. The last value of a setting counts.
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// It asks for a user and a password, over SASL without TLS. The first user may do everything, the others what they
    /// are [allowed](KafkaServer::allow).
    pub fn user(mut self, name: impl Into<String>, password: impl Into<String>) -> Self {
        self.users.push((name.into(), password.into()));
        self
    }

    /// It listens for TLS, too, with a certificate for 127.0.0.1 that [`AUTHORITY`](super::AUTHORITY) has signed.
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// It is compiled as far as Java can, and has memory: slower to start, and as fast as brokers are.
    pub fn optimized(mut self) -> Self {
        self.optimized = true;
        self
    }

    /// Starts the broker.
    ///
    /// # Errors
    /// When it is not installed or does not come up, with the end of its log.
    pub async fn start(self) -> Result<KafkaServer, ServerError> {
        let mut server = KafkaServer {
            process: ServerProcess::new("kafka")?,
            port: Port::claim()?,
            controller: Port::claim()?,
            settings: self.settings,
            users: self.users,
            optimized: self.optimized,
            tls: self.tls.then(Port::claim).transpose()?,
        };
        server.prepare().await?;
        server.start_again().await?;
        Ok(server)
    }
}

/// The files below a folder, with their places in it.
fn files(folder: &Path) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(folder.join(&inner))? {
            let entry = entry?;
            let place = inner.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(place);
            } else {
                found.push((place, fs::read(entry.path())?));
            }
        }
    }
    Ok(found)
}
