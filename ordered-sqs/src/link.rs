use aws_sdk_sqs::Client;
use ordered_core::transport::TransportError;
use tokio::sync::OnceCell;

use crate::address::Address;
use crate::failure::{Failure, FailureKind};
use crate::names;
use crate::options::Options;

/// A client, the name of a queue, and how it is to be used.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) client: Client,
    pub(crate) options: Options,
    queue: Option<String>,
    address: Address,
    url: OnceCell<String>,
}

impl Link {
    pub(crate) fn new(
        client: Client,
        queue: Option<String>,
        address: Option<Address>,
        options: Options,
    ) -> Self {
        Self {
            client,
            options,
            queue,
            address: address.unwrap_or_default(),
            url: OnceCell::new(),
        }
    }

    pub(crate) fn with_queue(&self, queue: String) -> Self {
        Self {
            client: self.client.clone(),
            options: self.options.clone(),
            queue: Some(queue),
            address: self.address.clone(),
            url: OnceCell::new(),
        }
    }

    pub(crate) fn queue(&self) -> Result<&str, TransportError> {
        self.queue.as_deref().ok_or_else(|| {
            TransportError::fatal(
                "SQS: no queue is named: write `sqs://QUEUE`, or add `.queue(\"…\")`",
            )
        })
    }

    pub(crate) fn is_fifo(&self) -> bool {
        let name = self.queue.as_deref();
        name.is_some_and(|name| name.ends_with(names::FIFO))
    }

    /// The queue's URL, which is asked for once.
    pub(crate) async fn url(&self) -> Result<&str, TransportError> {
        let queue = self.queue()?;
        let url = self.url.get_or_try_init(async || {
            let account = self.address.account.as_deref();
            self.url_of(queue, account).await.map_err(|failure| {
                self.at_start(
                    failure,
                    &format!("look up the queue `{queue}` (sqs:GetQueueUrl)"),
                )
            })
        });
        Ok(url.await?.as_str())
    }

    /// The URL of any queue.
    pub(crate) async fn url_of(
        &self,
        name: &str,
        account: Option<&str>,
    ) -> Result<String, Failure> {
        let output = self
            .client
            .get_queue_url()
            .queue_name(name)
            .set_queue_owner_aws_account_id(account.map(str::to_owned))
            .send()
            .await
            .map_err(|error| Failure::of(&error))?;
        output.queue_url.ok_or_else(|| Failure {
            kind: FailureKind::NoQueue,
            words: format!("the answer about `{name}` has no URL in it"),
        })
    }

    pub(crate) fn region(&self) -> &str {
        let region = self.client.config().region();
        region.map_or("an unknown region", AsRef::as_ref)
    }

    /// What to do about a failure before anything has worked.
    pub(crate) fn at_start(&self, failure: Failure, doing: &str) -> TransportError {
        let region = self.region();
        let place = match &self.address.endpoint {
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
