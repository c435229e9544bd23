//! Connections of the crate's own.

use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use tokio_postgres::{Client, Config, NoTls};

use crate::error::{PostgresError, PostgresErrorKind};

/// How long a connection may take, and how long one of the pool is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a URL says. It is not quoted in errors: there may be a password in it.
pub(crate) fn config(url: &str, application: &str) -> Result<Config, PostgresError> {
    let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
        let said = std::error::Error::source(&error)
            .map_or_else(String::new, |source| format!(": {source}"));
        PostgresError::new(
            PostgresErrorKind::Invalid,
            format!(
                "this is not the address of a database, such as postgres://user@host/database{said}"
            ),
        )
    })?;
    if config.get_application_name().is_none() {
        config.application_name(application);
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(PATIENCE);
    }
    Ok(config)
}

/// A connection for [`migrate`](crate::migrate()), [`status`](crate::status) and [`repair`](crate::repair), where the
/// application has none at hand. It ends with the client.
///
/// # Errors
/// When the address is none, nobody answers there, or the user may not connect.
pub async fn connect(url: &str) -> Result<Client, PostgresError> {
    let (client, connection) = config(url, "ordered")?.connect(NoTls).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to Postgres has ended");
        }
    });
    Ok(client)
}

/// Connections that are made when they are needed, so many at the most.
pub(crate) fn pool(config: Config, most: usize) -> Result<Pool, PostgresError> {
    let recycling_method = RecyclingMethod::Fast;
    let manager = Manager::from_config(config, NoTls, ManagerConfig { recycling_method });
    Pool::builder(manager)
        .max_size(most)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(PATIENCE))
        .create_timeout(Some(PATIENCE))
        .build()
        .map_err(|error| PostgresError::new(PostgresErrorKind::Refused, error.to_string()))
}
