//! Connections of the crate's own.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, NoTls};

use crate::error::{PostgresError, PostgresErrorKind};
use crate::tls::{self, Encryption};

/// How long a connection may take, and how long one of the pool is waited for.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where a database is, and how to get there.
#[derive(Clone)]
pub(crate) struct Address {
    config: Config,
    encryption: Encryption,
    /// For people: without a password.
    words: Arc<str>,
}

/// What a URL says. It is not quoted in errors: there may be a password in it.
pub(crate) fn address(url: &str, application: &str) -> Result<Address, PostgresError> {
    let (url, encryption) = tls::split(url)?;
    let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
        let reason = std::error::Error::source(&error)
            .map_or_else(String::new, |source| format!(": {source}"));
        PostgresError::new(
            PostgresErrorKind::Invalid,
            format!(
                "this is not the address of a database, such as postgres://user@host/database{reason}"
            ),
        )
    })?;
    if config.get_application_name().is_none() {
        config.application_name(application);
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(TIMEOUT);
    }
    config.ssl_mode(encryption.mode());
    Ok(Address {
        words: words(&config).into(),
        config,
        encryption,
    })
}

/// Such as `127.0.0.1:5432 (database orders, user orders)`.
fn words(config: &Config) -> String {
    let mut text = String::new();
    let ports = config.get_ports();
    for (place, host) in config.get_hosts().iter().enumerate() {
        let host = match host {
            Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            Host::Unix(path) => path.display().to_string(),
        };
        let port = ports.get(place).or(ports.first()).unwrap_or(&5432);
        let comma = if place == 0 { "" } else { ", " };
        let _ = write!(text, "{comma}{host}:{port}");
    }
    let user = config.get_user().unwrap_or_default();
    let database = config.get_dbname().unwrap_or(user);
    text + &format!(" (database {database}, user {user})")
}

impl Address {
    /// A connection that ends with its client.
    pub(crate) async fn connect(&self) -> Result<Client, PostgresError> {
        let client = match &self.encryption {
            Encryption::None => {
                let (client, connection) =
                    self.config.connect(NoTls).await.map_err(|e| self.at(e))?;
                spawn(connection);
                client
            }
            #[cfg(feature = "tls")]
            Encryption::Tls(tls) => {
                let connected = self.config.connect(tls.clone()).await;
                let (client, connection) = connected.map_err(|error| self.at(error))?;
                spawn(connection);
                client
            }
        };
        Ok(client)
    }

    /// Runs this on a connection of its own.
    pub(crate) async fn with_connection(
        &self,
        listener: &impl Listener,
    ) -> Result<(), PostgresError> {
        match &self.encryption {
            Encryption::None => {
                let (client, connection) =
                    self.config.connect(NoTls).await.map_err(|e| self.at(e))?;
                listener.listen(client, connection).await
            }
            #[cfg(feature = "tls")]
            Encryption::Tls(tls) => {
                let connected = self.config.connect(tls.clone()).await;
                let (client, connection) = connected.map_err(|error| self.at(error))?;
                listener.listen(client, connection).await
            }
        }
    }

    fn at(&self, error: tokio_postgres::Error) -> PostgresError {
        PostgresError::from(error).at(&self.words)
    }

    /// Connections that are made when they are needed, so many at the most.
    pub(crate) fn pool(&self, most: usize) -> Result<Connections, PostgresError> {
        let recycling = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        let config = self.config.clone();
        let manager = match &self.encryption {
            Encryption::None => Manager::from_config(config, NoTls, recycling),
            #[cfg(feature = "tls")]
            Encryption::Tls(tls) => Manager::from_config(config, tls.clone(), recycling),
        };
        let pool = Pool::builder(manager)
            .max_size(most)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(TIMEOUT))
            .create_timeout(Some(TIMEOUT))
            .build()
            .map_err(|error| PostgresError::new(PostgresErrorKind::Refused, error.to_string()))?;
        Ok(Connections {
            pool,
            words: Arc::clone(&self.words),
        })
    }
}

/// What is done on a connection of its own, encrypted or not.
pub(crate) trait Listener: Sync {
    fn listen<S>(
        &self,
        client: Client,
        connection: tokio_postgres::Connection<tokio_postgres::Socket, S>,
    ) -> impl Future<Output = Result<(), PostgresError>> + Send
    where
        S: tokio_postgres::tls::TlsStream + Unpin + Send;
}

fn spawn<S>(connection: tokio_postgres::Connection<tokio_postgres::Socket, S>)
where
    S: tokio_postgres::tls::TlsStream + Unpin + Send + 'static,
{
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to Postgres has ended");
        }
    });
}

/// A pool that says in its errors where the database is.
#[derive(Debug, Clone)]
pub(crate) struct Connections {
    pool: Pool,
    words: Arc<str>,
}

impl Connections {
    pub(crate) fn into_pool(self) -> Pool {
        self.pool
    }

    pub(crate) async fn get(&self) -> Result<Object, PostgresError> {
        let connection = self.pool.get().await;
        connection.map_err(|error| PostgresError::from(error).at(&self.words))
    }
}

/// A connection for [`migrate`](crate::migrate()), [`status`](crate::status) and [`repair`](crate::repair), where the
/// application has none at hand. It ends with the client. With `sslmode=require` in the address it is encrypted
/// (feature `tls`).
///
/// # Errors
/// When the address is none, nobody answers there, or the user may not connect.
pub async fn connect(url: &str) -> Result<Client, PostgresError> {
    address(url, "ordered")?.connect().await
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Address").field(&self.words).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_without_its_password() {
        let told = |url| address(url, "test").unwrap().words.to_string();
        assert_eq!(
            told("postgres://ada:secret@db.example:6000/orders"),
            "db.example:6000 (database orders, user ada)"
        );
        assert_eq!(
            told("host=a,b port=1,2 user=ada"),
            "a:1, b:2 (database ada, user ada)"
        );
        let error = address("postgres://ada:secret@db:none/x", "test").unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
