use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use super::lease::{Leases, Liveness};
use super::mailbox::{Held, Mailbox, Room};
use super::remembered::Remembered;
use super::{Incarnation, bucket_of};
use crate::event::Key;
use crate::protocol::{Fence, Millis, WorkerId};
use crate::store::Listing;
use crate::store::{AuditEntry, Group};

pub(super) type Groups = BTreeMap<String, GroupState>;

/// All that is kept of a group.
#[derive(Debug, Clone)]
pub(super) struct GroupState {
    pub(super) group: Group,
    pub(super) incarnation: Incarnation,
    pub(super) paused: bool,
    pub(super) buckets: Vec<Bucket>,
    /// The oldest entry first.
    pub(super) audit: VecDeque<AuditEntry>,
}

/// A part of the keys of a group, with its own copy of the leases: a store that is spread over servers has no common
/// one.
#[derive(Debug, Clone, Default)]
pub(super) struct Bucket {
    /// How many buckets there are, for the share of the group's quota.
    parts: u32,
    pub(super) leases: Leases,
    // Sorted, so that a sweep finds keys in an order that a seed can repeat.
    pub(super) owners: BTreeMap<Key, Ownership>,
    pub(super) bodies: BTreeMap<Key, Body>,
    pub(super) mailboxes: BTreeMap<Key, Mailbox>,
    pub(super) listings: BTreeMap<Key, Listing>,
    pub(super) remembered: Remembered,
    /// What is held of all keys of the bucket.
    pub(super) held: Held,
}

/// That a worker owns a key.
#[derive(Debug, Clone)]
pub(super) struct Ownership {
    pub(super) worker: WorkerId,
    pub(super) fence: Fence,
    pub(super) since: Millis,
    /// The seqs that were posted and that no saved body accounts for, oldest first.
    pub(super) mail: Vec<u64>,
    /// Somebody wants the key.
    pub(super) hand_over: bool,
}

/// The body of a key, with the fence under which it was saved.
#[derive(Debug, Clone)]
pub(super) struct Body {
    pub(super) bytes: Bytes,
    pub(super) fence: Fence,
}

/// What a request is judged by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) now: Millis,
    pub(super) dedup_ttl: Millis,
    pub(super) room: Room,
}

impl GroupState {
    pub(super) fn new(group: Group, incarnation: Incarnation, buckets: u32) -> Self {
        let bucket = Bucket {
            parts: buckets,
            ..Bucket::default()
        };
        Self {
            group,
            incarnation,
            paused: false,
            buckets: (0..buckets).map(|_| bucket.clone()).collect(),
            audit: VecDeque::new(),
        }
    }

    fn place(&self, key: &Key) -> usize {
        let parts = u32::try_from(self.buckets.len()).unwrap_or(u32::MAX);
        bucket_of(key.as_str(), parts) as usize
    }

    pub(super) fn bucket(&self, key: &Key) -> &Bucket {
        &self.buckets[self.place(key)]
    }

    pub(super) fn bucket_mut(&mut self, key: &Key) -> &mut Bucket {
        let place = self.place(key);
        &mut self.buckets[place]
    }
}

impl Bucket {
    pub(super) fn rules(&self, group: &Group, now: Millis) -> Rules {
        let policy = group.policy();
        Rules {
            now,
            dedup_ttl: u64::try_from(policy.dedup_ttl.as_millis()).unwrap_or(u64::MAX),
            room: Room {
                key: policy.key_quota,
                bucket: policy.group_quota.share(self.parts),
            },
        }
    }

    /// Whether somebody alive owns the key. The workers were looked at already.
    pub(super) fn has_living_owner(&mut self, key: &Key, now: Millis) -> bool {
        let owner = self.owners.get(key);
        owner.is_some_and(|owner| self.leases.look(&owner.worker, now) == Liveness::Alive)
    }

    /// The fence of the last grant that the bucket knows of.
    pub(super) fn last_fence(&self, key: &Key) -> Fence {
        let owned = self.owners.get(key).map(|owner| owner.fence);
        owned.unwrap_or_default().max(self.body_fence(key))
    }

    pub(super) fn body_fence(&self, key: &Key) -> Fence {
        let body = self.bodies.get(key);
        body.map_or_else(Fence::default, |body| body.fence)
    }
}
