use std::time::Duration;

use ordered_core::transport::TransportError;

/// What can be chosen about a queue, and what holds unless it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) wait: Duration,
    /// `None`: as long as a call takes.
    pub(crate) close_within: Option<Duration>,
    pub(crate) receivers: usize,
    pub(crate) visibility: Option<Duration>,
    pub(crate) dead_letter_queue: Option<String>,
    pub(crate) create_dead_letter_queue: bool,
    pub(crate) message_group: Option<String>,
    pub(crate) message_deduplication: Option<String>,
    pub(crate) content_based_deduplication: bool,
    pub(crate) strict: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            wait: Duration::from_secs(5),
            close_within: None,
            receivers: 4,
            visibility: None,
            dead_letter_queue: None,
            create_dead_letter_queue: true,
            message_group: None,
            message_deduplication: None,
            content_based_deduplication: false,
            strict: false,
        }
    }
}

impl Options {
    pub(crate) fn validated(self, queue: &str) -> Result<Self, TransportError> {
        let wrong = |what: &str| Err(TransportError::fatal(format!("SQS: {what}")));
        if !(1..=20).contains(&self.wait.as_secs()) || self.wait.subsec_nanos() > 0 {
            return wrong("`wait` must be whole seconds, from 1 to 20");
        }
        if self.receivers == 0 {
            return wrong("`receivers` must be at least 1");
        }
        if let Some(visibility) = self.visibility
            && (!(1..=MAX_VISIBILITY.as_secs()).contains(&visibility.as_secs())
                || visibility.subsec_nanos() > 0)
        {
            return wrong("`visibility` must be whole seconds, from 1 second to 12 hours");
        }
        if self.dead_letter_queue.as_deref() == Some(queue) {
            return wrong(
                "`dead_letter_queue` is the queue itself, which would deliver its dead letters again and again",
            );
        }
        Ok(self)
    }
}

/// How long a message may be invisible, over all, from the moment it was received:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html>.
pub(crate) const MAX_VISIBILITY: Duration = Duration::from_secs(12 * 60 * 60);

/// Seconds as the SDK has them.
pub(crate) fn seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs()).unwrap_or(i32::MAX)
}
