use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::Client;
use ordered_core::transport::TransportError;

use crate::address::Address;
use crate::client;
use crate::link::Link;
use crate::options::Options;
use crate::{Sqs, SqsDeadLetters, SqsPublisher};

/// A queue that is about to be connected to: choose, then `.await`.
#[must_use = "nothing happens until it is awaited"]
pub struct SqsBuilder {
    source: Source,
    queue: Option<String>,
    options: Options,
}

/// The URL may have a secret in it, so none of this is `Debug`.
enum Source {
    Url(String),
    Client(Client),
}

impl SqsBuilder {
    pub(crate) fn url(url: impl Into<String>) -> Self {
        Self::new(Source::Url(url.into()))
    }

    pub(crate) fn client(client: Client) -> Self {
        Self::new(Source::Client(client))
    }

    fn new(source: Source) -> Self {
        Self {
            source,
            queue: None,
            options: Options::default(),
        }
    }

    /// The queue's name, in place of the one in the URL.
    pub fn queue(mut self, name: impl Into<String>) -> Self {
        self.queue = Some(name.into());
        self
    }

    /// How long one call waits for messages, in whole seconds up to 20. Default 5 seconds.
    ///
    /// An idle consumer makes one call in this time, and closing it takes up to this time, unless
    /// [`close_within`](SqsBuilder::close_within) says otherwise.
    pub fn wait(mut self, wait: Duration) -> Self {
        self.options.wait = wait;
        self
    }

    /// How long closing waits at the most for the call for messages that is under way. Default: until it is answered,
    /// within the [`wait`](SqsBuilder::wait).
    ///
    /// What is unsettled is shown to others before that, so that only this process waits. With less time, or none, the
    /// call is cut off; a message that SQS gives it nevertheless is not lost, but out of sight of all for the
    /// visibility timeout, and on a FIFO queue its group with it.
    pub fn close_within(mut self, time: Duration) -> Self {
        self.options.close_within = Some(time);
        self
    }

    /// How many calls wait for messages at the same time while there is much to receive. Default 4; an idle consumer
    /// has one.
    pub fn receivers(mut self, receivers: usize) -> Self {
        self.options.receivers = receivers;
        self
    }

    /// How long a message stays out of sight of others at a time, in whole seconds, in place of the queue's own
    /// visibility timeout. It is extended for as long as the event is with the worker; after a crash the event is
    /// delivered again within this time.
    pub fn visibility(mut self, visibility: Duration) -> Self {
        self.options.visibility = Some(visibility);
        self
    }

    /// Whether to refuse a queue whose attributes break a promise, such as a redrive policy that takes events away
    /// after a few receives. The default is no: then the log says so when the transport starts.
    pub fn strict(mut self, strict: bool) -> Self {
        self.options.strict = strict;
        self
    }

    /// The queue for dead letters, in place of the target of the queue's redrive policy or of `<queue>-dead`.
    pub fn dead_letter_queue(mut self, name: impl Into<String>) -> Self {
        self.options.dead_letter_queue = Some(name.into());
        self
    }

    /// Whether to create the queue for dead letters when there is none. Default yes.
    pub fn create_dead_letter_queue(mut self, create: bool) -> Self {
        self.options.create_dead_letter_queue = create;
        self
    }

    /// Where a published event has its message group: the header of this name, or else the top-level field of its JSON.
    /// A header [`MESSAGE_GROUP_ID`](crate::names::MESSAGE_GROUP_ID) goes before it.
    ///
    /// An event that is published to a FIFO queue without any is refused.
    pub fn message_group(mut self, name: impl Into<String>) -> Self {
        self.options.message_group = Some(name.into());
        self
    }

    /// Where a published event has its deduplication id: the header of this name, or else the top-level field of its
    /// JSON. A header [`MESSAGE_DEDUPLICATION_ID`](crate::names::MESSAGE_DEDUPLICATION_ID) goes before it. An event
    /// without any gets an id of its own, so that only a repeated call is recognised.
    ///
    /// A FIFO queue drops a second event of the same id for five minutes without a word. When the second has another
    /// seq, that leaves a gap.
    pub fn message_deduplication(mut self, name: impl Into<String>) -> Self {
        self.options.message_deduplication = Some(name.into());
        self
    }

    /// Leaves deduplication ids that are not in the event to the queue, which must have `ContentBasedDeduplication`.
    pub fn content_based_deduplication(mut self) -> Self {
        self.options.content_based_deduplication = true;
        self
    }

    /// A publisher to the queue, without a consumer; the queue has been found when this returns.
    ///
    /// # Errors
    /// As awaiting the builder.
    pub async fn publisher(self) -> Result<SqsPublisher, TransportError> {
        Ok(SqsPublisher::new(self.open().await?))
    }

    /// The dead letters of the queue, to look at and to put back. Nothing is created.
    ///
    /// # Errors
    /// As awaiting the builder, and when there is no queue of dead letters.
    pub async fn dead_letters(self) -> Result<SqsDeadLetters, TransportError> {
        let link = self.create_dead_letter_queue(false).open().await?;
        SqsDeadLetters::open(link).await
    }

    async fn open(self) -> Result<Arc<Link>, TransportError> {
        let (client, address) = match self.source {
            Source::Client(client) => (Some(client), Address::default()),
            Source::Url(url) => (None, Address::parse(&url)?),
        };
        let queue = self.queue.or_else(|| address.queue.clone());
        let queue = queue.filter(|queue| !queue.is_empty()).ok_or_else(|| {
            TransportError::fatal(
                "SQS: no queue is named: write `sqs://QUEUE`, or add `.queue(\"…\")`",
            )
        })?;
        let mut options = self.options.validated(&queue)?;
        options.message_group = options
            .message_group
            .or_else(|| address.message_group.clone());
        let client = match client {
            Some(client) => client,
            None => client::connect(&address).await?,
        };
        let (endpoint, account) = (address.endpoint, address.account.as_deref());
        let link = Link::open(client, queue, endpoint, account, options).await?;
        Ok(Arc::new(link))
    }
}

/// `.await` reads the configuration of the AWS environment and looks up the queue.
///
/// # Errors
/// When the URL or an option is wrong, no region is known, or the queue cannot be found, with what to do about it.
impl IntoFuture for SqsBuilder {
    type Output = Result<Sqs, TransportError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async { Ok(Sqs::new(self.open().await?)) })
    }
}
