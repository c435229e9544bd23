use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Publisher;
use super::lanes::LaneSettings;
use crate::event::TraceParent;
use crate::handler::Backoff;
use crate::transport::{Publish, TransportError};

/// What happens to the events behind one that was reported and not published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum OnNotPublished {
    /// They are published. Whoever gets the report publishes the event again, or declares that it will never come.
    #[default]
    Continue,
    /// Those that were given to the publisher by then are reported as held back, so that all can be published again in
    /// order.
    FailKey,
}

/// Gives the span that an event belongs to.
pub(super) type Tracer = Arc<dyn Fn() -> Option<TraceParent> + Send + Sync>;

/// Settings of a [`Publisher`].
#[derive(Clone)]
#[must_use]
pub struct PublisherBuilder {
    transport: Arc<dyn Publish>,
    settings: Settings,
    tracer: Option<Tracer>,
}

#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) max_in_flight: usize,
    pub(super) max_in_flight_bytes: usize,
    pub(super) per_key: usize,
    pub(super) batch: usize,
    pub(super) concurrent_batches: usize,
    pub(super) backoff: Backoff,
    pub(super) give_up_after: Duration,
    pub(super) attempt_timeout: Duration,
    pub(super) on_not_published: OnNotPublished,
}

impl Settings {
    pub(super) fn of_lanes(&self) -> LaneSettings {
        LaneSettings {
            per_key: self.per_key,
            batch: self.batch,
            backoff: self.backoff,
            give_up_after: self.give_up_after,
            fail_key: self.on_not_published == OnNotPublished::FailKey,
        }
    }
}

impl PublisherBuilder {
    pub(super) fn new(transport: impl Publish) -> Self {
        Self {
            transport: Arc::new(transport),
            settings: Settings {
                max_in_flight: 10_000,
                max_in_flight_bytes: 64 << 20,
                per_key: 1,
                batch: 500,
                concurrent_batches: 4,
                backoff: Backoff {
                    base: Duration::from_millis(50),
                    cap: Duration::from_secs(5),
                },
                give_up_after: Duration::from_secs(120),
                attempt_timeout: Duration::from_secs(60),
                on_not_published: OnNotPublished::Continue,
            },
            tracer: None,
        }
    }

    /// How many events may be with the publisher, neither confirmed nor reported. Whoever has one more waits. Default
    /// 10,000.
    pub fn max_in_flight(mut self, events: usize) -> Self {
        self.settings.max_in_flight = events;
        self
    }

    /// How many bytes these events may have, bodies and headers. An event that is larger than that goes alone. Default
    /// 64 MiB.
    pub fn max_in_flight_bytes(mut self, bytes: usize) -> Self {
        self.settings.max_in_flight_bytes = bytes;
        self
    }

    /// How many events of one key may be sent before the first of them is confirmed. Default 1: then they are in order
    /// also where the broker refuses one and takes the next.
    ///
    /// A key has at most as many events a second as the broker answers in a second, times this. With more than 1 the
    /// order is the broker's own as long as nothing fails; where one fails, those that went out with it may come before
    /// it. Workers of `ordered` sort them by their seqs.
    pub fn max_in_flight_per_key(mut self, events: usize) -> Self {
        self.settings.per_key = events;
        self
    }

    /// How many events are sent in one attempt, at the most. Default 500.
    pub fn batch(mut self, events: usize) -> Self {
        self.settings.batch = events;
        self
    }

    /// How many attempts are under way at a time, at the most. Default 4.
    pub fn concurrent_batches(mut self, batches: usize) -> Self {
        self.settings.concurrent_batches = batches;
        self
    }

    /// The longest waits before an event is sent again: after its first failure, and after any. It doubles in between,
    /// and is shortened at random. Default 50 milliseconds and 5 seconds.
    pub fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.settings.backoff = Backoff {
            base: first,
            cap: longest,
        };
        self
    }

    /// For how long an event is tried, from when it was given to the publisher, before it is reported. Default 2
    /// minutes.
    pub fn give_up_after(mut self, time: Duration) -> Self {
        self.settings.give_up_after = time;
        self
    }

    /// After how long an attempt that the broker does not answer counts as failed. Default 1 minute, which is more than
    /// the transports of this project wait for a confirm.
    pub fn attempt_timeout(mut self, time: Duration) -> Self {
        self.settings.attempt_timeout = time;
        self
    }

    /// What happens to the events behind one that is reported. Default: they are published.
    pub fn on_not_published(mut self, after: OnNotPublished) -> Self {
        self.settings.on_not_published = after;
        self
    }

    /// Who says which span an event belongs to when it is given to the publisher; it becomes the header `traceparent`
    /// of an event that has none.
    pub fn trace(
        mut self,
        of_now: impl Fn() -> Option<TraceParent> + Send + Sync + 'static,
    ) -> Self {
        self.tracer = Some(Arc::new(of_now));
        self
    }

    /// Checks the settings, and starts the task that publishes.
    ///
    /// # Errors
    /// Names the setting that is wrong, and what is allowed.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn build(self) -> Result<Publisher, TransportError> {
        let settings = &self.settings;
        let wrong = |what: &str| Err(TransportError::fatal(format!("the publisher: {what}")));
        for (name, value) in [
            ("max_in_flight", settings.max_in_flight),
            ("max_in_flight_bytes", settings.max_in_flight_bytes),
            ("max_in_flight_per_key", settings.per_key),
            ("batch", settings.batch),
            ("concurrent_batches", settings.concurrent_batches),
        ] {
            if !(1..=1 << 30).contains(&value) {
                return wrong(&format!("`{name}` is {value}, and must be from 1 to 2^30"));
            }
        }
        if settings.backoff.base.is_zero() || settings.backoff.cap < settings.backoff.base {
            return wrong(
                "the first wait of `backoff` must be more than 0, and the longest at least as long",
            );
        }
        if settings.attempt_timeout.is_zero() {
            return wrong("`attempt_timeout` must be more than 0");
        }
        Ok(Publisher::start(self.transport, self.settings, self.tracer))
    }
}

impl fmt::Debug for PublisherBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublisherBuilder")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
