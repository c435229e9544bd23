use std::time::Duration;

use crate::protocol::{GapPolicy, Policy, Start};

/// How a handler's events are treated. The macro's options and the worker builder's settings end up here.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandlerOptions {
    /// The group: the name under which the store keeps the progress.
    pub group: String,
    /// How long one run of the handler may take before it is cancelled and counted as a failed attempt.
    /// Default 30 seconds.
    pub timeout: Duration,
    /// How long to wait between attempts.
    pub backoff: Backoff,
    /// The longest wait that a worker sits out itself; for a longer one, or when half of its handler slots' worth of
    /// keys wait already, the event goes back to the store meanwhile. Default 250 ms.
    pub lane_backoff: Duration,
    /// What happens to an event that failed permanently. Default: its key is halted.
    ///
    /// An event that kills its workers halts its key whatever is said here: no worker is there to hand it over, and the
    /// store, which may not have it, cannot dead-letter what it does not have.
    pub on_exhausted: OnExhausted,
    /// What happens to an event that comes after its seq was skipped. Default: it is dead-lettered.
    pub on_late: OnPassed,
    /// What happens to an event at or below the last committed seq of its key, under an id that is not remembered (any
    /// more). It may be a repetition that comes later than `dedup_ttl`, or an event that a producer numbered anew.
    /// Default: it is dead-lettered. One that was [made to come again](crate::transport::REWOUND) on purpose is
    /// acknowledged, whatever is said here.
    pub on_stale: OnPassed,
    /// What happens to an event whose id was committed under another seq of its key. Default: it is skipped.
    pub on_repeat: OnRepeat,
    /// What the workers do when the store has lost the state of the group. Default: they stop.
    pub on_state_loss: OnStateLoss,
    /// How many events of one key the handler takes at a time, in one [run](super::Handler::call_batch). From 1 to
    /// [`MOST_AHEAD`]. Default 1. Set with [`set_batch`](HandlerOptions::set_batch), lanes are made deep enough.
    ///
    /// A run is what lies in memory of a key when its turn comes, without a gap; nothing waits for it to be longer. Its
    /// events are committed one by one, in one call of the store. If it fails, it is no attempt of any event: its
    /// events run again one at a time, until the one that fails is found and has its own attempts, backoff and end. An
    /// event whose worker died runs alone too, and so do those that may have run with it.
    pub batch: u32,
    /// How many events of a key may be done, and their commits on the way to the store, while the handler of the next
    /// one runs already. From 0, which is strict, to [`MOST_AHEAD`]. Default 0. Set with
    /// [`set_commit_window`](HandlerOptions::set_commit_window), lanes are made deep enough.
    ///
    /// The commits are still 1, 2, 3, …, each once, and two handlers of a key still never run at once. But an event may
    /// run before the one before it is committed: after a crash, a lost lease, or a pause of the key, both run again,
    /// in order. The handler of a worker that has lost its lease without knowing may be further ahead than one event; a
    /// sink that looks at the fencing token refuses all of it. Only first attempts run ahead: an event that failed, or
    /// whose worker died, runs strictly, and so do those that may have run with it.
    pub commit_window: u32,
    /// The rules of the group: attempts, deduplication, quotas.
    pub policy: Policy,
}

/// The most of [`HandlerOptions::batch`] and [`HandlerOptions::commit_window`]: what is ahead is handled again after a
/// crash, is in memory meanwhile, and is named in the claim of its key.
pub const MOST_AHEAD: u32 = 1_000;

/// What happens to an event that used up its attempts, or failed permanently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum OnExhausted {
    /// Its key stops here, and later events wait behind it until an operator decides.
    #[default]
    Halt,
    /// The store dead-letters it, and the key goes on with the next; unless it kills its workers.
    DeadLetter,
}

/// What happens to an event that its key has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum OnPassed {
    /// It is dead-lettered at the broker.
    #[default]
    DeadLetter,
    /// It is dropped.
    Drop,
}

/// What happens to an event whose id was committed under another seq of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum OnRepeat {
    /// It counts as handled: its producer published it twice, and numbered it twice.
    #[default]
    Skip,
    /// It failed permanently: its producer gives different events one id, such as the id of a transaction.
    /// [`OnExhausted`] says what happens to it.
    Conflict,
}

/// What the workers of a group do when the store has lost its state: a server without a disk was restarted, or somebody
/// flushed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum OnStateLoss {
    /// They grant nothing more, log which keys they had and how far these were, and end with an error.
    #[default]
    Stop,
    /// They log the same, and go on with a new state, into which each writes what it still knows of its keys. What was
    /// held is gone, and so are the ids of processed events: an event that comes again is stale, not a duplicate. A key
    /// that no living worker remembers begins anew.
    Adopt,
}

