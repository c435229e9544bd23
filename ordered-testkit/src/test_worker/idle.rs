//! When a worker has nothing to do.

use std::time::Duration;

use ordered_core::handler::Handler;
use ordered_core::protocol::{GapPolicy, KeyView, Start};
use ordered_core::store::Group;
use tokio::time::{Instant, sleep};

use super::{TestWorker, lock};

/// How often it is looked: after this time, and while nothing happens after twice the time and so on, up to the
/// longest.
const LOOK: Duration = Duration::from_millis(20);
const LONGEST_LOOK: Duration = Duration::from_secs(1);
/// How long nothing must happen.
const QUIET: Duration = Duration::from_millis(200);

/// Waits until nothing is under way, and nothing has happened for a while.
///
/// # Errors
/// What is still under way when the time is over.
pub(super) fn wait<H: Handler>(
    test: &TestWorker<H>,
    group: Group,
    until: Instant,
) -> impl Future<Output = Result<(), String>> + Send + use<H> {
    let (admin, broker, seen) = (test.admin(), test.broker.clone(), test.seen.clone());
    let quiet = match group.policy().start {
        // Nothing happens while smaller seqs may still come.
        Start::FirstSeen { settle } => settle + QUIET,
        _ => QUIET,
    };
    async move {
        let (mut since, mut known, mut look) = (Instant::now(), 0, LOOK);
        loop {
            let (keys, occurrences) = {
                let seen = lock(&seen);
                (seen.keys.clone(), seen.occurrences)
            };
            let mut busy = match broker.backlog() {
                0 => None,
                backlog => Some(format!(
                    "{backlog} events are with the broker or the worker"
                )),
            };
            for key in &keys {
                let view = admin.inspect(&group, key).await;
                let view = view.expect("a store in memory answers");
                busy = busy.or_else(|| why_busy(&view?, group.policy().on_gap));
            }
            let now = Instant::now();
            look = match occurrences == known && busy.is_some() {
                true => (look * 2).min(LONGEST_LOOK),
                false => LOOK,
            };
            if busy.is_some() || occurrences != known {
                (since, known) = (now, occurrences);
            }
            if now.saturating_duration_since(since) >= quiet {
                return Ok(());
            }
            if now >= until {
                return Err(busy.unwrap_or_else(|| "events still go through it".into()));
            }
            sleep(look).await;
        }
    }
}

/// Why a key will go on by itself.
fn why_busy(view: &KeyView, on_gap: GapPolicy) -> Option<String> {
    let key = &view.key;
    if view.phase == "halted" || view.paused || view.group_paused {
        return None;
    }
    if view.claim.is_some() {
        return Some(format!("the key `{key}` is at work"));
    }
    if view.phase == "backing_off" {
        let error = view
            .last_error
            .as_ref()
            .map_or("", |last_error| &last_error.error);
        return Some(format!("the key `{key}` is to be tried again: {error}"));
    }
    // Who is asked for what is missing may never send it.
    let gap_ends = matches!(on_gap, GapPolicy::Skip { .. } | GapPolicy::Halt { .. });
    if view.gap_since.is_some() && gap_ends {
        return Some(format!("the gap of the key `{key}` is not over yet"));
    }
    None
}
