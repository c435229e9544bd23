use std::io;
use std::time::Duration;

use lapin::tcp::OwnedTLSConfig;
use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionProperties};
use ordered_core::credentials::SharedCredentials;
use ordered_core::transport::TransportError;
use tokio::time::timeout;

use crate::address::Address;
use crate::backoff::Backoff;
use crate::failure::{Operation, explain};
use crate::lapin_runtime;

/// How to connect.
#[derive(Debug, Clone)]
pub(crate) struct Broker {
    pub(crate) address: Address,
    /// Shown in RabbitMQ's management pages.
    pub(crate) name: String,
    /// Certificates in PEM that are trusted besides those of the system.
    pub(crate) certificates: Option<String>,
    pub(crate) backoff: (Duration, Duration),
    /// Asked at each connection, in place of the password of the address.
    pub(crate) credentials: Option<SharedCredentials>,
    /// How long the login may be refused before consuming ends.
    pub(crate) refused_for: Duration,
}

impl Broker {
    pub(crate) fn backoff(&self) -> Backoff {
        Backoff::new(self.backoff.0, self.backoff.1)
    }

    /// Like [`connect`](Self::connect), with an error that says what to do.
    pub(crate) async fn open(&self, purpose: &str) -> Result<Connection, TransportError> {
        let connected = self.connect(purpose).await;
        connected.map_err(|error| explain(&self.address, Operation::Connecting, error))
    }

    /// Runs a call on a connection of its own, which is closed afterwards. What comes of the call counts: a close that
    /// fails, or that the broker does not answer in time, is only logged.
    pub(crate) async fn with_connection<T>(
        &self,
        purpose: &str,
        call: impl AsyncFnOnce(&Connection) -> Result<T, TransportError>,
    ) -> Result<T, TransportError> {
        let connection = self.open(purpose).await?;
        // After an error nobody waits for the close: a connection that is dropped closes itself.
        let value = call(&connection).await?;
        if let Err(error) = within(ANSWER, connection.close(200, "done".into())).await {
            tracing::debug!(%error, address = %self.address, purpose, "a connection was not closed in order");
        }
        Ok(value)
    }

    /// The address with the credentials of now.
    async fn uri(&self) -> lapin::Result<AMQPUri> {
        let mut uri = self.address.uri();
        if let Some(source) = &self.credentials {
            let credentials = source
                .get()
                .await
                .map_err(|error| io::Error::other(format!("there are no credentials: {error}")))?;
            let login = &mut uri.authority.userinfo;
            if let Some(user) = credentials.user_name() {
                user.clone_into(&mut login.username);
            }
            credentials.secret().clone_into(&mut login.password);
        }
        Ok(uri)
    }

    /// Connects, once. lapin's own recovery stays off: it would bring consumers back with the tags of the old
    /// connection still unsettled.
    pub(crate) async fn connect(&self, purpose: &str) -> lapin::Result<Connection> {
        let name = format!("{} ({purpose})", self.name);
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let certificates = OwnedTLSConfig {
            identity: None,
            cert_chain: self.certificates.clone(),
        };
        let runtime = lapin_runtime::runtime();
        let uri = self.uri().await?;
        let connect = Connection::connect_uri_with_config(uri, properties, certificates, runtime);
        within(self.address.timeout(), connect).await
    }
}

/// How long an answer is waited for: to a declaration, to the wish for a channel, or a confirm while the broker does
/// not say that it is short of resources. RabbitMQ may owe it for ever, as for a queue that is being deleted or just
/// coming back.
pub(crate) const ANSWER: Duration = Duration::from_secs(10);

/// What the call answers, or an error when it takes longer.
pub(crate) async fn within<T>(
    limit: Duration,
    call: impl Future<Output = lapin::Result<T>>,
) -> lapin::Result<T> {
    timeout(limit, call).await.unwrap_or_else(|_| {
        let reason = format!("no answer within {limit:?}");
        Err(io::Error::new(io::ErrorKind::TimedOut, reason).into())
    })
}
