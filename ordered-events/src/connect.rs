//! From a URL to a part: the one place that knows which parts are compiled in.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use ordered_core::internal::ConnectRetry;
use ordered_core::store::{MemoryStore, Store, StoreError, StoreErrorKind};
use ordered_core::transport::{MemoryBroker, Publish, Transport, TransportError};
use ordered_core::worker::BuildError;

/// Why a URL did not become a part of a worker.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// A variable of the environment is missing.
    #[error("the environment variable {name} is not set")]
    NotSet {
        /// Its name.
        name: &'static str,
    },
    /// It does not begin with a scheme. It is not quoted: there may be a password in it.
    #[error("this is not the URL of a {part}: it does not begin with one of {known}")]
    NoScheme {
        /// `transport` or `store`.
        part: &'static str,
        /// The schemes that there are.
        known: &'static str,
    },
    /// Nothing goes by this scheme.
    #[error("there is no {part} for `{scheme}://`; there are: {known}")]
    UnknownScheme {
        /// `transport` or `store`.
        part: &'static str,
        /// The scheme of the URL.
        scheme: String,
        /// The schemes that there are.
        known: &'static str,
    },
    /// The part exists, but not in this build.
    #[error(
        "`{scheme}://` needs the feature `{feature}` of ordered-events, which this program was built without: \
         add it to the features in Cargo.toml, or build with `--features {feature}`"
    )]
    FeatureOff {
        /// The scheme of the URL.
        scheme: String,
        /// The feature to turn on.
        feature: &'static str,
    },
    /// A variable of the environment has a value that cannot work.
    #[error(transparent)]
    Setting(#[from] BuildError),
    /// The store does not work like this.
    #[error("the store: {0}")]
    Store(#[from] StoreError),
    /// The transport does not work like this.
    #[error("the transport: {0}")]
    Transport(#[from] TransportError),
}

impl ConnectError {
    /// Whether the same may succeed later.
    fn passes(&self) -> bool {
        match self {
            Self::Store(error) => error.kind() == StoreErrorKind::Unavailable,
            Self::Transport(error) => error.kind().passes(),
            _ => false,
        }
    }
}

const STORES: &str =
    "redis://, rediss://, redis+unix://, redis+sentinel://, rediss+sentinel://, memory://";
const TRANSPORTS: &str = "amqp://, amqps://, sqs://, kafka://, memory://";

/// The store at a URL: `redis://[[user]:password@]host[:port][/db]`, `rediss://` and, for a master that Sentinels
/// watch, `redis+sentinel://[[user]:password@]host[:port],…/master[/db]` (feature `redis`), or `memory://name`, which
/// lives in this process and is the same for all who name it.
///
/// # Errors
/// When the URL is of no known kind, its feature is off, or the store does not answer.
pub async fn store(url: &str) -> Result<Arc<dyn Store>, ConnectError> {
    match scheme(url, "store", STORES)? {
        "memory" => Ok(Arc::new(named(&MEMORY_STORES, (url, "")))),
        #[cfg(feature = "redis")]
        "redis" | "rediss" | "redis+sentinel" | "rediss+sentinel" | "redis+unix" | "unix" => {
            Ok(Arc::new(ordered_redis::RedisStore::connect(url).await?))
        }
        #[cfg(not(feature = "redis"))]
        scheme @ ("redis" | "rediss" | "redis+sentinel" | "rediss+sentinel" | "redis+unix"
        | "unix") => Err(feature_off(scheme, "redis")),
        scheme => Err(ConnectError::UnknownScheme {
            part: "store",
            scheme: scheme.into(),
            known: STORES,
        }),
    }
}

/// The same store, waited for while it is unavailable.
pub(crate) async fn store_within(
    timeout: Duration,
    url: &str,
) -> Result<Arc<dyn Store>, ConnectError> {
    retry_until_ready(timeout, "the store", || store(url)).await
}

/// The same consumer, waited for while its broker is unavailable.
pub(crate) async fn transport_within(
    timeout: Duration,
    url: &str,
    queue: &str,
) -> Result<Arc<dyn Transport>, ConnectError> {
    retry_until_ready(timeout, "the broker", || transport(url, queue)).await
}

async fn retry_until_ready<T, F>(
    timeout: Duration,
    what: &str,
    connect: impl Fn() -> F + Send,
) -> Result<T, ConnectError>
where
    F: Future<Output = Result<T, ConnectError>> + Send,
{
    let mut retry = ConnectRetry::new(timeout);
    loop {
        match connect().await {
            Ok(part) => {
                retry.succeeded();
                return Ok(part);
            }
            Err(error) if error.passes() && retry.has_time_left() => {
                retry.wait(what, error).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// A consumer of a queue at a URL: `amqp://[user:password@]host[:port][/vhost]` and `amqps://` (feature `amqp`),
/// `sqs://[?region=…&endpoint=…]` (feature `sqs`), `kafka://host[:port],…[?group=…&security=…]` (feature `kafka`),
/// where the queue is the topic, or `memory://name`, which lives in this process.
///
/// # Errors
/// When the URL is of no known kind, its feature is off, or it cannot be read. The broker is asked first
/// when the worker starts.
pub async fn transport(url: &str, queue: &str) -> Result<Arc<dyn Transport>, ConnectError> {
    match scheme(url, "transport", TRANSPORTS)? {
        "memory" => Ok(Arc::new(named(&MEMORY_BROKERS, (url, queue)).consumer())),
        #[cfg(feature = "amqp")]
        "amqp" | "amqps" => Ok(Arc::new(
            ordered_amqp::Amqp::connect(url).queue(queue).await?,
        )),
        #[cfg(not(feature = "amqp"))]
        scheme @ ("amqp" | "amqps") => Err(feature_off(scheme, "amqp")),
        #[cfg(feature = "sqs")]
        "sqs" => Ok(Arc::new(ordered_sqs::Sqs::connect(url).queue(queue).await?)),
        #[cfg(not(feature = "sqs"))]
        scheme @ "sqs" => Err(feature_off(scheme, "sqs")),
        #[cfg(feature = "kafka")]
        "kafka" => Ok(Arc::new(
            ordered_kafka::Kafka::connect(url).topic(queue).await?,
        )),
        #[cfg(not(feature = "kafka"))]
        scheme @ "kafka" => Err(feature_off(scheme, "kafka")),
        scheme => Err(ConnectError::UnknownScheme {
            part: "transport",
            scheme: scheme.into(),
            known: TRANSPORTS,
        }),
    }
}

/// A publisher into a queue at a URL, of the same kinds as [`transport`].
///
/// # Errors
/// As [`transport`], and when the broker does not answer.
pub async fn publisher(url: &str, queue: &str) -> Result<Arc<dyn Publish>, ConnectError> {
    match scheme(url, "transport", TRANSPORTS)? {
        "memory" => Ok(Arc::new(named(&MEMORY_BROKERS, (url, queue)))),
        #[cfg(feature = "amqp")]
        "amqp" | "amqps" => Ok(Arc::new(
            ordered_amqp::Amqp::connect(url)
                .queue(queue)
                .publisher()
                .await?,
        )),
        #[cfg(not(feature = "amqp"))]
        scheme @ ("amqp" | "amqps") => Err(feature_off(scheme, "amqp")),
        #[cfg(feature = "sqs")]
        "sqs" => Ok(Arc::new(
            ordered_sqs::Sqs::connect(url)
                .queue(queue)
                .publisher()
                .await?,
        )),
        #[cfg(not(feature = "sqs"))]
        scheme @ "sqs" => Err(feature_off(scheme, "sqs")),
        #[cfg(feature = "kafka")]
        "kafka" => Ok(Arc::new(
            ordered_kafka::Kafka::connect(url)
                .topic(queue)
                .publisher()
                .await?,
        )),
        #[cfg(not(feature = "kafka"))]
        scheme @ "kafka" => Err(feature_off(scheme, "kafka")),
        scheme => Err(ConnectError::UnknownScheme {
            part: "transport",
            scheme: scheme.into(),
            known: TRANSPORTS,
        }),
    }
}

fn scheme<'a>(
    url: &'a str,
    part: &'static str,
    known: &'static str,
) -> Result<&'a str, ConnectError> {
    let of_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    url.split_once("://")
        .map(|(scheme, _)| scheme)
        .filter(|scheme| !scheme.is_empty() && scheme.bytes().all(of_scheme))
        .ok_or(ConnectError::NoScheme { part, known })
}

#[allow(dead_code, reason = "not called when all features are on")]
fn feature_off(scheme: &str, feature: &'static str) -> ConnectError {
    ConnectError::FeatureOff {
        scheme: scheme.into(),
        feature,
    }
}

type Named<T> = LazyLock<Mutex<HashMap<(String, String), T>>>;

static MEMORY_STORES: Named<MemoryStore> = LazyLock::new(Mutex::default);
static MEMORY_BROKERS: Named<MemoryBroker> = LazyLock::new(Mutex::default);

/// What goes by this name in this process; a new one for a name that is new.
fn named<T: Clone + Default>(all: &Named<T>, (url, queue): (&str, &str)) -> T {
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    let name = (url.to_owned(), queue.to_owned());
    all.entry(name).or_default().clone()
}

impl std::fmt::Debug for ConnectError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        ordered_core::internal::write_with_causes(self, f)
    }
}
