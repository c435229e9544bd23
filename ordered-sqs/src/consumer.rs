use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use ordered_core::transport::{ConsumeOptions, TransportError, TransportStatus, WorkerProfile};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tracing::warn;

use crate::calls::{self, Change};
use crate::dead_letters::DeadLetters;
use crate::failure::Failure;
use crate::link::Link;
use crate::message::Incoming;
use crate::queue_attributes::QueueAttributes;
use crate::queue_check::QueueCheck;
use crate::unsettled::{Entry, UnsettledMessages};

/// A consumer at work, shared by its tasks and the worker's calls.
#[derive(Debug)]
pub(crate) struct Consumer {
    pub(crate) link: Arc<Link>,
    pub(crate) attributes: QueueAttributes,
    pub(crate) dead_letters: DeadLetters,
    pub(crate) unsettled: UnsettledMessages,
    /// Held over a round of extensions, which takes calls: what sets a message's time in another way waits for the
    /// end of the round, so that the extension does not overtake it.
    pub(crate) extending: Mutex<()>,
    /// Since when SQS does not answer, and what it said last.
    // A std mutex: it is held to look and to set.
    outage: std::sync::Mutex<Option<(Instant, String)>>,
}

impl Consumer {
    /// Asks the broker about the queue, and says what it finds.
    pub(crate) async fn open(
        link: Arc<Link>,
        options: ConsumeOptions,
        worker: Option<WorkerProfile>,
    ) -> Result<Self, TransportError> {
        let attributes = QueueAttributes::ask(&link).await?;
        let dead_letters = DeadLetters::open(&link, &attributes).await?;
        let report = QueueCheck {
            queue: &link.queue,
            region: link.region(),
            dead_letters: &dead_letters.queue,
            attributes: &attributes,
            worker,
        };
        report.log();
        report.promises(link.options.strict)?;
        Ok(Self {
            link,
            attributes,
            dead_letters,
            unsettled: UnsettledMessages::new(options.max_unsettled),
            extending: Mutex::new(()),
            outage: std::sync::Mutex::default(),
        })
    }

    /// SQS has not answered a call for messages, for this reason.
    pub(crate) fn failed(&self, why: &str) {
        let mut outage = self.outage();
        let since = outage.take().map(|(since, _)| since);
        *outage = Some((since.unwrap_or_else(Instant::now), why.to_owned()));
    }

    /// SQS has answered.
    pub(crate) fn answered(&self) {
        *self.outage() = None;
    }

    pub(crate) fn status(&self) -> TransportStatus {
        match &*self.outage() {
            None => TransportStatus::Consuming,
            Some((since, error)) => TransportStatus::Unavailable {
                lasts: since.elapsed(),
                error: error.clone(),
            },
        }
    }

    fn outage(&self) -> MutexGuard<'_, Option<(Instant, String)>> {
        self.outage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn visibility(&self) -> Duration {
        self.attributes.visibility
    }

    pub(crate) fn queue(&self) -> &str {
        &self.link.queue
    }

    /// The message group, where the queue keeps the order of groups.
    pub(crate) fn group(&self, message: &Incoming) -> Option<String> {
        let group = message.group().filter(|_| self.attributes.is_fifo);
        group.map(str::to_owned)
    }

    pub(crate) async fn change(&self, changes: &[(String, Change)]) -> Vec<Result<(), Failure>> {
        calls::change(&self.link.client, &self.link.url, changes).await
    }

    /// Lets others see these messages at once.
    pub(crate) async fn give_back(&self, entries: Vec<Entry>) -> Result<(), Failure> {
        let receipts = entries.into_iter().map(|entry| entry.message.receipt);
        let changes: Vec<_> = receipts.map(|receipt| (receipt, Change::Hide(0))).collect();
        let results = self.change(&changes).await;
        let failures = results.into_iter().filter_map(Result::err);
        match failures.into_iter().find(|failure| !failure.is_gone()) {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }

    /// Of a FIFO queue: takes back what waits here of these groups, for an earlier message of the group comes again.
    pub(crate) fn withdraw(&self, groups: &[String]) -> Vec<Entry> {
        if groups.is_empty() {
            return Vec::new();
        }
        let is_withdrawn = |group: &str| groups.iter().any(|withdrawn| withdrawn == group);
        self.unsettled.withdraw(is_withdrawn)
    }

    /// Gives back what was withdrawn, once what it must not overtake is where it should be.
    pub(crate) async fn give_back_withdrawn(&self, withdrawn: Vec<Entry>) {
        if let Err(failure) = self.give_back(withdrawn).await {
            warn!(
                queue = self.queue(),
                reason = failure.words,
                "could not give back what waits behind a deferred event; it comes again after the visibility timeout"
            );
        }
    }
}
