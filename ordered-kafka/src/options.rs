use std::time::Duration;

use ordered_core::transport::TransportError;

/// What can be chosen about a topic, and what holds unless it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) dead_letter_topic: Option<String>,
    pub(crate) create_dead_letter_topic: bool,
    pub(crate) commit_interval: Duration,
    pub(crate) max_deferred: usize,
    pub(crate) max_uncommitted: u64,
    pub(crate) answer_within: Duration,
    /// `None` for the one that is named after the group; an empty name is none.
    pub(crate) settled_group: Option<String>,
    /// Which header or field of its JSON is the record key of a published event.
    pub(crate) key: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            dead_letter_topic: None,
            create_dead_letter_topic: true,
            commit_interval: Duration::from_millis(200),
            max_deferred: 100,
            max_uncommitted: 100_000,
            answer_within: Duration::from_secs(10),
            settled_group: None,
            key: None,
        }
    }
}

impl Options {
    pub(crate) fn validated(self, topic: &str) -> Result<Self, TransportError> {
        let wrong = |what: &str| Err(TransportError::fatal(format!("Kafka: {what}")));
        if self.dead_letter_topic.as_deref() == Some(topic) {
            return wrong(
                "`dead_letter_topic` is the topic itself, which would deliver its dead letters again and again",
            );
        }
        if self.commit_interval.is_zero() {
            return wrong("`commit_interval` must be more than nothing");
        }
        if self.max_deferred == 0 {
            return wrong("`max_deferred` must be at least 1");
        }
        if self.max_uncommitted == 0 {
            return wrong("`max_uncommitted` must be at least 1");
        }
        if self.answer_within.is_zero() {
            return wrong("`answer_within` must be more than nothing");
        }
        Ok(self)
    }
}
