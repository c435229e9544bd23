use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A server on loopback that is stopped takes connections, and answers nothing.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Sends lines as `redis-cli` takes them, and returns all the answers as they are on the wire.
pub(super) async fn ask(port: u16, lines: &[&str]) -> io::Result<String> {
    let asked = async {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        let lines = format!("{}\r\n", lines.join("\r\n"));
        stream.write_all(lines.as_bytes()).await?;
        // It then answers what it has read, and closes. Sentinel does not know QUIT.
        stream.shutdown().await?;
        let mut answers = Vec::new();
        stream.read_to_end(&mut answers).await?;
        Ok(String::from_utf8_lossy(&answers).into_owned())
    };
    timeout(TIMEOUT, asked)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// The value of a line `name:value` of `INFO`.
pub(super) fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    let value = |line: &'a str| line.strip_prefix(name)?.strip_prefix(':');
    info.lines().find_map(value)
}
