//! One server, behind a connection that is replaced when it is of no use any more.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use redis::aio::MultiplexedConnection;
use redis::{Cmd, ConnectionInfo, RedisResult, Value, pipe};

use crate::dial::Dial;
use crate::error::{asks_for_another_connection, is_login_refusal, refused_for_now};
use crate::link::server_error;
use crate::sentinel::Sentinels;

/// A connection, or one that is being made: all who need it wait for the same one.
type Connecting = Shared<BoxFuture<'static, RedisResult<MultiplexedConnection>>>;

/// One server, wherever it is at the moment.
pub(crate) struct Server {
    endpoint: Arc<Endpoint>,
    // A std mutex: held to look or to replace, and never over an await.
    current: Mutex<Current>,
    /// How long the login may be refused before that is an error.
    refused_for: Duration,
}

/// How to find the server.
pub(crate) enum Endpoint {
    /// At an address that stays; which server is behind it may change.
    Fixed(ConnectionInfo, Dial),
    /// Where the Sentinels say that the master is.
    Watched(Sentinels),
}

#[derive(Default)]
struct Current {
    connecting: Option<Connecting>,
    /// Counts the connections, so that each is given up only once however many see that it is of no use.
    generation: u64,
    /// Since when the login is refused, without a break.
    refused_since: Option<Instant>,
    /// Whether the server has ever answered: one that refuses from the start is told at once.
    was_let_in: bool,
}

impl Endpoint {
    async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        match self {
            Self::Fixed(node, dial) => dial.connect_server(node, dial.timeout).await,
            Self::Watched(sentinels) => sentinels.connect().await,
        }
    }
}

impl Server {
    /// Connects.
    ///
    /// # Errors
    /// When there is no connection; there is nothing to be given up then.
    pub(crate) async fn connect(endpoint: Endpoint, refused_for: Duration) -> RedisResult<Self> {
        let server = Self {
            endpoint: Arc::new(endpoint),
            current: Mutex::default(),
            refused_for,
        };
        server.current().1.await?;
        Ok(server)
    }

    /// Sends the commands in one pipeline. The connection is given up if it broke, if an answer did not come in time,
    /// or if the server says that it is not, or not now, the one to ask. The next call then makes another.
    pub(crate) async fn send(&self, commands: Vec<Cmd>) -> RedisResult<Vec<RedisResult<Value>>> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let (generation, connecting) = self.current();
        let answers = match connecting.await {
            Ok(connection) => ask(connection, commands).await,
            Err(error) => Err(error),
        };
        let answers = self.unless_refused(answers);
        let is_of_use = answers.as_ref().is_ok_and(|answers| {
            let mut errors = answers.iter().filter_map(|answer| answer.as_ref().err());
            !errors.any(asks_for_another_connection)
        });
        if !is_of_use {
            self.give_up(generation);
        }
        answers
    }

    /// The answers; where the login is refused, and not for long yet, an error that passes. Passwords are changed in
    /// several places, one after the other.
    fn unless_refused(
        &self,
        answers: RedisResult<Vec<RedisResult<Value>>>,
    ) -> RedisResult<Vec<RedisResult<Value>>> {
        let refusal = match &answers {
            Err(error) => is_login_refusal(error),
            // A server that has got a password meanwhile says so to the first command.
            Ok(answers) => answers
                .iter()
                .any(|answer| answer.as_ref().is_err_and(is_login_refusal)),
        };
        let mut current = self.lock();
        if !refusal {
            current.refused_since = None;
            current.was_let_in |= answers.is_ok();
        }
        if !refusal || !current.was_let_in {
            return answers;
        }
        let since = *current.refused_since.get_or_insert_with(Instant::now);
        if since.elapsed() < self.refused_for {
            return Err(refused_for_now());
        }
        answers
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn current(&self) -> (u64, Connecting) {
        let mut current = self.lock();
        let Current {
            connecting,
            generation,
            ..
        } = &mut *current;
        let connecting = connecting.get_or_insert_with(|| {
            *generation += 1;
            let endpoint = Arc::clone(&self.endpoint);
            let connecting = async move { endpoint.connect().await };
            let connecting = connecting.boxed().shared();
            // It goes on if whoever asked for it does not wait for it any more.
            tokio::spawn(connecting.clone().map(drop));
            connecting
        });
        (*generation, connecting.clone())
    }

    /// Calls that are under way on the connection still have their answers.
    fn give_up(&self, generation: u64) {
        let mut current = self.lock();
        if current.generation == generation {
            current.connecting = None;
        }
    }
}

async fn ask(
    mut connection: MultiplexedConnection,
    commands: Vec<Cmd>,
) -> RedisResult<Vec<RedisResult<Value>>> {
    let mut pipeline = pipe();
    for command in commands {
        pipeline.add_command(command);
    }
    pipeline.ignore_errors();
    let values: Vec<Value> = pipeline.query_async(&mut connection).await?;
    Ok(values.into_iter().map(server_error).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;
    use redis::{IntoConnectionInfo, cmd};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Answers every `PING` as a replica that may not, and counts its connections.
    async fn replica() -> (u16, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let counts = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                counts.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(async move {
                    let mut command = [0; b"*1\r\n$4\r\nPING\r\n".len()];
                    while client.read_exact(&mut command).await.is_ok() {
                        client.write_all(b"-READONLY no\r\n").await.unwrap();
                    }
                });
            }
        });
        (port, connections)
    }

    #[tokio::test]
    async fn all_who_are_told_the_same_of_a_connection_give_it_up_once() {
        let (port, connections) = replica().await;
        let node = format!("redis://127.0.0.1:{port}").into_connection_info();
        let dial = Dial {
            timeout: Duration::from_secs(5),
            credentials: None,
            #[cfg(feature = "tls")]
            authorities: None,
        };
        let endpoint = Endpoint::Fixed(node.unwrap(), dial);
        let server = Server::connect(endpoint, Duration::from_secs(60));
        let server = server.await.unwrap();
        for round in 1..=3 {
            let answers = join_all((0..50).map(|_| server.send(vec![cmd("PING")]))).await;
            let is_told =
                |answer: RedisResult<Vec<RedisResult<Value>>>| answer.unwrap()[0].is_err();
            assert!(answers.into_iter().all(is_told));
            assert_eq!(connections.load(Ordering::Relaxed), round);
        }
    }
}
