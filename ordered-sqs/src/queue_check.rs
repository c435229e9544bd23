use ordered_core::internal::readable::span;
use ordered_core::transport::{TransportError, WorkerProfile};
use std::time::Duration;
use tracing::{info, warn};

use crate::options::MAX_VISIBILITY;
use crate::queue_attributes::{DAY, QueueAttributes, Redrive};

/// Below this, deferring alone can use up the receives that a redrive policy allows.
const MANY_RECEIVES: u64 = 100;

/// Below this, a short pause of a process is enough for its events to come again.
const SHORT_VISIBILITY: Duration = Duration::from_secs(10);

/// What is said at the start about a queue: what its attributes mean for the worker that consumes it.
pub(crate) struct QueueCheck<'a> {
    pub(crate) queue: &'a str,
    pub(crate) region: &'a str,
    pub(crate) dead_letters: &'a str,
    pub(crate) attributes: &'a QueueAttributes,
    /// `None` where the transport is used without a worker.
    pub(crate) worker: Option<WorkerProfile>,
}

impl QueueCheck<'_> {
    pub(crate) fn log(&self) {
        self.kind();
        self.visibility();
        self.delay();
        match &self.attributes.redrive {
            None => info!(
                queue = self.queue,
                "no redrive policy: only the worker dead-letters events"
            ),
            Some(redrive) => self.redrive(redrive),
        }
    }

    fn kind(&self) {
        let (kind, meaning) = if self.attributes.is_fifo {
            (
                "FIFO",
                "a group waits while one of its messages is out or deferred",
            )
        } else {
            (
                "standard",
                "in any order and sometimes twice: the seq puts them in order",
            )
        };
        info!(
            queue = self.queue,
            region = self.region,
            kind,
            backlog = self.attributes.backlog,
            dead_letters = self.dead_letters,
            "SQS queue: {meaning}"
        );
    }

    fn visibility(&self) {
        let QueueAttributes {
            visibility,
            is_visibility_ours,
            ..
        } = *self.attributes;
        info!(
            queue = self.queue,
            ?visibility,
            queues_own = !is_visibility_ours,
            "the visibility timeout is extended for as long as a handler takes; after a crash it is the time until the \
             event is delivered again"
        );
        let Some(WorkerProfile {
            handler_timeout, ..
        }) = self.worker
        else {
            return;
        };
        if handler_timeout < visibility {
            info!(
                queue = self.queue,
                ?visibility,
                ?handler_timeout,
                "a handler ends within the visibility timeout: it is extended only for what waits or is tried again"
            );
        } else {
            info!(
                queue = self.queue,
                ?visibility,
                ?handler_timeout,
                "a handler may take longer than the visibility timeout, and relies on extensions: while SQS cannot be \
                 reached for {:?} its event is delivered again, and is handled once all the same",
                // Extensions begin when a third has passed.
                visibility * 2 / 3
            );
        }
    }

    fn redrive(&self, redrive: &Redrive) {
        if redrive.max_receives >= MANY_RECEIVES {
            info!(
                queue = self.queue,
                max_receive_count = redrive.max_receives,
                target_queue = redrive.queue,
                "the queue dead-letters an event by itself after so many receives; attempts within one worker are one \
                 receive"
            );
        }
    }

    fn delay(&self) {
        let delay = self.attributes.delay;
        if !delay.is_zero() {
            info!(
                queue = self.queue,
                ?delay,
                "the queue delays every event by this, also one that is sent again to fill a gap"
            );
        }
    }

    /// Says which promises the queue breaks, each in one line, or refuses it.
    pub(crate) fn promises(&self, strict: bool) -> Result<(), TransportError> {
        let broken = self.broken_promises();
        if strict && !broken.is_empty() {
            return Err(TransportError::fatal(format!(
                "SQS: the queue {:?} is refused, since `strict` is set: {}",
                self.queue,
                broken.join("; ")
            )));
        }
        for promise in broken {
            warn!(queue = self.queue, "the queue breaks a promise: {promise}");
        }
        Ok(())
    }

    fn broken_promises(&self) -> Vec<String> {
        let of_each = [
            self.forgets(),
            self.is_out_of_sight_too_briefly(),
            self.limits_receives(),
            self.outlives_a_receive(),
            self.comes_too_late(),
            self.drops_equal_bodies(),
        ];
        of_each.into_iter().flatten().collect()
    }

    fn forgets(&self) -> Option<String> {
        let seconds = self.attributes.retention_seconds;
        (seconds < DAY).then(|| {
            format!(
                "it forgets what waits for longer than {} (MessageRetentionPeriod): what there is no room to hold, and \
                 all that comes while no worker runs, is then a gap. Set it to 4 days or more",
                span(seconds.saturating_mul(1_000))
            )
        })
    }

    fn is_out_of_sight_too_briefly(&self) -> Option<String> {
        let visibility = self.attributes.visibility;
        (visibility < SHORT_VISIBILITY).then(|| {
            format!(
                "its events are out of sight for {} only (VisibilityTimeout, or `visibility` of the transport): \
                 whenever SQS or this process is slow for as long, all that is at work comes again, and uses up the \
                 receives of a redrive policy. Set it to 30 s or more",
                of(visibility)
            )
        })
    }

    fn limits_receives(&self) -> Option<String> {
        let Redrive {
            queue: target,
            max_receives,
            ..
        } = self.attributes.redrive.as_ref()?;
        if *max_receives >= MANY_RECEIVES {
            return None;
        }
        let crashes = self.worker.map(|worker| worker.max_crashes);
        let when = match crashes.filter(|crashes| *max_receives < u64::from(*crashes)) {
            Some(crashes) => {
                format!(
                    "before its key is halted (max_crashes = {crashes}), if it crashes each worker that runs it"
                )
            }
            None => "also one that was only deferred, or was with a worker that crashed".to_owned(),
        };
        Some(format!(
            "it dead-letters an event into {target} by itself after {max_receives} receives (maxReceiveCount of its \
             redrive policy), {when}: its key then waits for it. Set maxReceiveCount to {MANY_RECEIVES} or more"
        ))
    }

    fn outlives_a_receive(&self) -> Option<String> {
        let timeout = self.worker?.handler_timeout;
        (timeout >= MAX_VISIBILITY).then(|| {
            format!(
                "it delivers an event again 12 h after it was received, however often that is extended, and a handler \
                 may take {}. Give the handler a shorter `timeout`",
                of(timeout)
            )
        })
    }

    fn comes_too_late(&self) -> Option<String> {
        let (delay, timeout) = (self.attributes.delay, self.worker?.gap_timeout?);
        (!delay.is_zero() && delay >= timeout).then(|| {
            format!(
                "it delays every event by {} (DelaySeconds), and something is done about a gap after {} \
                 (`gap_timeout`): an event that is sent again comes too late. Set DelaySeconds to 0, or a longer \
                 `gap_timeout`",
                of(delay),
                of(timeout)
            )
        })
    }

    fn drops_equal_bodies(&self) -> Option<String> {
        let reads_headers = self.worker.is_some_and(|worker| worker.reads_headers);
        (self.attributes.drops_equal_bodies && reads_headers).then(|| {
            "it drops an event whose body another one had within five minutes, whatever its attributes say \
             (ContentBasedDeduplication), and the handler reads key, seq or id from the attributes: two events with \
             equal bodies are one, and a gap. Turn it off, and give each event a deduplication id of its own"
                .to_owned()
        })
    }
}

fn of(duration: Duration) -> String {
    span(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
