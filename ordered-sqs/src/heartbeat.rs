use std::time::Duration;

use ordered_core::transport::Token;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tracing::{debug, warn};

use crate::calls::Change;
use crate::consumer::Consumer;
use crate::failure::Failure;
use crate::options::seconds;
use crate::visibility::Visibility;

/// No round of calls takes longer, so that the next one can try again.
const MAX_ROUND: Duration = Duration::from_secs(10);

/// Extends the time of what is unsettled, for ever.
pub(crate) async fn extend(consumer: &Consumer) {
    let visibility = consumer.visibility();
    let period = (visibility / 6).clamp(Duration::from_millis(50), Duration::from_secs(5));
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let lost = consumer.unsettled.forget_lost();
        if lost > 0 {
            let queue = consumer.queue();
            warn!(
                queue,
                lost,
                "the visibility timeout of messages passed before it could be extended; they come again"
            );
        }
        let _round = consumer.extending.lock().await;
        let due = consumer.unsettled.due(Instant::now() + period, visibility);
        if !due.is_empty() {
            round(consumer, due, visibility).await;
        }
    }
}

async fn round(consumer: &Consumer, due: Vec<(Token, String)>, visibility: Duration) {
    let queue = consumer.queue();
    let change = Change::Hide(seconds(visibility));
    let (tokens, changes): (Vec<_>, Vec<_>) = due
        .into_iter()
        .map(|(token, receipt)| (token, (receipt, change)))
        .unzip();
    let asked = Instant::now();
    let limit = (visibility / 3).min(MAX_ROUND);
    let Ok(results) = timeout(limit, consumer.change(&changes)).await else {
        debug!(queue, "no answer to an extension yet");
        return;
    };
    let hold = Visibility::new(asked, Instant::now(), visibility);
    let mut groups = Vec::new();
    for (token, result) in tokens.into_iter().zip(results) {
        match result {
            Ok(()) => consumer.unsettled.renewed(token, hold),
            Err(failure) if failure.is_gone() => {
                groups.extend(forget(consumer, token, &failure));
            }
            Err(Failure { words, .. }) => {
                debug!(
                    queue,
                    reason = words,
                    "could not extend a message's time yet"
                );
            }
        }
    }
    let withdrawn = consumer.withdraw(&groups);
    consumer.give_back_withdrawn(withdrawn).await;
}

/// Forgets what is not ours, and says which group waits for it now.
fn forget(consumer: &Consumer, token: Token, failure: &Failure) -> Option<String> {
    let message = consumer.unsettled.forget(token)?.message;
    let (queue, id) = (consumer.queue(), &message.message_id);
    let reason = &failure.words;
    warn!(
        queue,
        id, reason, "a message is no longer ours; it comes again"
    );
    consumer.group(&message)
}
