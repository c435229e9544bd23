use std::fmt::Write as _;
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;

use super::ServerError;
use super::port::Port;
use super::process::ServerProcess;

const INSTALL: &str = "python3 -m venv target/servers/ministack && \
     target/servers/ministack/bin/pip install ministack==1.5.33 (in the workspace's folder)";
const PROGRAM: &str = "ministack";
/// Where the line above puts the program, seen from the folder of the workspace.
const PLACE: &str = "target/servers/ministack/bin/ministack";
const TIMEOUT: Duration = Duration::from_secs(60);
/// Python reads a module of this name at its start.
const CUSTOMIZED: &str = include_str!("sitecustomize.py");

/// A server of the test's own that speaks SQS: `MiniStack`.
///
/// It is looked for on the `PATH`, then as `target/servers/ministack/bin/ministack` in the current folder and those
/// above it. It gets slow with more than some 5,000 messages in a queue.
#[derive(Debug)]
pub struct SqsServer {
    process: ServerProcess,
    port: Port,
}

impl SqsServer {
    /// Starts a server without queues; it takes a second.
    ///
    /// # Errors
    /// When it is not installed or does not come up, with the end of its log.
    pub async fn start() -> Result<Self, ServerError> {
        let mut server = Self {
            process: ServerProcess::new("sqs")?,
            port: Port::claim()?,
        };
        server.start_again().await?;
        Ok(server)
    }

    /// The one server that the tests of this process share. Use [`unique`](crate::unique) names on it.
    ///
    /// # Errors
    /// When it is not installed or does not come up, with the end of its log.
    pub async fn shared() -> Result<&'static Self, ServerError> {
        static SHARED: OnceCell<SqsServer> = OnceCell::const_new();
        SHARED.get_or_try_init(Self::start).await
    }

    /// `http://127.0.0.1:<port>`, the same after every restart.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port())
    }

    /// `sqs://test:test@<queue>?region=us-east-1&endpoint=http://127.0.0.1:<port>`.
    #[must_use]
    pub fn url(&self, queue: &str) -> String {
        let endpoint = self.endpoint();
        format!("sqs://test:test@{queue}?region=us-east-1&endpoint={endpoint}")
    }

    /// The port it listens on, the same after every restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Makes a queue, with attributes such as `("VisibilityTimeout", "2")`; a FIFO queue's name ends with `.fifo`.
    ///
    /// # Errors
    /// When the server refuses, with its words.
    pub async fn create_queue(
        &self,
        queue: &str,
        attributes: &[(&str, &str)],
    ) -> Result<(), ServerError> {
        let fifo = queue.ends_with(".fifo").then_some(("FifoQueue", "true"));
        let mut body = format!("{{\"QueueName\":{},\"Attributes\":{{", json(queue));
        for (place, (name, value)) in attributes.iter().chain(&fifo).enumerate() {
            let comma = if place == 0 { "" } else { "," };
            let _ = write!(body, "{comma}{}:{}", json(name), json(value));
        }
        body.push_str("}}");
        self.call("CreateQueue", &body).await.map(drop)
    }

    /// Calls an action of SQS with a body of JSON, unsigned, and gives back the JSON that it answers.
    ///
    /// # Errors
    /// When the server refuses, with its words.
    pub async fn call(&self, action: &str, body: &str) -> Result<String, ServerError> {
        let failed = |output| ServerError::Command {
            command: format!("{action} {body}"),
            output,
        };
        let (status, answer) = exchange(self.port(), action, body)
            .await
            .map_err(|error| failed(error.to_string()))?;
        if status == "200" {
            Ok(answer)
        } else {
            Err(failed(answer))
        }
    }

    /// Ends it as a power cut would, with SIGKILL: its queues are gone.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Lets it shut down in order: its queues are kept for [`SqsServer::start_again`].
    ///
    /// # Errors
    /// When it takes too long; it has been killed then.
    pub async fn stop(&mut self) -> Result<(), ServerError> {
        self.process.stop(TIMEOUT).await
    }

    /// Starts it again with the same port; one that still runs is killed first.
    ///
    /// # Errors
    /// When it does not come up, with the end of its log.
    pub async fn start_again(&mut self) -> Result<(), ServerError> {
        self.process.kill();
        let folder = self.process.folder().to_owned();
        let modules = folder.join("modules");
        fs::create_dir_all(&modules)
            .and_then(|()| fs::write(modules.join("sitecustomize.py"), CUSTOMIZED))
            .map_err(ServerError::system("cannot write into the server's folder"))?;
        let mut command = Command::new(program());
        command
            .env("PYTHONPATH", modules)
            .env("HOME", &folder)
            .env("TMPDIR", &folder)
            .env("SERVICES", "sqs")
            .env("GATEWAY_PORT", self.port().to_string())
            .env("BIND_HOST", "127.0.0.1")
            .env("MINISTACK_HOST", "127.0.0.1")
            .env("PERSIST_STATE", "1")
            .env("STATE_DIR", folder.join("state"))
            .env("LOG_LEVEL", "WARNING");
        self.process.spawn(&mut command, INSTALL)?;
        let port = self.port();
        self.process
            .ready(TIMEOUT, async || {
                let (status, answer) = exchange(port, "ListQueues", "{}").await?;
                if status == "200" {
                    Ok(())
                } else {
                    Err(io::Error::other(answer))
                }
            })
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

/// The program in the folder of the workspace, where it is there and the `PATH` has none.
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).any(|folder| folder.join(PROGRAM).is_file()) {
        return PROGRAM.into();
    }
    let here = std::env::current_dir().unwrap_or_default();
    let mut places = here.ancestors().map(|folder: &Path| folder.join(PLACE));
    places
        .find(|place| place.is_file())
        .unwrap_or_else(|| PROGRAM.into())
}

/// One request over one connection: the status and the body of the answer.
async fn exchange(port: u16, action: &str, body: &str) -> io::Result<(String, String)> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let length = body.len();
    let request = format!(
        "POST / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\nContent-Length: {length}\r\n\
         Content-Type: application/x-amz-json-1.0\r\nX-Amz-Target: AmazonSQS.{action}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).unwrap_or_default();
    Ok((status.to_owned(), body.to_owned()))
}

fn json(text: &str) -> String {
    let mut json = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => json.extend(['\\', character]),
            control if control < ' ' => {
                let _ = write!(json, "\\u{:04x}", u32::from(control));
            }
            other => json.push(other),
        }
    }
    json.push('"');
    json
}
