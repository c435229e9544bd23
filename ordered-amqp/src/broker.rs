use std::io;
use std::time::Duration;

use lapin::tcp::OwnedTLSConfig;
use lapin::{Connection, ConnectionProperties};
use ordered_core::transport::TransportError;
use tokio::time::timeout;

use crate::address::Address;
use crate::backoff::Backoff;
use crate::failure::{Stage, explain};

/// How to connect.
#[derive(Debug, Clone)]
pub(crate) struct Broker {
    pub(crate) address: Address,
    /// Shown in RabbitMQ's management pages.
    pub(crate) name: String,
    /// Certificates in PEM that are trusted besides those of the system.
    pub(crate) certificates: Option<String>,
    pub(crate) backoff: (Duration, Duration),
}

impl Broker {
    pub(crate) fn backoff(&self) -> Backoff {
        Backoff::new(self.backoff.0, self.backoff.1)
    }

    /// Like [`connect`](Self::connect), with an error that says what to do.
    pub(crate) async fn open(&self, purpose: &str) -> Result<Connection, TransportError> {
        let connected = self.connect(purpose).await;
        connected.map_err(|error| explain(&self.address, Stage::Connecting, error))
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
        let runtime = lapin::runtime::default_runtime()?;
        let uri = self.address.uri();
        let connect = Connection::connect_uri_with_config(uri, properties, certificates, runtime);
        within(self.address.timeout(), connect).await
    }
}

/// How long an answer is waited for: to a declaration, to the wish for a channel, or a confirm while the broker does not
/// say that it is short of resources. RabbitMQ may owe it for ever, as for a queue that is being deleted or just coming back.
pub(crate) const ANSWER: Duration = Duration::from_secs(10);

/// What the call answers, or an error when it takes longer.
pub(crate) async fn within<T>(
    patience: Duration,
    call: impl Future<Output = lapin::Result<T>>,
) -> lapin::Result<T> {
    timeout(patience, call).await.unwrap_or_else(|_| {
        let reason = format!("no answer within {patience:?}");
        Err(io::Error::new(io::ErrorKind::TimedOut, reason).into())
    })
}
