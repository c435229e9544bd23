use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName as Name;
use ordered_core::transport::TransportError;
use serde::Deserialize;
use serde_json::Value;

use crate::failure::Failure;
use crate::link::Link;

/// Of a queue without a usable visibility timeout.
const DEFAULT_VISIBILITY: Duration = Duration::from_secs(30);

pub(crate) const DAY: u64 = 24 * 60 * 60;

/// What the attributes of a queue say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QueueAttributes {
    /// How long a message is out of sight at a time.
    pub(crate) visibility: Duration,
    /// Whether that is not what the queue does by itself.
    pub(crate) is_visibility_ours: bool,
    pub(crate) is_fifo: bool,
    pub(crate) redrive: Option<Redrive>,
    pub(crate) retention_seconds: u64,
    /// How long a message waits before it is delivered at all.
    pub(crate) delay: Duration,
    /// The queue drops a message whose body another one had within five minutes.
    pub(crate) drops_equal_bodies: bool,
    pub(crate) backlog: u64,
}

/// Where the queue puts messages by itself, and after how many receives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Redrive {
    pub(crate) account: Option<String>,
    pub(crate) queue: String,
    pub(crate) max_receives: u64,
}

impl QueueAttributes {
    pub(crate) async fn ask(link: &Link) -> Result<Self, TransportError> {
        let attributes = link
            .client
            .get_queue_attributes()
            .queue_url(&link.url)
            .attribute_names(Name::All)
            .send()
            .await
            .map_err(|error| {
                let doing = "read the queue's attributes (sqs:GetQueueAttributes)";
                link.at_start(Failure::of(&error), doing)
            })?
            .attributes
            .unwrap_or_default();
        Ok(Self::read(&attributes, link))
    }

    fn read(attributes: &HashMap<Name, String>, link: &Link) -> Self {
        let number = |name| attributes.get(&name).and_then(|text| text.parse().ok());
        let own = number(Name::VisibilityTimeout).map(Duration::from_secs);
        // With none at all a message would be everybody's at once.
        let own = own.filter(|visibility| !visibility.is_zero());
        let chosen = link.options.visibility;
        Self {
            visibility: chosen.or(own).unwrap_or(DEFAULT_VISIBILITY),
            is_visibility_ours: chosen.is_some() || own.is_none(),
            is_fifo: link.is_fifo(),
            redrive: attributes
                .get(&Name::RedrivePolicy)
                .and_then(|text| Redrive::read(text)),
            retention_seconds: number(Name::MessageRetentionPeriod).unwrap_or(4 * DAY),
            delay: Duration::from_secs(number(Name::DelaySeconds).unwrap_or_default()),
            drops_equal_bodies: attributes
                .get(&Name::ContentBasedDeduplication)
                .is_some_and(|text| text == "true"),
            backlog: number(Name::ApproximateNumberOfMessages).unwrap_or_default(),
        }
    }
}

impl Redrive {
    /// Reads `{"deadLetterTargetArn": "arn:aws:sqs:region:account:queue", "maxReceiveCount": 5}`; the count may be
    /// text.
    fn read(policy: &str) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Policy {
            dead_letter_target_arn: String,
            max_receive_count: Value,
        }
        let policy: Policy = serde_json::from_str(policy).ok()?;
        let mut parts = policy.dead_letter_target_arn.rsplit(':');
        let queue = parts.next().filter(|queue| !queue.is_empty())?.to_owned();
        let account = parts.next().filter(|account| !account.is_empty());
        let count = &policy.max_receive_count;
        let text = count.as_str().and_then(|text| text.parse().ok());
        Some(Self {
            account: account.map(str::to_owned),
            queue,
            max_receives: count.as_u64().or(text)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redrive_policy_is_read_with_a_number_or_text() {
        for count in ["5", "\"5\""] {
            let policy = format!(
                r#"{{"deadLetterTargetArn":"arn:aws:sqs:eu-central-1:123456789012:orders-dlq","maxReceiveCount":{count}}}"#
            );
            let redrive = Redrive::read(&policy).unwrap();
            assert_eq!(redrive.account.as_deref(), Some("123456789012"));
            assert_eq!(
                (redrive.queue.as_str(), redrive.max_receives),
                ("orders-dlq", 5)
            );
        }
        assert_eq!(Redrive::read("{}"), None);
    }
}
