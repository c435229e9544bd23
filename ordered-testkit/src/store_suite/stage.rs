use std::time::Duration;

use ordered_core::clock::Clock;
use ordered_core::event::{Envelope, EventId, Key, Seq};
use ordered_core::protocol::{
    Action, Attempt, Command, Event, Fence, Grant, KeyView, Obstacle, Policy, Verdict, Waiting,
    WorkerId,
};
use ordered_core::store::{Admin, Group, Store};

use super::model::START;
use crate::unique;

/// Two workers of the tests.
pub(crate) const A: &str = "worker-a";
pub(crate) const B: &str = "worker-b";
pub(crate) const LEASE: u64 = 1_000;

/// A store with a clock, a group of its own, and shorthands to talk to it.
pub struct Stage<S> {
    pub(crate) store: S,
    pub(crate) clock: Clock,
    pub(crate) group: Group,
    pub(crate) key: Key,
}

pub(crate) fn key(text: &str) -> Key {
    Key::new(text).expect("it is neither empty nor long")
}

pub(crate) fn event(seq: u64, id: &str) -> Event {
    Event {
        seq: Seq::new(seq).expect("it is in bounds"),
        id: EventId::new(id).expect("it is neither empty nor long"),
        epoch: None,
    }
}

/// The event with this seq where its id does not matter.
pub(crate) fn plain(seq: u64) -> Event {
    event(seq, &format!("id-{seq}"))
}

/// Leave to run an event that stands behind 1, or is it.
pub(crate) fn run(fence: u64, attempt: u32) -> Verdict {
    run_from(1, fence, attempt)
}

pub(crate) fn run_from(front: u64, fence: u64, attempt: u32) -> Verdict {
    Verdict::Run(Grant {
        fence: Fence(fence),
        front,
        attempt,
        repeat: false,
    })
}

pub(crate) fn early(for_seq: u64, why: Obstacle) -> Verdict {
    Verdict::Early(Waiting { for_seq, why })
}

pub(crate) fn held(for_seq: u64, why: Obstacle) -> Verdict {
    Verdict::Held(Waiting { for_seq, why })
}

/// What a verdict hands out, and whether the claim ended.
pub(crate) fn committed(verdict: &Verdict) -> (Vec<u64>, bool) {
    match verdict {
        Verdict::Committed { next, front } => {
            let next = next.iter().map(|next| next.seq.get());
            (next.collect(), front.is_none())
        }
        other => panic!("not committed: {other:?}"),
    }
}

pub(crate) fn claimed(verdict: &Verdict) -> (Vec<u64>, u32) {
    match verdict {
        Verdict::Claimed { next, attempt, .. } => {
            (next.iter().map(|next| next.seq.get()).collect(), *attempt)
        }
        other => panic!("not claimed: {other:?}"),
    }
}

impl Stage<()> {
    /// The clock of a test.
    #[must_use]
    pub fn clock() -> Clock {
        Clock::manual(START)
    }
}

impl<S: Store + Admin> Stage<S> {
    /// A group that is opened, with two workers alive.
    ///
    /// # Panics
    /// When the store does not open.
    pub async fn new(store: S, clock: Clock) -> Self {
        let stage = Self {
            store,
            clock,
            group: Group::new(unique("stage"), Policy::default()),
            key: key("order-1"),
        };
        stage
            .store
            .open(&stage.group, &WorkerId::new(A))
            .await
            .expect("the group opens");
        stage.beat(A).await;
        stage.beat(B).await;
        stage
    }

    /// The same with other rules.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        let mut policy = self.group.policy().clone();
        change(&mut policy);
        self.group = Group::new(self.group.name(), policy);
        self
    }

    pub(crate) async fn batch(&self, worker: &str, commands: &[Command]) -> Vec<Verdict> {
        let worker = WorkerId::new(worker);
        let verdicts = self.store.apply(&self.group, &worker, commands).await;
        let verdicts = verdicts.expect("the store is there");
        assert_eq!(verdicts.len(), commands.len());
        verdicts
    }

    pub(crate) async fn say_of(&self, key: &Key, worker: &str, action: Action) -> Verdict {
        let key = key.clone();
        self.batch(worker, &[Command { key, action }])
            .await
            .remove(0)
    }

    pub(crate) async fn say(&self, worker: &str, action: Action) -> Verdict {
        self.say_of(&self.key, worker, action).await
    }

    pub(crate) async fn offer(&self, worker: &str, seq: u64) -> Verdict {
        self.say(worker, Action::Offer(plain(seq))).await
    }

    pub(crate) async fn hold(&self, worker: &str, seq: u64) -> Verdict {
        let envelope = Envelope::new("ten bytes.");
        self.say(worker, Action::Hold(plain(seq), envelope)).await
    }

    pub(crate) async fn view_of(&self, key: &Key) -> Option<KeyView> {
        let view = self.store.inspect(&self.group, key).await;
        view.expect("the store is there")
    }

    pub(crate) async fn view(&self) -> KeyView {
        self.view_of(&self.key).await.expect("the key is known")
    }

    pub(crate) async fn fence(&self) -> Fence {
        Fence(self.view().await.fence)
    }

    /// Commits under the present fence, having nothing beyond the event.
    pub(crate) async fn commit(&self, worker: &str, seq: u64) -> Verdict {
        let fence = self.fence().await;
        self.commit_under(worker, seq, fence).await
    }

    pub(crate) async fn commit_under(&self, worker: &str, seq: u64, fence: Fence) -> Verdict {
        let (event, have) = (plain(seq), seq);
        self.say(worker, Action::Commit { event, fence, have })
            .await
    }

    pub(crate) async fn process(&self, worker: &str, upto: u64) {
        for seq in 1..=upto {
            assert!(matches!(self.offer(worker, seq).await, Verdict::Run(_)));
            committed(&self.commit(worker, seq).await);
        }
    }

    pub(crate) async fn attempt(&self, seq: u64, number: u32) -> Attempt {
        Attempt {
            event: plain(seq),
            fence: self.fence().await,
            number,
            error: format!("attempt {number} failed"),
        }
    }

    pub(crate) async fn postpone(
        &self,
        worker: &str,
        seq: u64,
        number: u32,
        millis: u64,
    ) -> Verdict {
        let attempt = self.attempt(seq, number).await;
        let delay = Duration::from_millis(millis);
        let envelope = Envelope::new("late");
        self.say(worker, Action::Postpone(attempt, envelope, delay))
            .await
    }

    pub(crate) async fn beat(&self, worker: &str) {
        let (worker, lease) = (WorkerId::new(worker), Duration::from_millis(LEASE));
        let beat = self.store.heartbeat(&self.group, &worker, lease).await;
        beat.expect("the store is there");
    }

    /// The worker stops beating until its lease is over; the other one lives on.
    pub(crate) async fn crash(&self, worker: &str) {
        self.clock.advance(LEASE);
        self.beat(if worker == A { B } else { A }).await;
    }

    /// What sweeps find, until one finds nothing more that is new.
    pub(crate) async fn swept(&self) -> Vec<Key> {
        let mut all = Vec::new();
        loop {
            let found = self.store.sweep(&self.group, 1_000).await;
            let found = found.expect("the store is there").runnable;
            let new: Vec<Key> = found.into_iter().filter(|key| !all.contains(key)).collect();
            if new.is_empty() {
                all.sort();
                return all;
            }
            all.extend(new);
        }
    }
}
