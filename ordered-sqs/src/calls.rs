use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry,
};
use futures_util::{StreamExt, stream};

use crate::failure::{Failure, FailureKind};

/// How many messages SQS takes or gives in one call.
pub(crate) const BATCH: usize = 10;

/// How many calls of one kind are under way at a time.
pub(crate) const AT_ONCE: usize = 8;

/// What is to happen to a message that we have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is deleted.
    Delete,
    /// It is out of sight for so many seconds from now.
    Hide(i32),
}

/// Makes all changes, which must be of one kind, and says of each whether it was made.
///
/// They go out in batches of ten; what a batch leaves undone is done one by one.
pub(crate) async fn change(
    client: &Client,
    url: &str,
    changes: &[(String, Change)],
) -> Vec<Result<(), Failure>> {
    let mut calls = Vec::with_capacity(changes.len().div_ceil(BATCH));
    for changes in changes.chunks(BATCH) {
        calls.push(one_batch(client, url, changes));
    }
    let results: Vec<Vec<_>> = stream::iter(calls).buffered(AT_ONCE).collect().await;
    results.into_iter().flatten().collect()
}

async fn one_batch(
    client: &Client,
    url: &str,
    changes: &[(String, Change)],
) -> Vec<Result<(), Failure>> {
    let mut results = match in_one_call(client, url, changes).await {
        Ok(failed) => {
            let mut results = vec![Ok(()); changes.len()];
            for entry in failed {
                let place = entry.id().parse().ok();
                if let Some(result) = place.and_then(|place: usize| results.get_mut(place)) {
                    let message = entry.message().unwrap_or_default();
                    *result = Err(Failure::coded(entry.code(), message));
                }
            }
            results
        }
        // One message that cannot be in a batch must not keep the others.
        Err(failure) if matches!(failure.kind, FailureKind::Gone | FailureKind::Refused) => {
            let undone = Failure {
                kind: FailureKind::Passing,
                ..failure
            };
            vec![Err(undone); changes.len()]
        }
        Err(failure) => return vec![Err(failure); changes.len()],
    };
    for (result, (receipt, change)) in results.iter_mut().zip(changes) {
        if matches!(result, Err(failure) if failure.kind == FailureKind::Passing) {
            *result = alone(client, url, receipt, *change).await;
        }
    }
    results
}

async fn in_one_call(
    client: &Client,
    url: &str,
    changes: &[(String, Change)],
) -> Result<Vec<BatchResultErrorEntry>, Failure> {
    const COMPLETE: &str = "an entry with an id and a receipt is complete";
    let entries = changes.iter().enumerate();
    if matches!(changes.first(), Some((_, Change::Delete))) {
        let entries = entries.map(|(id, (receipt, _))| {
            let entry = DeleteMessageBatchRequestEntry::builder().id(id.to_string());
            entry.receipt_handle(receipt).build().expect(COMPLETE)
        });
        let call = client.delete_message_batch().queue_url(url);
        let sent = call.set_entries(Some(entries.collect())).send().await;
        return sent
            .map(|output| output.failed)
            .map_err(|error| Failure::of(&error));
    }
    let entries = entries.map(|(id, (receipt, change))| {
        let Change::Hide(seconds) = *change else {
            unreachable!("the changes are of one kind")
        };
        let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(id.to_string());
        let entry = entry.receipt_handle(receipt).visibility_timeout(seconds);
        entry.build().expect(COMPLETE)
    });
    let call = client.change_message_visibility_batch().queue_url(url);
    let sent = call.set_entries(Some(entries.collect())).send().await;
    sent.map(|output| output.failed)
        .map_err(|error| Failure::of(&error))
}

async fn alone(client: &Client, url: &str, receipt: &str, change: Change) -> Result<(), Failure> {
    match change {
        Change::Delete => {
            let call = client.delete_message().queue_url(url);
            let sent = call.receipt_handle(receipt).send().await;
            sent.map(drop).map_err(|error| Failure::of(&error))
        }
        Change::Hide(seconds) => {
            let call = client.change_message_visibility().queue_url(url);
            let call = call.receipt_handle(receipt).visibility_timeout(seconds);
            call.send()
                .await
                .map(drop)
                .map_err(|error| Failure::of(&error))
        }
    }
}
