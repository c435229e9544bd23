use std::collections::BTreeMap;

use ordered_core::event::Key;
use ordered_core::protocol::{
    BucketState, Command, KeyState, Millis, Policy, Situation, Verdict, WorkerId, decide,
};
use ordered_core::store::bucket_of;

/// A copy of the state in the generator's hands, so that what it makes up next is likely to matter.
pub(super) struct Shadow {
    pub(super) policy: Policy,
    pub(super) now: Millis,
    pub(super) keys: BTreeMap<Key, KeyState>,
    buckets: Vec<BucketState>,
}

impl Shadow {
    pub(super) fn new(policy: Policy, keys: &[Key], buckets: u32, now: Millis) -> Self {
        Self {
            keys: keys
                .iter()
                .map(|key| (key.clone(), KeyState::new(policy.first_seq)))
                .collect(),
            buckets: (0..buckets).map(|_| BucketState::default()).collect(),
            policy,
            now,
        }
    }

    fn parts(&self) -> u32 {
        u32::try_from(self.buckets.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn apply(&mut self, worker: &WorkerId, command: &Command) -> Verdict {
        let place = bucket_of(command.key.as_str(), self.parts()) as usize;
        let situation = Situation {
            policy: &self.policy,
            bucket_quota: self.policy.group_quota.share(self.parts()),
            worker,
            now: self.now,
        };
        let key = self.keys.entry(command.key.clone());
        let key = key.or_insert_with(|| KeyState::new(self.policy.first_seq));
        decide(&mut self.buckets[place], key, situation, &command.action)
    }

    pub(super) fn pause(&mut self, paused: bool) {
        self.buckets
            .iter_mut()
            .for_each(|bucket| bucket.paused = paused);
    }

    pub(super) fn set_lease(&mut self, worker: &WorkerId, expiry: Option<Millis>) {
        for bucket in &mut self.buckets {
            match expiry {
                Some(expiry) => bucket.leases.insert(worker.clone(), expiry),
                None => bucket.leases.remove(worker),
            };
        }
    }
}
