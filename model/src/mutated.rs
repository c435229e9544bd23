//! `decide` and `runnable` as they ship, and wrapped in a mistake where there is one.

use ordered_core::event::Envelope;
use ordered_core::protocol::{
    Action, BucketState, Event, Held, KeyState, Phase, Policy, Quota, Situation, Verb, Verdict,
    WorkerId, decide, runnable,
};

use crate::mutation::Mutation;
use crate::world::World;

/// The server's time; everything in the state is relative to it.
pub(crate) const NOW: u64 = 1_000;

const QUOTA: Quota = Quota {
    events: u64::MAX / 2,
    bytes: u64::MAX / 2,
};

/// Applies a command of a worker to the world's key.
pub(crate) fn apply(
    world: &mut World,
    policy: &Policy,
    mutation: Option<Mutation>,
    worker: &WorkerId,
    action: &Action,
) -> Verdict {
    let mut situation = Situation {
        policy,
        bucket_quota: QUOTA,
        worker,
        now: NOW,
    };
    let World { bucket, key, .. } = world;
    let before = mutation.map(|_| key.clone());
    let mut action = action.clone();
    match mutation {
        Some(Mutation::NoFenceAtCommit) => {
            if let Action::Commit { event, fence, .. } = &mut action {
                *fence = key.fence;
                if let Some(claim) = &mut key.claim
                    && event.seq.get() == key.last_seq + 1
                {
                    claim.worker = worker.clone();
                }
            }
        }
        Some(Mutation::ClientClock) => situation.now = NOW + 1,
        Some(Mutation::TakeoverBeforeLeaseEnd) if is_place(&action) => {
            key.claim.take_if(|claim| claim.worker != *worker);
        }
        Some(Mutation::GrantOverGap) => {
            if let Action::Offer(event) = &action
                && key.claim.is_none()
            {
                key.last_seq = key.last_seq.max(event.seq.get() - 1);
            }
        }
        Some(Mutation::ReleaseKeepsClaim) if matches!(action, Action::Release { .. }) => {
            return Verdict::Released;
        }
        Some(Mutation::CommitIsNotIdempotent) => {
            if let Action::Commit { event, .. } = &action
                && event.seq.get() <= key.last_seq
            {
                return Verdict::Fenced;
            }
        }
        Some(Mutation::LastWins) => {
            if let Action::Hold(event, envelope) = &action {
                replace(key, event, envelope);
            }
        }
        Some(Mutation::RetryCommits) => {
            if let Action::Retry(tried) = &action {
                action = Action::Commit {
                    event: tried.event.clone(),
                    fence: tried.fence,
                    have: tried.event.seq.get(),
                };
            }
        }
        Some(Mutation::ReplayBesideHead) if action == Action::Claim && key.has_replay() => {
            key.claim = None;
        }
        Some(Mutation::FillIsForgotten) if matches!(action, Action::Fill { .. }) => {
            return Verdict::Noted;
        }
        Some(Mutation::FillPassesGranted) => {
            if let Action::Fill { from, to } = &action
                && from.get() <= key.head()
            {
                key.last_seq = key.last_seq.max(to.get());
                return Verdict::Noted;
            }
        }
        Some(Mutation::ResetDropsHeld) if matches!(action, Action::Reset { .. }) => {
            drop_held(bucket, key);
        }
        _ => {}
    }
    let verdict = decide(bucket, key, situation, &action);
    let (Some(mutation), Some(before)) = (mutation, before) else {
        return verdict;
    };
    after(mutation, bucket, key, &before, &action, verdict)
}

