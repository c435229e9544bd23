use std::collections::{HashSet, VecDeque};
use std::hash::BuildHasher;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

use crate::event::Key;
use crate::words::cause_of;

/// How long to wait before the second start while most runs fail. It doubles from start to start. It is short, because
/// the failures may be of many keys that share a fault, and the first start finds a key that does not.
const FIRST_WAIT: Duration = Duration::from_millis(10);

/// Paces the starts of handlers while most runs fail for the same cause, such as a database that is unavailable: then
/// every key would use up its attempts, and none would get anything done.
///
/// It is open once nine of ten of the last first attempts failed for one cause, on several keys. Then one run starts
/// after the other, each after a longer wait, until one succeeds. Later attempts do not open it: events that fail
/// whenever they are tried shall not slow the others down. Starts are taken from both ends of the keys that wait, in
/// turns, so that many keys that share a fault do not hold up those behind them.
pub(super) struct Breaker {
    group: std::sync::Arc<str>,
    /// How many first attempts are looked at; zero turns it off.
    runs: usize,
    longest_wait: Duration,
    recent: VecDeque<Option<Failed>>,
    failures: usize,
    open: Option<Open>,
    hasher: foldhash::fast::RandomState,
}

/// A failure, by the hashes of its cause and its key.
#[derive(Clone, Copy)]
struct Failed {
    cause: u64,
    key: u64,
}

struct Open {
    since: Instant,
    next_start: Instant,
    wait: Duration,
    /// Whether the key that has waited shortest is tried next, and not the one that has waited longest.
    newest: bool,
}

/// What a run did to the breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BreakerChange {
    Opened,
    Closed,
}

impl Breaker {
    pub(super) fn new(group: std::sync::Arc<str>, runs: usize, longest_wait: Duration) -> Self {
        Self {
            group,
            runs,
            longest_wait,
            recent: VecDeque::new(),
            failures: 0,
            open: None,
            hasher: foldhash::fast::RandomState::default(),
        }
    }

    /// From when on the next run may start, while it is open.
    pub(super) fn next_start(&self) -> Option<Instant> {
        self.open.as_ref().map(|open| open.next_start)
    }

    /// While it is open: whether the key that has waited shortest is to be tried next, or the one that has waited
    /// longest.
    pub(super) fn tries_newest(&self) -> Option<bool> {
        self.open.as_ref().map(|open| open.newest)
    }

    /// Whether a run may start now.
    pub(super) fn admits(&self) -> bool {
        self.next_start().is_none_or(|at| at <= Instant::now())
    }

    /// A run starts.
    pub(super) fn started(&mut self) {
        if let Some(open) = &mut self.open {
            open.next_start = Instant::now() + open.wait;
            open.wait = (open.wait * 2).min(self.longest_wait);
            open.newest = !open.newest;
        }
    }

    /// Nothing could start when the next run was due.
    pub(super) fn skipped(&mut self) {
        if let Some(open) = &mut self.open
            && open.next_start <= Instant::now()
        {
            open.next_start = Instant::now() + open.wait;
        }
    }

    /// A run is over: `error` says why it failed, if it did.
    pub(super) fn finished(
        &mut self,
        key: &Key,
        attempt: u32,
        error: Option<&str>,
    ) -> Option<BreakerChange> {
        match error {
            // Where all goes well, nothing is noted.
            None if self.failures == 0 => None,
            None => {
                self.note(None);
                self.close()
            }
            Some(_) if self.runs == 0 || attempt > 1 || self.open.is_some() => None,
            Some(error) => {
                let failed = Failed {
                    cause: self.hasher.hash_one(cause_of(error, &[key.as_str()])),
                    key: self.hasher.hash_one(key),
                };
                self.note(Some(failed));
                self.open_if(failed.cause, error)
            }
        }
    }

    fn note(&mut self, outcome: Option<Failed>) {
        if self.recent.len() == self.runs
            && let Some(Some(_)) = self.recent.pop_front()
        {
            self.failures -= 1;
        }
        self.failures += usize::from(outcome.is_some());
        self.recent.push_back(outcome);
    }

