use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ordered_core::publish::{OnNotPublished, Publisher};
use ordered_core::transport::Publish;

use super::pump::Pump;
use super::storage::Storage;
use super::{Sequencer, SequencerError, metrics};
use crate::RedisStore;

/// Settings of a [`Sequencer`].
#[must_use]
pub struct SequencerBuilder {
    redis: RedisStore,
    transport: Arc<dyn Publish>,
    settings: Settings,
}

#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) name: String,
    pub(super) lease: Duration,
    pub(super) poll_interval: Duration,
    pub(super) retry_after: Duration,
    pub(super) give_up_after: Duration,
    pub(super) stage_timeout: Duration,
    pub(super) remember: Duration,
    pub(super) drain_timeout: Duration,
    pub(super) max_events: u64,
    pub(super) max_bytes: u64,
    pub(super) max_event_bytes: usize,
    pub(super) max_in_flight: usize,
    pub(super) batch: usize,
}

impl SequencerBuilder {
    pub(super) fn new(redis: &RedisStore, name: String, transport: Arc<dyn Publish>) -> Self {
        Self {
            redis: redis.clone(),
            transport,
            settings: Settings {
                name,
                lease: Duration::from_secs(10),
                poll_interval: Duration::from_millis(500),
                retry_after: Duration::from_secs(5),
                give_up_after: Duration::from_secs(30),
                stage_timeout: Duration::from_secs(10),
                remember: Duration::from_secs(300),
                drain_timeout: Duration::from_secs(10),
                max_events: 100_000,
                max_bytes: 256 << 20,
                max_event_bytes: 1 << 20,
                max_in_flight: 2_000,
                batch: 32,
            },
        }
    }

    /// After how long without a word from the process that publishes a key another one takes it. Default 10 seconds.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.settings.lease = lease;
        self
    }

    /// How often it looks for what others have left. What is staged here is published at once. Default 500
    /// milliseconds.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.settings.poll_interval = interval;
        self
    }

    /// How long a key rests whose event could not be published, until somebody tries it again. Default 5 seconds.
    pub fn retry_after(mut self, time: Duration) -> Self {
        self.settings.retry_after = time;
        self
    }

    /// For how long an event is tried before its key rests. Default 30 seconds.
    pub fn give_up_after(mut self, time: Duration) -> Self {
        self.settings.give_up_after = time;
        self
    }

    /// For how long [`stage`](Sequencer::stage) tries again while Redis is not there. Default 10 seconds.
    pub fn stage_timeout(mut self, time: Duration) -> Self {
        self.settings.stage_timeout = time;
        self
    }

    /// For how long the id of a staged event is remembered: one that is staged again within that time gets the seq that
    /// it has. Default 5 minutes; more than [`stage_timeout`](Self::stage_timeout). It takes about 150 bytes of Redis
    /// for each event.
    pub fn remember(mut self, time: Duration) -> Self {
        self.settings.remember = time;
        self
    }

    /// How long [`close`](Sequencer::close) waits for what is on its way to the broker. Default 10 seconds.
    pub fn drain_timeout(mut self, time: Duration) -> Self {
        self.settings.drain_timeout = time;
        self
    }

    /// How many events are kept in Redis, of all processes, before staging is refused. Default 100,000.
    pub fn max_events(mut self, events: u64) -> Self {
        self.settings.max_events = events;
        self
    }

    /// How many bytes they may have. Default 256 MiB.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.settings.max_bytes = bytes;
        self
    }

    /// How many bytes one event may have, with its headers. Default 1 MiB.
    pub fn max_event_bytes(mut self, bytes: usize) -> Self {
        self.settings.max_event_bytes = bytes;
        self
    }

    /// How many events this process has on their way to the broker at a time. Default 2,000.
    pub fn max_in_flight(mut self, events: usize) -> Self {
        self.settings.max_in_flight = events;
        self
    }

    /// How many events of a key are read from Redis at a time. Default 32.
    pub fn batch(mut self, events: usize) -> Self {
        self.settings.batch = events;
        self
    }

    /// Checks the settings, sees what Redis is set to, and begins to publish what is left from before.
    ///
    /// # Errors
    /// When a setting is wrong, Redis does not answer, or another version has written what lies under this name.
    pub async fn connect(self) -> Result<Sequencer, SequencerError> {
        let settings = self.settings;
        check(&settings)?;
        let publisher = Publisher::builder(self.transport)
            .max_in_flight(settings.max_in_flight)
            .give_up_after(settings.give_up_after)
            // An event behind one that was not published would make a gap.
            .on_not_published(OnNotPublished::FailKey)
            .build()
            .map_err(|error| SequencerError::invalid(error.to_string()))?;
        let storage = Storage::open(&self.redis, settings).await?;
        metrics::describe();
        Ok(Sequencer::start(storage, |storage, stop| {
            tokio::spawn(Pump::new(storage, publisher, stop).run())
        }))
    }
}

fn check(settings: &Settings) -> Result<(), SequencerError> {
    let wrong = |text: String| Err(SequencerError::invalid(format!("the sequencer: {text}")));
    let millisecond = Duration::from_millis(1);
    for (name, value, least) in [
        ("lease", settings.lease, 100 * millisecond),
        ("poll_interval", settings.poll_interval, millisecond),
        ("retry_after", settings.retry_after, millisecond),
        ("give_up_after", settings.give_up_after, millisecond),
        ("drain_timeout", settings.drain_timeout, millisecond),
    ] {
        if value < least {
            return wrong(format!(
                "`{name}` is {value:?}, and must be at least {least:?}"
            ));
        }
    }
    for (name, value) in [
        ("max_events", settings.max_events),
        ("max_bytes", settings.max_bytes),
        ("max_event_bytes", settings.max_event_bytes as u64),
        ("max_in_flight", settings.max_in_flight as u64),
        ("batch", settings.batch as u64),
    ] {
        if value == 0 {
            return wrong(format!("`{name}` must be at least 1"));
        }
    }
    if settings.remember <= settings.stage_timeout {
        return wrong("`remember` must be more than `stage_timeout`, or an event that is staged again could be numbered \
                      twice".into());
    }
    if settings.name.is_empty() {
        return wrong("its name is empty".into());
    }
    Ok(())
}

impl fmt::Debug for SequencerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SequencerBuilder")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
