use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::words::cause_of;
use crate::worker::WorkerEvent;

/// How often the same is logged at the most.
const EVERY: Duration = Duration::from_secs(10);
/// How many causes are told apart.
const CAUSES: usize = 256;

/// Keeps an outage from filling the log: of warnings with one cause, one is logged every ten seconds, with the number
/// of those that were left out.
#[derive(Debug, Default)]
pub(super) struct LogLimit {
    causes: Mutex<HashMap<String, LastLogged>>,
}

#[derive(Debug)]
struct LastLogged {
    at: Instant,
    left_out: u64,
}

impl LogLimit {
    /// Whether the occurrence is to be logged: how many like it were left out before.
    pub(super) fn admits(&self, occurrence: &WorkerEvent<'_>) -> Option<u64> {
        let Some(cause) = cause(occurrence) else {
            return Some(0);
        };
        let now = Instant::now();
        let mut causes = self.causes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = causes.get_mut(&cause) {
            if now - last.at < EVERY {
                last.left_out += 1;
                return None;
            }
            last.at = now;
            return Some(std::mem::take(&mut last.left_out));
        }
        if causes.len() >= CAUSES {
            causes.retain(|_, last| now - last.at < EVERY);
        }
        // With so many causes at once each line is a new one.
        if causes.len() < CAUSES {
            let (at, left_out) = (now, 0);
            causes.insert(cause, LastLogged { at, left_out });
        }
        Some(0)
    }
}

/// What the occurrence has in common with others; `None` for one that is always logged.
fn cause(occurrence: &WorkerEvent<'_>) -> Option<String> {
    let of_error = |kind: &str, key: &str, error| format!("{kind} {}", cause_of(error, &[key]));
    Some(match occurrence {
        WorkerEvent::Retrying { event, error, .. } => {
            of_error("retrying", event.key.as_str(), error)
        }
        WorkerEvent::DeadLettered { event, error, .. } => {
            of_error("dead-lettered", event.key.as_str(), error)
        }
        WorkerEvent::BatchSplit { event, error, .. } => {
            of_error("split", event.key.as_str(), error)
        }
        WorkerEvent::Deferred { why, .. } => format!("deferred {why:?}"),
        WorkerEvent::Stale { .. } => "stale".to_owned(),
        WorkerEvent::Late { .. } => "late".to_owned(),
        WorkerEvent::Committed { repeat: true, .. } => "repeated".to_owned(),
        WorkerEvent::Conflict { .. } => "conflict".to_owned(),
        WorkerEvent::Malformed { reason } => of_error("malformed", "", &reason.text),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EventId, Key, Seq};
    use crate::worker::EventRef;

    #[tokio::test(start_paused = true)]
    async fn of_one_cause_one_line_is_logged_in_ten_seconds_and_the_others_are_counted() {
        let (limit, seq) = (LogLimit::default(), Seq::new(1).unwrap());
        let id = EventId::new("e").unwrap();
        let retrying = |key: &Key, error: &str| {
            limit.admits(&WorkerEvent::Retrying {
                event: EventRef { key, seq, id: &id },
                attempt: 1,
                error,
                wait: Duration::ZERO,
            })
        };
        let keys: Vec<Key> = (0..2_000)
            .map(|number| Key::new(format!("order-{number}")).unwrap())
            .collect();
        let failed = |key: &Key| retrying(key, &format!("{key}: no answer after 30 s"));
        let lines = keys.iter().filter_map(failed).count();
        assert_eq!(lines, 1);
        assert_eq!(retrying(&keys[0], "another cause"), Some(0));
        tokio::time::sleep(EVERY).await;
        assert_eq!(failed(&keys[7]), Some(1_999));
        assert_eq!(failed(&keys[8]), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_causes_are_bounded() {
        let (limit, seq) = (LogLimit::default(), Seq::new(1).unwrap());
        let (key, id) = (Key::new("k").unwrap(), EventId::new("e").unwrap());
        for number in 0..10 * CAUSES {
            let word: String = format!("{number:b}").replace('0', "o").replace('1', "i");
            let retrying = WorkerEvent::Retrying {
                event: EventRef {
                    key: &key,
                    seq,
                    id: &id,
                },
                attempt: 1,
                error: &word,
                wait: Duration::ZERO,
            };
            assert_eq!(limit.admits(&retrying), Some(0), "{word}");
        }
        assert_eq!(limit.causes.lock().unwrap().len(), CAUSES);
    }
}
