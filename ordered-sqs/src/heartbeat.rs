use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tracing::{debug, warn};

use crate::calls::Change;
use crate::consumer::Consumer;
use crate::failure::Failure;
use crate::hold::Hold;
use crate::options::seconds;

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
        let lost = consumer.ledger.forget_lost();
        if lost > 0 {
            warn!(
                queue = consumer.queue(),
                lost,
                "the visibility timeout of messages has passed before it could be extended; they come again"
            );
        }
        let due = consumer.ledger.due(Instant::now() + period, visibility);
        if !due.is_empty() {
            let _round = consumer.extending.lock().await;
            // What is due may have been settled while this waited.
            let due = consumer.ledger.due(Instant::now() + period, visibility);
            let changes: Vec<_> = due
                .iter()
                .map(|(_, receipt)| (receipt.clone(), Change::Hide(seconds(visibility))))
                .collect();
            let asked = Instant::now();
            let limit = (visibility / 3).min(MAX_ROUND);
            match timeout(limit, consumer.change(&changes)).await {
                Ok(results) => {
                    let hold = Hold::new(asked, Instant::now(), visibility);
                    let tokens = due.into_iter().map(|(token, _)| token);
                    for (token, result) in tokens.zip(results) {
                        match result {
                            Ok(()) => consumer.ledger.renewed(token, hold),
                            Err(failure) => on_failure(consumer, token, &failure),
                        }
                    }
                }
                Err(_) => debug!(queue = consumer.queue(), "no answer to an extension yet"),
            }
        }
    }
}

fn on_failure(consumer: &Consumer, token: ordered_core::transport::Token, failure: &Failure) {
    if !failure.is_gone() {
        debug!(
            queue = consumer.queue(),
            reason = failure.words,
            "could not extend a message's time yet"
        );
    } else if let Some(entry) = consumer.ledger.forget(token) {
        warn!(
            queue = consumer.queue(),
            id = entry.message.message_id,
            reason = failure.words,
            "a message is no longer ours; it comes again"
        );
    }
}
