use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ordered_core::transport::Publish;

use super::backoff::Backoff;
use super::run;
use crate::error::{PostgresError, PostgresErrorKind};
use crate::pool::{self, Address};

/// Publishes what is committed in the outbox. Any number of them may run; they share the work.
///
/// ```no_run
/// # async fn example(publisher: std::sync::Arc<dyn ordered_core::transport::Publish>) -> Result<(), Box<dyn std::error::Error>> {
/// use ordered_postgres::relay::Relay;
///
/// let relay = Relay::builder("postgres://orders@localhost/orders", publisher).build()?;
/// relay.run(std::future::pending()).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use]
pub struct Relay {
    pub(super) name: Arc<str>,
    pub(super) address: Address,
    pub(super) publisher: Publisher,
    pub(super) settings: Settings,
}

/// So that what is around it can be printed.
#[derive(Clone)]
pub(super) struct Publisher(pub(super) Arc<dyn Publish>);

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Publisher")
    }
}

#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) batch: usize,
    pub(super) batch_bytes: usize,
    pub(super) poll_interval: Duration,
    pub(super) listen: bool,
    pub(super) lease: Duration,
    pub(super) first_backoff: Duration,
    pub(super) max_backoff: Duration,
    pub(super) max_lagging_keys: usize,
    pub(super) known_keys: usize,
    pub(super) repair_interval: Duration,
    pub(super) retention: Option<Duration>,
    pub(super) drain_timeout: Duration,
}

impl Settings {
    pub(super) fn backoff(&self) -> Backoff {
        Backoff {
            first: self.first_backoff,
            longest: self.max_backoff,
        }
    }
}

/// Settings of a [`Relay`].
#[derive(Debug, Clone)]
#[must_use]
pub struct RelayBuilder {
    url: String,
    publisher: Publisher,
    name: Option<String>,
    settings: Settings,
}

impl Relay {
    /// A relay from the outbox in this database, `postgres://user[:password]@host[:port]/database`, to this publisher,
    /// whose `publish` must return only when the broker has confirmed.
    pub fn builder(url: impl Into<String>, publisher: Arc<dyn Publish>) -> RelayBuilder {
        RelayBuilder {
            url: url.into(),
            publisher: Publisher(publisher),
            name: None,
            settings: Settings {
                batch: 2_000,
                batch_bytes: 8 << 20,
                poll_interval: Duration::from_millis(25),
                listen: false,
                lease: Duration::from_secs(10),
                first_backoff: Duration::from_millis(100),
                max_backoff: Duration::from_secs(30),
                max_lagging_keys: 1_000,
                known_keys: 50_000,
                repair_interval: Duration::from_millis(250),
                retention: Some(Duration::from_secs(7 * 24 * 3600)),
                drain_timeout: Duration::from_secs(30),
            },
        }
    }

    /// The name under which it has its shards.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Publishes until `shutdown` is ready; then finishes the batch at work and gives its shards back. What passes (a
    /// server or a broker that is unavailable) is waited out.
    ///
    /// # Errors
    /// At the start, whatever is wrong with the database. Later on, only what does not pass by itself: missing tables
    /// or rights.
    ///
    /// # Cancel safety
    /// A dropped future is like a crash: what was published and not written down is published again.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), PostgresError> {
        run::run(self, Box::pin(shutdown)).await
    }
}

impl RelayBuilder {
    /// The name under which the relay has its shards, and which `ordered outbox status` shows. Two relays that run at
    /// the same time must not share one. Default: the program's id and a random number.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// How many events are read and published together. Default: 2,000.
    pub fn batch(mut self, events: usize) -> Self {
        self.settings.batch = events;
        self
    }

    /// After how many bytes a batch ends, whatever its events. Default: 8 MiB.
    pub fn batch_bytes(mut self, bytes: usize) -> Self {
        self.settings.batch_bytes = bytes;
        self
    }

    /// How long the relay waits before it looks again, when there was nothing. Default: 25 ms.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.settings.poll_interval = interval;
        self
    }

    /// Listens, on a connection of its own, for what [`Outbox::notify`](crate::Outbox::notify) says, and looks then at
    /// once. It polls all the same. Default: false.
    pub fn listen(mut self, listen: bool) -> Self {
        self.settings.listen = listen;
        self
    }

    /// After how long without a word from this relay others take its shards. Default: 10 s.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.settings.lease = lease;
        self
    }

    /// The longest wait after a first failure, of the broker, the database or a key; it doubles with each further one.
    /// Default: 100 ms.
    pub fn backoff(mut self, first: Duration) -> Self {
        self.settings.first_backoff = first;
        self
    }

    /// The longest wait after any failure. Default: 30 s.
    pub fn max_backoff(mut self, longest: Duration) -> Self {
        self.settings.max_backoff = longest;
        self
    }

    /// How many keys may be behind because their publication fails, while the others go on. With more, nothing goes on:
    /// then it is hardly the keys. Default: 1,000.
    pub fn max_lagging_keys(mut self, keys: usize) -> Self {
        self.settings.max_lagging_keys = keys;
        self
    }

    /// Of how many keys at least the relay remembers how far they are published, which saves it questions to the
    /// database. Default: 50,000.
    pub fn known_keys(mut self, keys: usize) -> Self {
        self.settings.known_keys = keys;
        self
    }

    /// How often the relay looks whether somebody asks for events again. Default: 250 ms.
    pub fn repair_interval(mut self, interval: Duration) -> Self {
        self.settings.repair_interval = interval;
        self
    }

    /// For how long published events are kept, so that they can be asked for again; `None`: forever. Default: 7 days.
    pub fn retention(mut self, retention: Option<Duration>) -> Self {
        self.settings.retention = retention;
        self
    }

    /// How long the relay waits, when it is to end, for the broker to confirm what is on its way. After that it ends as
    /// by a crash. Default: 30 s.
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.settings.drain_timeout = timeout;
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// Names the setting that is wrong, and what is allowed.
    pub fn build(self) -> Result<Relay, PostgresError> {
        let settings = &self.settings;
        let wrong = |text: &str| Err(PostgresError::new(PostgresErrorKind::Invalid, text));
        if !(1..=100_000).contains(&settings.batch) {
            return wrong("`batch` must be from 1 to 100000 events");
        }
        if settings.batch_bytes == 0 {
            return wrong("`batch_bytes` must be at least 1");
        }
        if settings.poll_interval < Duration::from_millis(1) {
            return wrong("`poll_interval` must be at least 1 ms");
        }
        if settings.repair_interval < Duration::from_millis(1) {
            return wrong("`repair_interval` must be at least 1 ms");
        }
        if settings.lease < Duration::from_millis(300) {
            return wrong("`lease` must be at least 300 ms");
        }
        if settings.first_backoff.is_zero() || settings.max_backoff < settings.first_backoff {
            return wrong("`backoff` must be more than 0, and `max_backoff` at least as much");
        }
        if settings.known_keys == 0 {
            return wrong("`known_keys` must be at least 1");
        }
        let name = self
            .name
            .unwrap_or_else(|| format!("relay-{}-{:08x}", std::process::id(), fastrand::u32(..)));
        if name.is_empty() {
            return wrong("`name` must not be empty");
        }
        Ok(Relay {
            address: pool::address(&self.url, "ordered relay")?,
            name: name.into(),
            publisher: self.publisher,
            settings: self.settings,
        })
    }
}
