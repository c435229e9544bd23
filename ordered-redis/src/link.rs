//! The connection, to one server or to a cluster.

use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};
use redis::{
    Client, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo, RedisError,
    RedisResult, Value, pipe,
};

#[cfg(feature = "tls")]
use crate::tls;

/// A connection that many tasks share and that comes back by itself. Clones are the same connection.
#[derive(Clone)]
pub(crate) enum Link {
    Single(ConnectionManager),
    #[cfg(feature = "cluster")]
    Cluster(redis::cluster_async::ClusterConnection),
}

/// Where to connect, without what must not be shown.
pub(crate) struct Address {
    pub(crate) nodes: Vec<ConnectionInfo>,
    /// Hosts and ports.
    pub(crate) shown: String,
    /// Whose certificates are trusted, as PEM; none for those that the system trusts.
    #[cfg(feature = "tls")]
    pub(crate) authorities: Option<String>,
}

impl Address {
    /// One URL, or several separated by commas.
    pub(crate) fn parse(urls: &str) -> RedisResult<Self> {
        let nodes = urls
            .split(',')
            .map(|url| {
                check_form(url)?;
                url.trim().into_connection_info()
            })
            .collect::<RedisResult<Vec<_>>>()?;
        let shown: Vec<String> = nodes.iter().map(|node| node.addr().to_string()).collect();
        Ok(Self {
            nodes,
            shown: shown.join(","),
            #[cfg(feature = "tls")]
            authorities: None,
        })
    }

    pub(crate) fn has_tls(&self) -> bool {
        let is_tls = |node: &ConnectionInfo| matches!(node.addr(), ConnectionAddr::TcpTls { .. });
        self.nodes.iter().any(is_tls)
    }

    fn client(&self, node: ConnectionInfo) -> RedisResult<Client> {
        #[cfg(feature = "tls")]
        if self.has_tls() {
            return tls::client(node, self.authorities.as_deref());
        }
        Client::open(node)
    }
}

/// Refuses what would be read with a part of the password as the host, the port or the database, which are shown.
fn check_form(url: &str) -> RedisResult<()> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Ok(());
    };
    match rest.find(['/', '?', '#']) {
        Some(end) if !scheme.contains("unix") && rest[end..].contains('@') => Err((
            ErrorKind::InvalidClientConfig,
            "there is a `/`, `?` or `#` before the `@`: in a user or a password they are written %2F, %3F and %23",
        )
            .into()),
        _ => Ok(()),
    }
}

/// A peer that vanished without a word is noticed within seconds: by its silence when something was sent
/// (`TCP_USER_TIMEOUT`, tcp(7)), by probes when nothing was.
fn tcp_settings(timeout: Duration) -> TcpSettings {
    let probes = TcpKeepalive::new()
        // The system counts whole seconds here.
        .with_time(timeout.max(Duration::from_secs(1)))
        .with_interval(Duration::from_secs(2));
    let settings = TcpSettings::default()
        .set_nodelay(true)
        .set_keepalive(probes);
    #[cfg(target_os = "linux")]
    let settings = settings.set_user_timeout(timeout.saturating_mul(2));
    settings
}

impl Link {
    pub(crate) async fn single(address: &Address, timeout: Duration) -> RedisResult<Self> {
        let node = address.nodes[0]
            .clone()
            .set_tcp_settings(tcp_settings(timeout));
        // The worker repeats what fails, so one more try is enough here and keeps every call bounded.
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(timeout))
            .set_response_timeout(Some(timeout))
            .set_number_of_retries(1);
        let manager = ConnectionManager::new_with_config(address.client(node)?, config).await?;
        Ok(Self::Single(manager))
    }

    #[cfg(feature = "cluster")]
    pub(crate) async fn cluster(address: &Address, timeout: Duration) -> RedisResult<Self> {
        let builder = redis::cluster::ClusterClient::builder(address.nodes.clone())
            .tcp_settings(tcp_settings(timeout))
            .connection_timeout(timeout)
            .response_timeout(timeout)
            .retries(3);
        #[cfg(feature = "tls")]
        let builder = if address.has_tls() {
            tls::ensure_provider();
            builder.certs(tls::trusting(address.authorities.as_deref()))
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
            Self::Single(manager) => {
                let mut pipeline = pipe();
                for command in commands {
                    pipeline.add_command(command);
                }
                pipeline.ignore_errors();
                let values: Vec<Value> = pipeline.query_async(&mut manager.clone()).await?;
                Ok(values.into_iter().map(server_error).collect())
            }
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

fn server_error(value: Value) -> RedisResult<Value> {
    match value {
        Value::ServerError(error) => Err(RedisError::from(error)),
        value => Ok(value),
    }
}
