use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tracing::{debug, error, info, warn};

/// What the client says beside its answers: whether the brokers can be reached, and why not.
#[derive(Debug, Default)]
pub(crate) struct Context {
    topic: String,
    is_down: AtomicBool,
    // A std mutex: it is held to set or read a string.
    last: Mutex<Option<ReportedError>>,
}

/// What the client said last of an error that is not the answer to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReportedError {
    pub(crate) code: Option<RDKafkaErrorCode>,
    pub(crate) text: String,
}

impl Context {
    pub(crate) fn new(topic: &str) -> Self {
        Self {
            topic: topic.to_owned(),
            ..Self::default()
        }
    }

    /// The last error that tells the most: that nobody answers does not hide why.
    pub(crate) fn last_error(&self) -> Option<ReportedError> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone()
    }

    /// A broker has answered.
    pub(crate) fn answered(&self) {
        if self.is_down.load(Ordering::Relaxed) && self.is_down.swap(false, Ordering::Relaxed) {
            info!(topic = self.topic, "Kafka answers again");
        }
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        // The only place where the client says that it goes on elsewhere than where it should.
        if facility == "OFFSET" && text.contains("out of range") {
            error!(
                topic = self.topic,
                reason = text,
                "records were deleted before they were read, by retention or with a replica that had more than its \
                 successor: their keys wait at the gap; it goes on with the oldest record there is"
            );
            return;
        }
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                warn!(topic = self.topic, facility, "Kafka's client: {text}");
            }
            // Connections that end are among the errors, again and again; `error` hears of them once.
            _ => debug!(
                topic = self.topic,
                facility,
                ?level,
                "Kafka's client: {text}"
            ),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        let is_summary = code == Some(RDKafkaErrorCode::AllBrokersDown);
        {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            if last.is_none() || !is_summary {
                let text = reason.to_owned();
                *last = Some(ReportedError { code, text });
            }
        }
        let is_refusal = code == Some(RDKafkaErrorCode::Authentication);
        if (is_summary || is_refusal) && !self.is_down.swap(true, Ordering::Relaxed) {
            let reason = self.last_error().map_or(String::new(), |words| words.text);
            warn!(
                topic = self.topic,
                reason, "Kafka cannot be reached; trying again"
            );
        } else {
            debug!(topic = self.topic, %error, reason, "Kafka's client");
        }
    }
}

impl ConsumerContext for Context {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_nobody_answers_does_not_hide_why() {
        let context = Context::new("orders");
        assert_eq!(context.last_error(), None);
        let all_down = || KafkaError::Global(RDKafkaErrorCode::AllBrokersDown);
        context.error(all_down(), "1/1 brokers are down");
        let refused = KafkaError::Global(RDKafkaErrorCode::BrokerTransportFailure);
        context.error(refused, "Connection refused");
        context.error(all_down(), "1/1 brokers are down");
        assert_eq!(context.last_error().unwrap().text, "Connection refused");
    }
}