fn after(
    mutation: Mutation,
    bucket: &mut BucketState,
    key: &mut KeyState,
    before: &KeyState,
    action: &Action,
    verdict: Verdict,
) -> Verdict {
    match (mutation, verdict) {
        (Mutation::MarkBeforeHandle, verdict) => {
            if let (Action::Offer(event) | Action::Hold(event, _), Verdict::Run(_)) =
                (action, &verdict)
            {
                let expires = u64::MAX / 2;
                key.done_ids
                    .insert(event.id.clone(), (event.seq.get(), expires));
            }
            verdict
        }
        (Mutation::HeldDroppedOnCommit, Verdict::Committed { .. })
            if key.last_seq > before.last_seq =>
        {
            key.held.remove(&key.head());
            key.claim = None;
            Verdict::Committed {
                next: Vec::new(),
                front: None,
            }
        }
        (Mutation::DuplicateBySeqOnly, Verdict::Conflict { .. }) => Verdict::Duplicate,
        (Mutation::PostponedIsNotKept, verdict @ Verdict::Postponed { .. }) => {
            if let Action::Postpone(tried, ..) = action {
                key.held.remove(&tried.event.seq.get());
                key.phase = Phase::Open;
            }
            verdict
        }
        (mutation, verdict @ Verdict::Operated(_)) => {
            after_order(mutation, bucket, key, before, action);
            verdict
        }
        (Mutation::ReplayIsRepeat, mut verdict) => {
            if let Verdict::Claimed { next, .. } | Verdict::Committed { next, .. } = &mut verdict {
                let replays = next
                    .iter_mut()
                    .filter(|next| next.seq.get() <= key.last_seq);
                replays.for_each(|next| next.repeat = true);
            }
            verdict
        }
        (Mutation::LateIsStale, Verdict::Late) => Verdict::Stale,
        (Mutation::SkipsOverHeld, verdict) => {
            if *action == Action::Claim && key.last_seq > before.last_seq {
                key.claim = None;
                key.last_seq += 1;
                let last_seq = key.last_seq;
                key.held.retain(|seq, _| *seq > last_seq);
                return Verdict::Idle;
            }
            verdict
        }
        (_, verdict) => verdict,
    }
}

/// What an operator's verb does, with a mistake in it.
fn after_order(
    mutation: Mutation,
    bucket: &mut BucketState,
    key: &mut KeyState,
    before: &KeyState,
    action: &Action,
) {
    let Action::Operate(verb) = action else {
        return;
    };
    match (mutation, verb) {
        (Mutation::SkipDoesNotFence, Verb::Skip { .. }) => {
            key.claim.clone_from(&before.claim);
            key.fence = before.fence;
        }
        (Mutation::DiscardDrops, Verb::Discard { seq }) if before.held.contains_key(&seq.get()) => {
            key.dead.remove(&(key.epoch, seq.get()));
        }
        (Mutation::PauseForgetsHeld, Verb::Pause) => drop_held(bucket, key),
        (Mutation::RetryKeepsAttempts, Verb::Retry) => key.attempts = before.attempts,
        (Mutation::SetLastKeepsRemembering, Verb::SetLast { .. }) => {
            key.done.clone_from(&before.done);
            key.epoch = before.epoch;
        }
        _ => {}
    }
}

fn drop_held(bucket: &mut BucketState, key: &mut KeyState) {
    bucket.held_events -= key.held.len() as u64;
    bucket.held_bytes -= key.held_bytes;
    key.held.clear();
    key.held_bytes = 0;
}

trait Replays {
    fn has_replay(&self) -> bool;
}

impl Replays for KeyState {
    fn has_replay(&self) -> bool {
        let mut here = self
            .dead
            .range((self.epoch, 0)..=(self.epoch, self.last_seq));
        here.any(|(_, dead)| dead.replay)
    }
}

/// What a sweep says of the world's key.
pub(crate) fn swept(world: &World, policy: &Policy, mutation: Option<Mutation>) -> bool {
    match mutation {
        Some(Mutation::SweepIgnoresDeadWorkers) if world.key.claim.is_some() => false,
        Some(Mutation::ReplayBesideHead) if world.key.has_replay() => {
            runnable(&world.bucket, &free(&world.key), policy, NOW)
        }
        Some(Mutation::ClientClock) => runnable(&world.bucket, &world.key, policy, NOW + 1),
        _ => runnable(&world.bucket, &world.key, policy, NOW),
    }
}

/// The key, as if nobody had it.
fn free(key: &KeyState) -> KeyState {
    let mut free = key.clone();
    free.claim = None;
    free
}

fn is_place(action: &Action) -> bool {
    matches!(action, Action::Offer(_) | Action::Hold(..))
}

fn replace(key: &mut KeyState, event: &Event, envelope: &Envelope) {
    if let Some(held) = key.held.get_mut(&event.seq.get()) {
        *held = Held {
            id: event.id.clone(),
            envelope: envelope.clone(),
            since: held.since,
        };
    }
}
