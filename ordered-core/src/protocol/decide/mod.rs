mod claim;
mod commit;
mod control;
mod failure;
mod hold;
mod offer;
mod operate;
mod passing;

use std::time::Duration;

use super::{
    Action, BucketState, Event, Fence, GapPolicy, KeyState, Millis, Phase, Policy, Quota, Verdict,
    WorkerId,
};
use crate::event::EventId;

/// Who asks, when, and by which rules.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// The group's rules.
    pub policy: &'a Policy,
    /// The bucket's share of the group's quota.
    pub bucket_quota: Quota,
    /// The worker that sent the command.
    pub worker: &'a WorkerId,
    /// The store's time.
    pub now: Millis,
}

/// The whole protocol: what a command does to a key, and what the worker is told.
pub fn decide(
    bucket: &mut BucketState,
    key: &mut KeyState,
    situation: Situation<'_>,
    action: &Action,
) -> Verdict {
    key.forget(situation.now);
    let last_seq = key.last_seq;
    let mut step = Step {
        bucket,
        key,
        at: situation,
    };
    let verdict = match action {
        Action::Offer(event) => step.offer(event, None),
        Action::Hold(event, envelope) => step.offer(event, Some(envelope)),
        Action::Commit { event, fence, have } => step.commit(event, *fence, *have),
        Action::Retry(attempt) => step.retry(attempt),
        Action::Postpone(attempt, envelope, delay) => step.postpone(attempt, envelope, *delay),
        Action::Halt(attempt, envelope) => step.halt(attempt, envelope),
        Action::DeadLetter {
            attempt,
            envelope,
            have,
        } => step.dead_letter(attempt, envelope, *have),
        Action::Release { fence } => step.release(*fence),
        Action::Claim => step.claim(),
        Action::Fill { from, to } => step.fill(from.get(), to.get()),
        Action::Reset { at, epoch } => step.reset(at.get(), *epoch),
        Action::Operate(verb) => step.operate(verb),
    };
    step.watch_gap(last_seq);
    verdict
}

/// Whether a sweep should point a worker at this key: nobody alive has it, and something of it may run, or its gap has
/// lasted too long, or it waits behind what a worker was granted that is gone.
#[must_use]
pub fn runnable(bucket: &BucketState, key: &KeyState, policy: &Policy, now: Millis) -> bool {
    let free = key
        .claim
        .as_ref()
        .is_none_or(|claim| !bucket.is_alive(&claim.worker, now));
    let left_behind = key.claim.is_some() && !key.held.is_empty();
    let ready = left_behind
        || key.held.contains_key(&key.head())
        || key.replay().is_some()
        || key.gap_is_over(policy.on_gap, now);
    free && ready && !key.paused && !bucket.paused && key.phase.is_open(now)
}

/// From how many starts on that came to no end an event is a suspect.
const SUSPECT: u32 = 2;

/// Whether the event at the head was under way in workers that died, twice or more, and has attempts left. It may be what
/// killed them, or have been beside it. So it is granted to nobody who merely offers it: whoever claims it runs no other
/// such event at the same time, and what does not kill its worker is not halted for what does.
#[must_use]
pub fn is_suspect(bucket: &BucketState, key: &KeyState, policy: &Policy, now: Millis) -> bool {
    let free = key
        .claim
        .as_ref()
        .is_none_or(|claim| !bucket.is_alive(&claim.worker, now));
    // One that failed and waits for its next attempt came to an end.
    free && key.phase == Phase::Open && (SUSPECT..policy.max_attempts).contains(&key.attempts)
}

/// Since when the key waits for an event that has not come, if that is so long that someone should know.
#[must_use]
pub fn stuck_since(key: &KeyState, policy: &Policy, now: Millis) -> Option<Millis> {
    key.gap_since
        .filter(|since| since.saturating_add(millis(policy.stuck_after)) <= now)
}

impl Phase {
    fn is_open(self, now: Millis) -> bool {
        match self {
            Self::Open => true,
            Self::BackingOff { until } => until <= now,
            Self::Halted => false,
        }
    }
}

impl KeyState {
    fn gap_is_over(&self, on_gap: GapPolicy, now: Millis) -> bool {
        match (self.gap_since, on_gap.after()) {
            (Some(since), Some(after)) => since.saturating_add(millis(after)) <= now,
            _ => false,
        }
    }
}

/// One command at work on one key.
struct Step<'a> {
    bucket: &'a mut BucketState,
    key: &'a mut KeyState,
    at: Situation<'a>,
}

/// What the parts of the protocol share.
impl Step<'_> {
    fn owns(&self, fence: Fence) -> bool {
        fence == self.key.fence
            && self
                .key
                .claim
                .as_ref()
                .is_some_and(|claim| claim.worker == *self.at.worker)
    }

    /// Whether the worker has the key, and this event is the one at work.
    fn owns_front(&self, event: &Event, fence: Fence) -> bool {
        let front = self
            .key
            .claim
            .as_ref()
            .and_then(|claim| claim.granted.front());
        self.owns(fence)
            && front.is_some_and(|front| front.seq == event.seq.get() && front.id == event.id)
    }

    /// The seq of what the worker runs next, while the grant with this fence is its own.
    fn front_of(&self, fence: Fence) -> Option<u64> {
        let claim = self.key.claim.as_ref().filter(|_| self.owns(fence))?;
        claim.granted.front().map(|front| front.seq)
    }

    /// How often the event was started: the one at the head, or one that is replayed.
    fn attempts(&mut self, seq: u64) -> &mut u32 {
        if seq <= self.key.last_seq
            && let Some(dead) = self.key.dead.get_mut(&(self.key.epoch, seq))
        {
            return &mut dead.attempts;
        }
        &mut self.key.attempts
    }

    /// The event at the front of the claim begins its next attempt.
    fn begin_front(&mut self) {
        let front = self
            .key
            .claim
            .as_ref()
            .and_then(|claim| claim.granted.front())
            .map(|front| front.seq);
        if let Some(seq) = front {
            *self.attempts(seq) += 1;
        }
    }

    /// Ends whatever claim there is, so that its worker can change nothing any more.
    fn seize(&mut self) {
        self.key.claim = None;
        self.key.fence.0 += 1;
    }

    /// Ends the worker's own claim.
    fn end_claim(&mut self) {
        self.key.claim = None;
        self.pass_absent();
    }

    /// How many events a worker may have granted: at least one, or nothing would ever run.
    fn lane_depth(&self) -> usize {
        self.at.policy.lane_depth.max(1) as usize
    }

    fn is_paused(&self) -> bool {
        self.key.paused || self.bucket.paused
    }

    fn is_repeat(&self, id: &EventId) -> bool {
        self.key.is_done(id, self.at.now)
    }

    fn remembered_until(&self) -> Millis {
        self.at.now.saturating_add(millis(self.at.policy.dedup_ttl))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
