//! The connection, to one server or to a cluster.

use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, RedisError, RedisResult, Value};

use crate::address::Address;
use crate::dial::{Dial, Login};
use crate::sentinel::Sentinels;
use crate::server::{Endpoint, Server};

/// A connection that many tasks share and that comes back by itself. Clones are the same connection.
#[derive(Clone)]
pub(crate) enum Link {
    Single(Arc<Server>),
    #[cfg(feature = "cluster")]
    Cluster(redis::cluster_async::ClusterConnection),
}

impl Link {
    /// Connects to the server, or to the master that the Sentinels name.
    pub(crate) async fn single(
        address: &Address,
        timeout: Duration,
        login: Login,
    ) -> RedisResult<Self> {
        let refused_for = login.refused_for;
        let dial = Dial {
            timeout,
            credentials: login.credentials,
            #[cfg(feature = "tls")]
            authorities: address.authorities.clone(),
        };
        let endpoint = match address.watched.clone() {
            Some(watched) => {
                Endpoint::Watched(Sentinels::new(address.nodes.clone(), watched, dial))
            }
            None => Endpoint::Fixed(address.nodes[0].clone(), dial),
        };
        Ok(Self::Single(Arc::new(
            Server::connect(endpoint, refused_for).await?,
        )))
    }

    #[cfg(feature = "cluster")]
    pub(crate) async fn cluster(address: &Address, timeout: Duration) -> RedisResult<Self> {
        let builder = redis::cluster::ClusterClient::builder(address.nodes.clone())
            .tcp_settings(crate::dial::tcp_settings(timeout))
            .connection_timeout(timeout)
            .response_timeout(timeout)
            .retries(3);
        #[cfg(feature = "tls")]
        let builder = if address.has_tls() {
            crate::tls::ensure_provider();
            builder.certs(crate::tls::trusting(address.authorities.as_deref()))
        } else {
            builder
        };
        Ok(Self::Cluster(
            builder.build()?.get_async_connection().await?,
        ))
    }

    /// Sends the commands at once, in one pipeline where there is one server, and answers each by itself.
    ///
    /// # Errors
    /// When there is no connection. What the server refuses is among the answers.
    pub(crate) async fn send(&self, commands: Vec<Cmd>) -> RedisResult<Vec<RedisResult<Value>>> {
        match self {
            Self::Single(server) => server.send(commands).await,
            #[cfg(feature = "cluster")]
            Self::Cluster(connection) => {
                // The buckets lie on different nodes; commands of one bucket never go out together.
                let answers = commands.into_iter().map(|command| {
                    let mut connection = connection.clone();
                    async move { command.query_async(&mut connection).await }
                });
                Ok(futures_util::future::join_all(answers).await)
            }
        }
    }
}

/// An error among the answers, as an error.
pub(crate) fn server_error(value: Value) -> RedisResult<Value> {
    match value {
        Value::ServerError(error) => Err(RedisError::from(error)),
        value => Ok(value),
    }
}
