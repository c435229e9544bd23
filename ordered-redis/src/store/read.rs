//! Reads of records and letters with plain commands.

use std::collections::HashMap;

use ordered_core::event::Key;
use ordered_core::protocol::Fence;
use ordered_core::store::{Group, StoreError, bucket_of};
use ordered_core::store::{Letter, OwnerRecord, Record, Slot};
use redis::{Cmd, cmd};

use super::RedisStore;
use super::record::{LENGTHS, Lease, Owner, read_letter, split_record};
use super::reply::{Reply, maybe_bytes, misshaped, number};

/// How many letters one command reads.
const LETTERS: usize = 256;

pub(super) fn command(name: &str, arguments: &[&str]) -> Cmd {
    let mut command = cmd(name);
    for argument in arguments {
        command.arg(argument);
    }
    command
}

impl RedisStore {
    pub(super) fn tag(&self, group: &Group, bucket: u32) -> String {
        self.shared.keyspace.bucket(group, bucket)
    }

    /// The hash tag of the bucket of a key.
    pub(super) async fn tag_of(&self, group: &Group, key: &Key) -> Result<String, StoreError> {
        let buckets = self.buckets_of(group).await?;
        Ok(self.tag(group, bucket_of(key.as_str(), buckets)))
    }

    /// How many buckets the group has in Redis: who only reads is not asked for it.
    pub(super) async fn buckets_of(&self, group: &Group) -> Result<u32, StoreError> {
        let meta = self.shared.keyspace.meta(group.name());
        let answer = self.ask(vec![command("HGET", &[&meta, "buckets"])]).await?;
        Ok(Reply::of(answer)?
            .maybe_text()?
            .map_or(self.shared.buckets, |text| {
                text.parse().unwrap_or(self.shared.buckets)
            }))
    }

    pub(super) async fn one(&self, command: Cmd) -> Result<Reply, StoreError> {
        Reply::new(self.ask(vec![command]).await?.remove(0))
    }

    pub(super) async fn records(
        &self,
        tag: &str,
        keys: Vec<Key>,
    ) -> Result<Vec<Record>, StoreError> {
        let now = self.time().await?;
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let read = |structure: &str| {
            let mut read = cmd("HMGET");
            read.arg(format!("{tag}:{structure}"));
            keys.iter().for_each(|key| {
                read.arg(key.as_str());
            });
            read
        };
        let leases = command("HGETALL", &[&format!("{tag}:W")]);
        let mut answers = self.ask(vec![read("K"), read("O"), leases]).await?;
        let leases = read_leases(Reply::new(answers.remove(2))?)?;
        let mut owners = Reply::new(answers.remove(1))?;
        let mut bodies = Reply::new(answers.remove(0))?;
        let mut records = Vec::with_capacity(keys.len());
        for key in keys {
            let (record, owner) = (bodies.maybe_bytes()?, owners.maybe_bytes()?);
            if record.is_none() && owner.is_none() {
                continue;
            }
            let owner = owner.as_deref().map(Owner::parse).transpose()?;
            let record = record.map(split_record).transpose()?;
            let (body_fence, body) =
                record.map_or((Fence(0), None), |(fence, body)| (fence, Some(body)));
            let fence = owner.as_ref().map_or(Fence(0), |owner| owner.fence);
            records.push(Record {
                key,
                fence: fence.max(body_fence),
                body_fence,
                body,
                now,
                owner: owner.map(|owner| OwnerRecord {
                    lease_until: leases
                        .get(owner.worker.as_str().as_bytes())
                        .map(|lease| lease.until()),
                    worker: owner.worker,
                    since: owner.since,
                    mail: owner.mail,
                    hand_over: owner.wanted,
                }),
            });
        }
        Ok(records)
    }

    /// The letters in some slots, a piece at a time.
    pub(super) async fn read_letters(
        &self,
        group: &Group,
        key: &Key,
        slots: &[Slot],
    ) -> Result<Vec<Option<Letter>>, StoreError> {
        let mailbox = format!("{}:B:{key}", self.tag_of(group, key).await?);
        let mut found = Vec::with_capacity(slots.len());
        for slots in slots.chunks(LETTERS) {
            let mut fetch = cmd("HMGET");
            fetch.arg(&mailbox);
            for slot in slots {
                fetch.arg(slot.encode());
            }
            for value in self.one(fetch).await? {
                found.push(maybe_bytes(value)?.map(read_letter).transpose()?);
            }
        }
        Ok(found)
    }

    /// The sizes of the letters in some slots: no letter is read for them.
    pub(super) async fn read_sizes(
        &self,
        group: &Group,
        key: &Key,
        slots: &[Slot],
    ) -> Result<Vec<Option<u64>>, StoreError> {
        let mailbox = format!("{}:B:{key}", self.tag_of(group, key).await?);
        let mut found = Vec::with_capacity(slots.len());
        for slots in slots.chunks(LETTERS) {
            let sizes = slots.iter().map(|slot| {
                let mut size = cmd("HSTRLEN");
                size.arg(&mailbox).arg(slot.encode());
                size
            });
            for value in self.ask(sizes.collect()).await? {
                found.push(number(value)?.checked_sub(LENGTHS));
            }
        }
        Ok(found)
    }
}

pub(super) fn read_leases(mut pairs: Reply) -> Result<HashMap<Vec<u8>, Lease>, StoreError> {
    let mut leases = HashMap::new();
    while pairs.len() > 0 {
        let (worker, lease) = (pairs.bytes()?, pairs.bytes()?);
        if let Some(lease) = Lease::parse(&lease) {
            leases.insert(worker, lease);
        }
    }
    Ok(leases)
}

impl Reply {
    pub(super) fn of(values: Vec<redis::Value>) -> Result<Self, StoreError> {
        if values.is_empty() {
            return Err(misshaped("pipeline"));
        }
        Self::new(redis::Value::Array(values))
    }
}
