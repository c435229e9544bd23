use aws_sdk_sqs::Client;
use ordered_core::transport::TransportError;

use crate::failure::{Failure, FailureKind};
use crate::names;
use crate::options::Options;

/// A queue that is there, and how it is to be used.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) client: Client,
    pub(crate) queue: String,
    pub(crate) url: String,
    pub(crate) options: Options,
    endpoint: Option<String>,
}

impl Link {
    /// Finds the queue, which is in another account than that of the credentials where one is given.
    pub(crate) async fn open(
        client: Client,
        queue: String,
        endpoint: Option<String>,
        account: Option<&str>,
        options: Options,
    ) -> Result<Self, TransportError> {
        let mut link = Self {
            client,
            queue,
            url: String::new(),
            options,
            endpoint,
        };
        let found = link.url_of(&link.queue, account).await;
        link.url = found.map_err(|failure| {
            let doing = format!("look up the queue `{}` (sqs:GetQueueUrl)", link.queue);
            link.at_start(failure, &doing)
        })?;
        Ok(link)
    }

    pub(crate) fn is_fifo(&self) -> bool {
        self.queue.ends_with(names::FIFO)
    }

    /// The URL of any queue.
    pub(crate) async fn url_of(
        &self,
        queue: &str,
        account: Option<&str>,
    ) -> Result<String, Failure> {
        let call = self.client.get_queue_url().queue_name(queue);
        let call = call.set_queue_owner_aws_account_id(account.map(str::to_owned));
        let answer = call.send().await.map_err(|error| Failure::of(&error))?;
        answer.queue_url.ok_or_else(|| Failure {
            kind: FailureKind::NoQueue,
            words: format!("the answer about `{queue}` has no URL in it"),
        })
    }

    pub(crate) fn region(&self) -> &str {
        let region = self.client.config().region();
        region.map_or("an unknown region", AsRef::as_ref)
    }

    /// What to do about a failure before anything has worked.
    pub(crate) fn at_start(&self, failure: Failure, doing: &str) -> TransportError {
        let region = self.region();
        let place = match &self.endpoint {
            Some(endpoint) => format!("{endpoint} (region {region})"),
            None => format!("region {region}"),
        };
        let advice = match failure.kind {
            FailureKind::NoQueue => format!(
                "there is no such queue in {place}: create it, or correct the name, the region or the account; a FIFO \
                 queue's name ends with `.fifo`"
            ),
            FailureKind::Credentials => format!(
                "no credentials that {place} accepts: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, \
                 or run where there is a role"
            ),
            FailureKind::Denied => {
                format!("the credentials may not do this in {place}: allow it in their policy")
            }
            FailureKind::Unreachable => format!(
                "nobody answers at {place}: is the region right, the endpoint running, and the way there open?"
            ),
            FailureKind::Gone | FailureKind::Passing | FailureKind::Refused => {
                format!("{place} refuses")
            }
        };
        let words = failure.words;
        TransportError::fatal(format!("SQS: cannot {doing}: {advice} ({words})"))
    }
}