/// Exponential backoff with full jitter: before attempt n+1 a random time up to `base × 2^(n-1)`, at most `cap`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The bound of the first wait. Default 100 ms.
    pub base: Duration,
    /// The bound of every wait. Default 10 seconds.
    pub cap: Duration,
}

impl HandlerOptions {
    /// The defaults, for this group.
    #[must_use]
    pub fn new(group: impl Into<String>) -> Self {
        Self {
            group: group.into(),
            timeout: Duration::from_secs(30),
            backoff: Backoff::default(),
            lane_backoff: Duration::from_millis(250),
            on_exhausted: OnExhausted::default(),
            on_late: OnPassed::default(),
            on_stale: OnPassed::default(),
            on_repeat: OnRepeat::default(),
            on_state_loss: OnStateLoss::default(),
            batch: 1,
            commit_window: 0,
            policy: Policy::default(),
        }
    }

    /// Sets [`batch`](HandlerOptions::batch), and makes lanes at least twice as deep: one run is at work, and the next
    /// comes together.
    pub fn set_batch(&mut self, events: u32) {
        self.batch = events;
        self.deepen(events);
    }

    /// Sets [`commit_window`](HandlerOptions::commit_window), and makes lanes at least twice as deep: what waits for
    /// its commit takes up room in its lane.
    pub fn set_commit_window(&mut self, events: u32) {
        self.commit_window = events;
        self.deepen(events);
    }

    fn deepen(&mut self, ahead: u32) {
        let depth = &mut self.policy.lane_depth;
        *depth = (*depth).max(ahead.saturating_mul(2));
    }

    /// Whether the other options fit the order.
    ///
    /// # Errors
    /// The first option that does not fit, and what to do.
    pub(crate) fn check_order(&self) -> Result<(), (&'static str, String)> {
        let (policy, order) = (&self.policy, self.policy.order);
        if order.waits_for_missing() {
            return Ok(());
        }
        let unfit = |option, why: &str| Err((option, format!("{why} (`order` is `{order}`)")));
        if order.has_producers() && self.on_state_loss == OnStateLoss::Adopt {
            return unfit(
                "on_state_loss",
                "must be `stop`: no worker remembers how far the producers of a key were",
            );
        }
        if order.has_producers() && policy.start != Start::FirstSeq {
            return unfit(
                "start",
                "says with which seq a key begins, and each producer of a key begins with 1: leave it out",
            );
        }
        if order.has_producers() && policy.max_producers == 0 {
            return unfit("max_producers", "must be at least 1");
        }
        if order.has_times() && policy.producer_lease.is_zero() {
            return unfit("producer_lease", "must be longer than nothing");
        }
        if order.has_times() && policy.max_delay.is_some_and(|delay| delay.is_zero()) {
            return unfit("max_delay", "must be longer than nothing");
        }
        if !order.has_times() && policy.max_delay.is_some() {
            return unfit(
                "max_delay",
                "is how long an event waits for what may come with an earlier time: leave it out",
            );
        }
        if policy.on_gap != GapPolicy::Wait && !order.has_gaps() {
            return unfit(
                "on_gap",
                "says what to do about missing events, and none is waited for: leave it out",
            );
        }
        if policy.first_seq != Policy::default().first_seq {
            return unfit(
                "first_seq",
                "says which event is waited for first, and none is: leave it out",
            );
        }
        if order.numbers_itself() && self.on_repeat != OnRepeat::Skip {
            return unfit(
                "on_repeat",
                "must be `skip`: without a seq, the id alone says what is a repetition",
            );
        }
        if order.has_versions() && self.runs_ahead() {
            return unfit(
                "batch",
                "and `commit_window` cannot be used: a version may make the one before it needless",
            );
        }
        Ok(())
    }

    /// Whether events may run before those before them are committed.
    pub(crate) fn runs_ahead(&self) -> bool {
        self.batch > 1 || self.commit_window > 0
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            base: Duration::from_millis(100),
            cap: Duration::from_secs(10),
        }
    }
}

impl Backoff {
    /// The longest wait after the attempt with this number, from 1.
    #[must_use]
    pub fn bound(&self, attempt: u32) -> Duration {
        let doublings = attempt.saturating_sub(1).min(30);
        self.base.saturating_mul(1 << doublings).min(self.cap)
    }

    /// A wait after the attempt with this number: between nothing and the [bound](Backoff::bound).
    #[must_use]
    pub fn wait(&self, attempt: u32, random: &mut fastrand::Rng) -> Duration {
        self.bound(attempt).mul_f64(random.f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_the_cap() {
        let backoff = Backoff {
            base: Duration::from_millis(100),
            cap: Duration::from_secs(1),
        };
        let bounds = [1, 2, 3, 4, 5, 1000].map(|attempt| backoff.bound(attempt).as_millis());
        assert_eq!(bounds, [100, 200, 400, 800, 1000, 1000]);
    }
}
