use std::time::Duration;

use futures_util::{StreamExt, stream};
use ordered_core::transport::{Disposition, Reason, Settlement, TransportError};
use tokio::time::Instant;
use tracing::{debug, error};

use crate::calls::{AT_ONCE, Change};
use crate::consumer::Consumer;
use crate::failure::{Failure, FailureKind};
use crate::message::Incoming;
use crate::options::{MAX_VISIBILITY, seconds};
use crate::unsettled::Entry;

/// What to do with messages, sorted by kind.
#[derive(Default)]
struct Plan {
    deletes: Vec<(String, Change)>,
    hides: Vec<(String, Change)>,
    dead: Vec<(Entry, Reason)>,
    /// The groups, on a FIFO queue, of what is deferred.
    deferred_groups: Vec<String>,
    taken: usize,
    lost: usize,
}

/// Gives back the room when done, also when the caller is gone before that.
struct Settling<'a>(&'a Consumer, usize);

impl Drop for Settling<'_> {
    fn drop(&mut self) {
        self.0.unsettled.settled(self.1);
    }
}

pub(crate) async fn settle(
    consumer: &Consumer,
    settlements: Vec<Settlement>,
) -> Result<(), TransportError> {
    let plan = Plan::new(consumer, settlements);
    let _settling = Settling(consumer, plan.taken);
    let withdrawn = consumer.withdraw(&plan.deferred_groups);
    if !plan.hides.is_empty() {
        drop(consumer.extending.lock().await);
    }
    let (deleted, hidden, dead_lettered) = tokio::join!(
        consumer.change(&plan.deletes),
        consumer.change(&plan.hides),
        dead_letter(consumer, plan.dead),
    );
    consumer.give_back_withdrawn(withdrawn).await;
    let mut failures = Vec::new();
    let mut lost = plan.lost;
    for result in deleted.into_iter().chain(hidden).chain(dead_lettered) {
        match result {
            Err(failure) if failure.is_gone() => lost += 1,
            Err(failure) => failures.push(failure),
            Ok(()) => {}
        }
    }
    if lost > 0 {
        debug!(
            queue = consumer.queue(),
            lost, "messages were no longer ours when they were settled"
        );
    }
    match failures.first() {
        None => Ok(()),
        Some(first) => Err(TransportError::unavailable(format!(
            "SQS: {} of {} messages of the queue `{}` could not be settled: {}",
            failures.len(),
            plan.taken,
            consumer.queue(),
            first.words
        ))),
    }
}

impl Plan {
    fn new(consumer: &Consumer, settlements: Vec<Settlement>) -> Self {
        let now = Instant::now();
        let mut plan = Self::default();
        for Settlement { token, disposition } in settlements {
            let Some(entry) = consumer.unsettled.settle(token) else {
                continue;
            };
            plan.taken += 1;
            // Its receipt has expired: another worker may have the message by now.
            if entry.visibility.is_lost(now) {
                plan.lost += 1;
                continue;
            }
            match disposition {
                Disposition::Ack => plan.deletes.push((entry.message.receipt, Change::Delete)),
                Disposition::Defer(delay) => {
                    let hide = Change::Hide(hidden_for(delay, now - entry.received));
                    plan.deferred_groups.extend(consumer.group(&entry.message));
                    plan.hides.push((entry.message.receipt, hide));
                }
                Disposition::DeadLetter(reason) => plan.dead.push((entry, reason)),
            }
        }
        plan
    }
}

/// Sends the dead letters and deletes the originals of those that were sent.
async fn dead_letter(consumer: &Consumer, dead: Vec<(Entry, Reason)>) -> Vec<Result<(), Failure>> {
    let mut sends = Vec::with_capacity(dead.len());
    for (Entry { message, .. }, reason) in dead {
        sends.push(send(consumer, message, reason));
    }
    let sent: Vec<_> = stream::iter(sends).buffered(AT_ONCE).collect().await;
    let (sent, failed): (Vec<_>, Vec<_>) = sent.into_iter().partition(Result::is_ok);
    let deletes: Vec<_> = sent.into_iter().flatten().collect();
    let mut results = consumer.change(&deletes).await;
    results.extend(failed.into_iter().map(|result| result.map(drop)));
    results
}

/// Sends one dead letter, and says how to delete the original.
async fn send(
    consumer: &Consumer,
    message: Incoming,
    reason: Reason,
) -> Result<(String, Change), Failure> {
    let dead_letters = &consumer.dead_letters;
    match dead_letters.send(&consumer.link, &message, &reason).await {
        Ok(()) => Ok((message.receipt, Change::Delete)),
        Err(failure) => {
            error!(
                queue = consumer.queue(),
                dead_letters = dead_letters.queue,
                id = message.message_id,
                reason = failure.words,
                "could not dead-letter an event; it comes again"
            );
            // `Gone` would mean the receipt; here it is the letter that is refused.
            let kind = FailureKind::Refused;
            Err(Failure { kind, ..failure })
        }
    }
}

/// Whole seconds, never less than asked for, but for the twelve hours that a message can be out at the most.
fn hidden_for(delay: Duration, since_received: Duration) -> i32 {
    // A second less, for what the clocks and the way there take.
    let left = MAX_VISIBILITY.saturating_sub(since_received + Duration::from_secs(1));
    let whole = Duration::from_secs(delay.as_secs() + u64::from(delay.subsec_nanos() > 0));
    seconds(whole.min(left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_rounded_up_and_kept_within_twelve_hours() {
        let hidden =
            |millis, since| hidden_for(Duration::from_millis(millis), Duration::from_secs(since));
        assert_eq!(hidden(0, 0), 0);
        assert_eq!(hidden(1, 0), 1);
        assert_eq!(hidden(1_000, 0), 1);
        assert_eq!(hidden(1_001, 0), 2);
        assert_eq!(hidden(u64::MAX, 0), 43_199);
        assert_eq!(hidden(u64::MAX, 43_000), 199);
        assert_eq!(hidden(5_000, 50_000), 0);
    }
}
