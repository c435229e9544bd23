//! Finds the master by asking its Sentinels; see
//! <https://redis.io/docs/latest/develop/reference/sentinel-clients/>.

use std::sync::atomic::{AtomicUsize, Ordering};

use redis::aio::MultiplexedConnection;
use redis::{
    ConnectionAddr, ConnectionInfo, ErrorKind, RedisError, RedisResult, cmd, make_extension_error,
};
use tokio::time::timeout;

use crate::address::Watched;
use crate::dial::Dial;

/// The Sentinels of one master.
pub(crate) struct Sentinels {
    nodes: Vec<ConnectionInfo>,
    watched: Watched,
    dial: Dial,
    /// The one that answered last is asked first.
    first: AtomicUsize,
}

/// Why one of them named no master.
struct SentinelFailure {
    error: RedisError,
    words: String,
}

impl Sentinels {
    pub(crate) fn new(nodes: Vec<ConnectionInfo>, watched: Watched, dial: Dial) -> Self {
        let first = AtomicUsize::new(0);
        Self {
            nodes,
            watched,
            dial,
            first,
        }
    }

    /// Asks one Sentinel after the other, and connects to the master that they name.
    ///
    /// # Errors
    /// When no Sentinel names a server that takes writes, all of it within the timeout.
    pub(crate) async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        let Ok(found) = timeout(self.dial.timeout, self.find()).await else {
            return Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into());
        };
        found
    }

    async fn find(&self) -> RedisResult<MultiplexedConnection> {
        let first = self.first.load(Ordering::Relaxed);
        let (mut failures, mut tried) = (Vec::new(), Vec::new());
        for place in (0..self.nodes.len()).map(|step| (first + step) % self.nodes.len()) {
            let (host, port) = match self.ask(&self.nodes[place]).await {
                Ok(named) => named,
                Err(refusal) => {
                    failures.push(refusal);
                    continue;
                }
            };
            self.first.store(place, Ordering::Relaxed);
            if tried
                .iter()
                .any(|(known, _)| *known == (host.clone(), port))
            {
                continue;
            }
            match self.master(&host, port).await {
                Ok(connection) => return Ok(connection),
                Err(error) => tried.push(((host, port), error)),
            }
        }
        // What the server itself said is more than that some Sentinels were silent.
        match tried.pop() {
            Some((_, error)) => Err(error),
            None => Err(nobody_knows(failures)),
        }
    }

    /// Where the master is.
    async fn ask(&self, sentinel: &ConnectionInfo) -> Result<(String, u16), SentinelFailure> {
        let name = &self.watched.name;
        let failure = |error: RedisError, what: &str| SentinelFailure {
            words: format!("{} {what}", sentinel.addr()),
            error,
        };
        // A silent one leaves time for the others.
        let count = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        let share = self.dial.timeout / count.saturating_add(1);
        let mut question = cmd("SENTINEL");
        question.arg("GET-MASTER-ADDR-BY-NAME").arg(name);
        let asked = timeout(share, async {
            let mut connection = self.dial.connect(sentinel, share).await?;
            question.query_async(&mut connection).await
        });
        let answer: RedisResult<Option<(String, u16)>> = asked
            .await
            .unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()));
        match answer {
            Ok(Some(named)) => Ok(named),
            Ok(None) => {
                let unknown = (ErrorKind::MasterNameNotFoundBySentinel, "unknown").into();
                Err(failure(unknown, &format!("does not know `{name}`")))
            }
            Err(error) => {
                let what = match error.kind() {
                    _ if is_refusal(&error) => "refuses the user or the password".to_owned(),
                    ErrorKind::Io if error.is_timeout() => "did not answer in time".to_owned(),
                    ErrorKind::Io => format!("cannot be reached ({error})"),
                    _ => format!("does not answer as a Sentinel ({error})"),
                };
                Err(failure(error, &what))
            }
        }
    }

    /// A connection to the server that was named, if it is a master.
    async fn master(&self, host: &str, port: u16) -> RedisResult<MultiplexedConnection> {
        let node = self.nodes[0]
            .clone()
            .set_addr(self.address(host, port))
            .set_redis_settings(self.watched.login.clone());
        let mut connection = match self.dial.connect_server(&node, self.dial.timeout).await {
            Err(error) if error.is_connection_dropped() || error.is_timeout() => {
                let words =
                    format!("the Sentinels name {host}:{port}, which cannot be reached ({error})");
                return Err(make_extension_error("MASTERDOWN".into(), Some(words)));
            }
            connected => connected?,
        };
        // Not ROLE: the rights that we ask for elsewhere include this.
        let mut question = cmd("INFO");
        question.arg("replication");
        match question.query_async::<String>(&mut connection).await {
            Ok(info) if info.contains("role:slave") => {
                let words = format!("the Sentinels name {host}:{port}, which is still a replica");
                Err(make_extension_error("MASTERDOWN".into(), Some(words)))
            }
            // A user who may not ask this may still be let write, and else is told so by the first write.
            Ok(_) => Ok(connection),
            Err(error) if error.code() == Some("NOPERM") => Ok(connection),
            Err(error) => Err(error),
        }
    }

    fn address(&self, host: &str, port: u16) -> ConnectionAddr {
        let host = host.to_owned();
        match self.nodes[0].addr() {
            ConnectionAddr::TcpTls { .. } => ConnectionAddr::TcpTls {
                host,
                port,
                insecure: false,
                tls_params: None,
            },
            _ => ConnectionAddr::Tcp(host, port),
        }
    }
}

fn is_refusal(error: &RedisError) -> bool {
    let is_one = |code| matches!(code, "NOAUTH" | "WRONGPASS" | "NOPERM");
    error.kind() == ErrorKind::AuthenticationFailed || error.code().is_some_and(is_one)
}

/// Lasting only if every Sentinel refuses: those that cannot be reached may come back.
fn nobody_knows(failures: Vec<SentinelFailure>) -> RedisError {
    let all_refuse = failures.iter().all(|one| is_refusal(&one.error));
    // What is wrong with TLS is told in words of its own.
    #[cfg(feature = "tls")]
    if let Some(one) = failures
        .iter()
        .find(|one| crate::tls::objection(&one.error).is_some())
    {
        return one.error.clone();
    }
    let words: Vec<String> = failures.into_iter().map(|one| one.words).collect();
    let (kind, words) = (ErrorKind::MasterNameNotFoundBySentinel, words.join("; "));
    if all_refuse {
        return make_extension_error(REFUSED.into(), Some(words));
    }
    (kind, "no Sentinel names the master", words).into()
}

/// The code of the error when every Sentinel refuses us; no server has it.
pub(crate) const REFUSED: &str = "SENTINELS-REFUSE";
