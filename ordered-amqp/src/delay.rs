use std::time::Duration;

use lapin::types::{AMQPValue, FieldTable};

use crate::outgoing::Places;
use crate::topology::arguments;

const DAY: u32 = 24 * 60 * 60 * 1_000;

/// The delays that have a queue, in milliseconds.
///
/// A queue per delay, because a queue lets messages expire only at its head, so that one with a long time to live
/// would hold up those behind it (<https://www.rabbitmq.com/docs/ttl#per-message-ttl-caveats>).
const STEPS: [u32; 14] = [
    100, 250, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000, 900_000, 3_600_000,
    21_600_000, DAY,
];

/// A time to live is below 2^32 milliseconds.
const MOST_DAYS: u32 = u32::MAX / DAY;

/// How long a delay queue keeps its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Delay(u32);

impl Delay {
    /// The shortest that is no shorter than this: a step, or beyond a day a number of whole days, 49 at most.
    pub(crate) fn at_least(time: Duration) -> Self {
        let millis = time.as_nanos().div_ceil(1_000_000);
        let step = STEPS.into_iter().find(|step| u128::from(*step) >= millis);
        Self(step.unwrap_or_else(|| {
            let days = millis.div_ceil(u128::from(DAY));
            u32::try_from(days).unwrap_or(MOST_DAYS).min(MOST_DAYS) * DAY
        }))
    }

    /// The name of the queue.
    pub(crate) fn queue(self, prefix: &str) -> String {
        format!("{prefix}.{}", self.0)
    }

    /// The arguments of the queue, from which messages go back to the queue, or to the partition of their key.
    ///
    /// A quorum queue, because only those hand an expired message on with a confirm, instead of at most once
    /// (<https://www.rabbitmq.com/docs/quorum-queues#dead-lettering>). It has no `x-expires`: that deletes a queue
    /// together with the messages in it (<https://www.rabbitmq.com/docs/ttl#queue-ttl>).
    pub(crate) fn arguments(self, places: &Places) -> FieldTable {
        let mut table = arguments::quorum();
        match &places.partitions {
            Some(exchange) => arguments::dead_letter_by_key(&mut table, exchange.as_str()),
            None => arguments::dead_letter(&mut table, "", places.queue.as_str()),
        }
        arguments::dead_letter_at_least_once(&mut table);
        table.insert(
            "x-message-ttl".into(),
            AMQPValue::LongLongInt(self.0.into()),
        );
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_rounded_up_to_a_step_and_never_down() {
        let rounded = |time| Delay::at_least(time).0;
        assert_eq!(rounded(Duration::ZERO), 100);
        assert_eq!(rounded(Duration::from_millis(100)), 100);
        assert_eq!(rounded(Duration::from_micros(100_001)), 250);
        assert_eq!(rounded(Duration::from_secs(3)), 5_000);
        assert_eq!(rounded(Duration::from_secs(86_401)), 2 * DAY);
        assert_eq!(rounded(Duration::MAX), 49 * DAY);
    }
}
