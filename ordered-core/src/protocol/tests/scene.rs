use std::time::Duration;

use crate::event::{Envelope, EventId, Seq};
use crate::protocol::{
    Action, Attempt, BucketState, Event, Fence, Grant, KeyState, Obstacle, Policy, Situation,
    Verdict, Waiting, WorkerId, decide, is_suspect, runnable,
};

pub(super) const A: &str = "worker-a";
pub(super) const B: &str = "worker-b";
pub(super) const LEASE: u64 = 1_000;

/// One key, its bucket, and workers that talk to it.
#[derive(Clone)]
pub(super) struct Scene {
    pub(super) policy: Policy,
    pub(super) bucket: BucketState,
    pub(super) key: KeyState,
    pub(super) now: u64,
}

pub(super) fn event(seq: u64, id: &str) -> Event {
    Event {
        seq: Seq::new(seq).unwrap(),
        id: EventId::new(id).unwrap(),
        epoch: None,
    }
}

/// The id that an event has where the test does not care.
pub(super) fn id_of(seq: u64) -> String {
    format!("id-{seq}")
}

/// Leave to run an event that stands behind 1, or is it.
pub(super) fn run(fence: u64, attempt: u32) -> Verdict {
    run_from(1, fence, attempt)
}

pub(super) fn run_from(front: u64, fence: u64, attempt: u32) -> Verdict {
    let (fence, repeat) = (Fence(fence), false);
    Verdict::Run(Grant {
        fence,
        front,
        attempt,
        repeat,
    })
}

pub(super) fn early(for_seq: u64, why: Obstacle) -> Verdict {
    Verdict::Early(Waiting { for_seq, why })
}

pub(super) fn held(for_seq: u64, why: Obstacle) -> Verdict {
    Verdict::Held(Waiting { for_seq, why })
}

/// The seqs that a verdict hands out, and whether the claim ended.
pub(super) fn committed(verdict: &Verdict) -> (Vec<u64>, bool) {
    match verdict {
        Verdict::Committed { next, front } => {
            let next = next.iter().map(|next| next.seq.get());
            (next.collect(), front.is_none())
        }
        other => panic!("not committed: {other:?}"),
    }
}

pub(super) fn claimed(verdict: &Verdict) -> (Vec<u64>, u32) {
    match verdict {
        Verdict::Claimed { next, attempt, .. } => {
            (next.iter().map(|next| next.seq.get()).collect(), *attempt)
        }
        other => panic!("not claimed: {other:?}"),
    }
}

impl Scene {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn with(change: impl FnOnce(&mut Policy)) -> Self {
        let mut policy = Policy::default();
        change(&mut policy);
        let mut scene = Self {
            bucket: BucketState::default(),
            key: KeyState::new(policy.first_seq),
            policy,
            now: 1_000_000,
        };
        scene.beat(A);
        scene.beat(B);
        scene
    }

    pub(super) fn say(&mut self, worker: &str, action: &Action) -> Verdict {
        let worker = WorkerId::new(worker);
        let situation = Situation {
            policy: &self.policy,
            bucket_quota: self.policy.group_quota,
            worker: &worker,
            now: self.now,
        };
        decide(&mut self.bucket, &mut self.key, situation, action)
    }

    pub(super) fn offer(&mut self, worker: &str, seq: u64) -> Verdict {
        self.offer_as(worker, seq, &id_of(seq))
    }

    pub(super) fn offer_as(&mut self, worker: &str, seq: u64, id: &str) -> Verdict {
        self.say(worker, &Action::Offer(event(seq, id)))
    }

    pub(super) fn hold(&mut self, worker: &str, seq: u64) -> Verdict {
        self.hold_bytes(worker, seq, 10)
    }

    pub(super) fn hold_bytes(&mut self, worker: &str, seq: u64, bytes: usize) -> Verdict {
        let envelope = Envelope::new(vec![b'x'; bytes]);
        self.say(worker, &Action::Hold(event(seq, &id_of(seq)), envelope))
    }

    /// Commits under the present fence, having nothing beyond the event in memory.
    pub(super) fn commit(&mut self, worker: &str, seq: u64) -> Verdict {
        self.commit_as(worker, seq, &id_of(seq), self.key.fence.0, seq)
    }

    pub(super) fn commit_as(
        &mut self,
        worker: &str,
        seq: u64,
        id: &str,
        fence: u64,
        have: u64,
    ) -> Verdict {
        let (event, fence) = (event(seq, id), Fence(fence));
        self.say(worker, &Action::Commit { event, fence, have })
    }

    /// Offers and commits everything up to `seq`.
    pub(super) fn process(&mut self, worker: &str, upto: u64) {
        for seq in self.key.head()..=upto {
            assert!(matches!(self.offer(worker, seq), Verdict::Run(_)));
            committed(&self.commit(worker, seq));
        }
    }

    pub(super) fn attempt(&self, seq: u64, number: u32) -> Attempt {
        Attempt {
            event: event(seq, &id_of(seq)),
            fence: self.key.fence,
            number,
            error: format!("attempt {number} failed"),
        }
    }

    pub(super) fn retry(&mut self, worker: &str, seq: u64, number: u32) -> Verdict {
        let attempt = self.attempt(seq, number);
        self.say(worker, &Action::Retry(attempt))
    }

    pub(super) fn postpone(&mut self, worker: &str, seq: u64, number: u32, millis: u64) -> Verdict {
        let attempt = self.attempt(seq, number);
        let delay = Duration::from_millis(millis);
        self.say(
            worker,
            &Action::Postpone(attempt, Envelope::new("late"), delay),
        )
    }

    pub(super) fn halt(&mut self, worker: &str, seq: u64, number: u32) -> Verdict {
        let attempt = self.attempt(seq, number);
        self.say(worker, &Action::Halt(attempt, Envelope::new("bad")))
    }

    pub(super) fn release(&mut self, worker: &str) -> Verdict {
        let fence = self.key.fence;
        self.say(worker, &Action::Release { fence })
    }

    pub(super) fn claim(&mut self, worker: &str) -> Verdict {
        self.say(worker, &Action::Claim)
    }

    pub(super) fn beat(&mut self, worker: &str) {
        self.bucket
            .leases
            .insert(WorkerId::new(worker), self.now + LEASE);
    }

    /// The worker stops beating, and its lease runs out; the other one lives on.
    pub(super) fn crash(&mut self, worker: &str) {
        self.now += LEASE;
        for other in [A, B] {
            if other != worker {
                self.beat(other);
            }
        }
    }

    pub(super) fn swept(&self) -> bool {
        runnable(&self.bucket, &self.key, &self.policy, self.now)
    }

    pub(super) fn suspect(&self) -> bool {
        is_suspect(&self.bucket, &self.key, &self.policy, self.now)
    }
}