    fn open_if(&mut self, cause: u64, error: &str) -> Option<BreakerChange> {
        if self.recent.len() < self.runs {
            return None;
        }
        let alike = || {
            let failures = self.recent.iter().flatten();
            failures.filter(|failed| failed.cause == cause)
        };
        let failed = alike().count();
        let keys: HashSet<u64> = alike().map(|failed| failed.key).collect();
        if failed * 10 < self.runs * 9 || keys.len() * 2 < self.runs {
            return None;
        }
        let now = Instant::now();
        self.open = Some(Open {
            since: now,
            next_start: now + FIRST_WAIT.min(self.longest_wait),
            wait: FIRST_WAIT.min(self.longest_wait),
            newest: true,
        });
        warn!(
            group = &*self.group,
            failed,
            of = self.runs,
            keys = keys.len(),
            error,
            longest_wait = ?self.longest_wait,
            "most runs of the handler fail for the same cause: one starts at a time until one succeeds"
        );
        Some(BreakerChange::Opened)
    }

    fn close(&mut self) -> Option<BreakerChange> {
        let open = self.open.take()?;
        self.recent.clear();
        self.failures = 0;
        info!(
            group = &*self.group,
            after = ?open.since.elapsed(),
            "a run of the handler succeeded: runs start as usual again"
        );
        Some(BreakerChange::Closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker() -> Breaker {
        Breaker::new("test".into(), 20, Duration::from_secs(1))
    }

    fn key(number: usize) -> Key {
        Key::new(format!("key-{number}")).unwrap()
    }

    fn fail(breaker: &mut Breaker, runs: usize) -> Option<BreakerChange> {
        let mut turned = None;
        for run in 0..runs {
            turned = turned.or(breaker.finished(
                &key(run),
                1,
                Some(&format!("no answer to call {run}")),
            ));
        }
        turned
    }

    #[tokio::test(start_paused = true)]
    async fn it_opens_where_most_runs_fail_for_one_cause_and_closes_with_a_success() {
        let mut breaker = breaker();
        assert_eq!(fail(&mut breaker, 19), None);
        assert!(breaker.admits());
        assert_eq!(fail(&mut breaker, 1), Some(BreakerChange::Opened));
        assert!(!breaker.admits());
        assert_eq!(
            breaker.finished(&key(1), 3, None),
            Some(BreakerChange::Closed)
        );
        assert!(breaker.admits());
        assert_eq!(fail(&mut breaker, 19), None, "it begins anew");
    }

    #[tokio::test(start_paused = true)]
    async fn it_stays_closed_where_one_in_five_succeeds_or_one_key_fails() {
        let mut open = 0;
        let (mut mixed, mut single) = (breaker(), breaker());
        for run in 0..200 {
            let error = (run % 5 > 0).then_some("refused");
            open += usize::from(mixed.finished(&key(run), 1, error).is_some());
            open += usize::from(single.finished(&key(run % 3), 1, Some("refused")).is_some());
        }
        assert_eq!(open, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn later_attempts_do_not_open_it() {
        let mut breaker = breaker();
        for run in 0..200 {
            assert_eq!(breaker.finished(&key(run), 2, Some("refused")), None);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_stays_closed_where_the_causes_differ() {
        let mut breaker = breaker();
        for run in 0..200 {
            let error = ["a field is missing", "refused", "no such customer"][run % 3];
            assert_eq!(breaker.finished(&key(run), 1, Some(error)), None);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn starts_are_paced_by_a_wait_that_doubles_up_to_its_limit() {
        let mut breaker = breaker();
        fail(&mut breaker, 20);
        let mut waits = Vec::new();
        for _ in 0..10 {
            let begun = Instant::now();
            tokio::time::sleep_until(breaker.next_start().unwrap()).await;
            assert!(breaker.admits());
            breaker.started();
            waits.push(begun.elapsed().as_millis());
        }
        assert_eq!(waits, [10, 10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
    }

    #[tokio::test(start_paused = true)]
    async fn without_runs_to_look_at_it_never_opens() {
        let mut breaker = Breaker::new("test".into(), 0, Duration::from_secs(1));
        assert_eq!(fail(&mut breaker, 1_000), None);
    }
}
