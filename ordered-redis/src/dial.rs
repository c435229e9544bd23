//! A new connection to one server.

use std::time::Duration;

use ordered_core::credentials::SharedCredentials;
use redis::aio::MultiplexedConnection;
use redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, ErrorKind, ProtocolVersion,
    RedisConnectionInfo, RedisError, RedisResult, Value, cmd, make_extension_error, pipe,
};

use crate::error::NO_CREDENTIALS;
use crate::link::server_error;
#[cfg(feature = "tls")]
use crate::tls;

/// How to log in.
pub(crate) struct Login {
    /// Asked at each connection, in place of the password of the address.
    pub(crate) credentials: Option<SharedCredentials>,
    /// How long a login may be refused before that is an error.
    pub(crate) refused_for: Duration,
}

/// How to connect.
pub(crate) struct Dial {
    /// How long each step may take, and every answer afterwards.
    pub(crate) timeout: Duration,
    /// Asked at each connection to a server, in place of the password of the address; not for Sentinels.
    pub(crate) credentials: Option<SharedCredentials>,
    /// Whose certificates are trusted, as PEM; none for those that the system trusts.
    #[cfg(feature = "tls")]
    pub(crate) authorities: Option<String>,
}

impl Dial {
    /// Connects to a server with the credentials of now.
    ///
    /// # Errors
    /// As [`connect`](Self::connect), and when there are no credentials.
    pub(crate) async fn connect_server(
        &self,
        node: &ConnectionInfo,
        within: Duration,
    ) -> RedisResult<MultiplexedConnection> {
        let Some(source) = &self.credentials else {
            return self.connect(node, within).await;
        };
        let credentials = source.get().await.map_err(|error| {
            make_extension_error(NO_CREDENTIALS.into(), Some(error.to_string()))
        })?;
        let mut settings = node.redis_settings().clone();
        if let Some(user) = credentials.user_name() {
            settings = settings.set_username(user);
        }
        let settings = settings.set_password(credentials.secret());
        self.connect(&node.clone().set_redis_settings(settings), within)
            .await
    }

    /// Resolves the name of the host, connects, and logs in.
    ///
    /// # Errors
    /// What the server says to the login is as it says it, without the words, in which there might be a password.
    pub(crate) async fn connect(
        &self,
        node: &ConnectionInfo,
        within: Duration,
    ) -> RedisResult<MultiplexedConnection> {
        // The client makes no difference between a wrong password and a server that has too many clients.
        let anonymous = RedisConnectionInfo::default()
            .set_protocol(ProtocolVersion::RESP2)
            .set_skip_set_lib_name();
        let bare = node
            .clone()
            .set_tcp_settings(tcp_settings(self.timeout))
            .set_redis_settings(anonymous);
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(within))
            .set_response_timeout(Some(self.timeout));
        let mut connection = self
            .client(bare)?
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        log_in(&mut connection, node.redis_settings()).await?;
        Ok(connection)
    }

    fn client(&self, node: ConnectionInfo) -> RedisResult<Client> {
        #[cfg(feature = "tls")]
        if matches!(node.addr(), redis::ConnectionAddr::TcpTls { .. }) {
            return tls::client(node, self.authorities.as_deref());
        }
        Client::open(node)
    }
}

/// A peer that vanished without a word is noticed within seconds: by its silence when something was sent
/// (`TCP_USER_TIMEOUT`, tcp(7)), by probes when nothing was.
pub(crate) fn tcp_settings(timeout: Duration) -> TcpSettings {
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

async fn log_in(
    connection: &mut MultiplexedConnection,
    login: &RedisConnectionInfo,
) -> RedisResult<()> {
    let mut pipeline = pipe();
    pipeline.ignore_errors();
    let password = login.password();
    if let Some(password) = password {
        pipeline.add_command(authentication(login.username(), password));
    }
    if login.db() != 0 {
        pipeline.cmd("SELECT").arg(login.db());
    }
    if pipeline.is_empty() {
        return Ok(());
    }
    let answers: Vec<Value> = pipeline.query_async(connection).await?;
    let mut answers = answers.into_iter().map(server_error);
    if password.is_some() {
        let answer = answers.next().transpose();
        answer.map_err(|error| without_words(&error))?;
    }
    answers.next().transpose().map(drop)
}

fn authentication(user: Option<&str>, password: &str) -> Cmd {
    let mut command = cmd("AUTH");
    if let Some(user) = user {
        command.arg(user);
    }
    command.arg(password);
    command
}

/// Some servers repeat the arguments of what they refuse.
fn without_words(error: &RedisError) -> RedisError {
    let words = error.detail().unwrap_or_default().to_ascii_lowercase();
    let is_said = |known: &str| words.contains(known);
    if ["password", "unknown command", "wrong number of arguments"]
        .into_iter()
        .any(is_said)
    {
        return (ErrorKind::AuthenticationFailed, "AUTH was refused").into();
    }
    match error.code() {
        Some(code) => make_extension_error(code.to_owned(), None),
        None => error.clone(),
    }
}
