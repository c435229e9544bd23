//! What operators read: plain commands, and no scripts.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use ordered_core::event::Key;
use ordered_core::protocol::{Millis, Policy};
use ordered_core::store::{AuditEntry, Group, StoreError};
use ordered_core::store::{
    Inspect, KeyIndex, Letter, Record, RecordPage, Slot, Totals, WorkerRecord,
};

use super::RedisStore;
use super::read::{command, read_leases};
use super::record::worker;
use super::reply::{Reply, key, misshaped, number};

/// How many keys a page has; Redis takes it as a hint.
const PAGE: usize = 500;
/// How many entries the audit log keeps, about.
const LOG: usize = 10_000;

#[async_trait]
impl Inspect for RedisStore {
    async fn groups(&self) -> Result<Vec<String>, StoreError> {
        let members = command("SMEMBERS", &[&self.shared.keyspace.groups()]);
        let mut members = self.one(members).await?;
        let mut groups = Vec::with_capacity(members.len());
        while members.len() > 0 {
            groups.push(members.text()?);
        }
        groups.sort_unstable();
        Ok(groups)
    }

    async fn group(&self, name: &str) -> Result<Option<Group>, StoreError> {
        let meta = self.shared.keyspace.meta(name);
        let read = command("HMGET", &[&meta, "policy", "places"]);
        let mut fields = self.one(read).await?;
        let (policy, places) = (fields.maybe_text()?, fields.maybe_text()?);
        let Some(policy) = policy else {
            return Ok(None);
        };
        let policy: Policy = serde_json::from_str(&policy).map_err(|error| {
            StoreError::refused(format!(
                "the rules of the group `{name}` were written by another version"
            ))
            .with_source(error)
        })?;
        // Of another version, or none: edits are then not compared.
        let places = places.and_then(|places| serde_json::from_str(&places).ok());
        Ok(Some(Group::new(name, policy).with_places(places)))
    }

    async fn totals(&self, group: &Group) -> Result<Totals, StoreError> {
        let mut totals = Totals {
            now: self.time().await?,
            ..Totals::default()
        };
        for bucket in 0..self.buckets_of(group).await? {
            let tag = self.tag(group, bucket);
            let on = |name: &str, structure: &str, more: &[&str]| {
                let structure = format!("{tag}:{structure}");
                command(name, &[&[structure.as_str()], more].concat())
            };
            let commands = vec![
                on("HMGET", "M", &["paused", "events", "bytes"]),
                on("HLEN", "K", &[]),
                on("HEXISTS", "K", &[""]),
                on("HLEN", "O", &[]),
                on("HEXISTS", "O", &[""]),
                on("ZCARD", "due", &[]),
                on("ZCARD", "halted", &[]),
                on("ZCARD", "gap", &[]),
                on("ZRANGE", "gap", &["0", "0", "WITHSCORES"]),
            ];
            let mut answers = Reply::of(self.ask(commands).await?)?;
            let mut meta = answers.list()?;
            let mut maybe = || {
                Ok::<u64, StoreError>(match meta.next()? {
                    redis::Value::Nil => 0,
                    value => number(value)?,
                })
            };
            totals.paused |= maybe()? != 0;
            totals.held_events += maybe()?;
            totals.held_bytes += maybe()?;
            totals.keys += answers.number()?.saturating_sub(answers.number()?);
            totals.owned += answers.number()?.saturating_sub(answers.number()?);
            totals.listed += answers.number()?;
            totals.halted += answers.number()?;
            totals.gaps += answers.number()?;
            let mut oldest = answers.list()?;
            if oldest.len() > 0 {
                let found = (oldest.key()?, oldest.number()?);
                let is_older = |known: &(Key, Millis)| (found.1, &found.0) < (known.1, &known.0);
                if totals.oldest_gap.as_ref().is_none_or(is_older) {
                    totals.oldest_gap = Some(found);
                }
            }
        }
        Ok(totals)
    }

    async fn workers(&self, group: &Group) -> Result<Vec<WorkerRecord>, StoreError> {
        let now = self.time().await?;
        let buckets = 0..self.buckets_of(group).await?;
        let leases = buckets.map(|bucket| format!("{}:W", self.tag(group, bucket)));
        let all = leases.chain([self.shared.keyspace.workers(group.name())]);
        let commands = all.map(|name| command("HGETALL", &[&name])).collect();
        let mut answers = self.ask(commands).await?;
        let mut pairs = Reply::new(answers.pop().ok_or_else(|| misshaped("pipeline"))?)?;
        let mut versions = HashMap::new();
        while pairs.len() > 0 {
            let (worker, version) = (pairs.bytes()?, pairs.text()?);
            let version = version.split_once(' ').map_or("", |(_, version)| version);
            versions.insert(worker, version.to_owned());
        }
        let mut workers: BTreeMap<Vec<u8>, WorkerRecord> = BTreeMap::new();
        for answer in answers {
            for (name, lease) in read_leases(Reply::new(answer)?)? {
                let record = WorkerRecord {
                    worker: worker(&name)?,
                    lease_until: lease.until(),
                    alive: true,
                    version: versions.get(&name).cloned().unwrap_or_default(),
                };
                let known = workers.entry(name).or_insert(record);
                known.lease_until = known.lease_until.max(lease.until());
                // It counts as alive where no bucket has found it dead.
                known.alive &= lease.is_alive(now);
            }
        }
        Ok(workers.into_values().collect())
    }

    async fn read(&self, group: &Group, key: &Key) -> Result<Option<Record>, StoreError> {
        let tag = self.tag_of(group, key).await?;
        Ok(self.records(&tag, vec![key.clone()]).await?.pop())
    }

    async fn page(
        &self,
        group: &Group,
        index: KeyIndex,
        cursor: Option<String>,
    ) -> Result<RecordPage, StoreError> {
        let cursor = cursor.unwrap_or_else(|| "0:0".into());
        let (bucket, cursor) = parse_cursor(&cursor)?;
        // Of all keys: first those with a body, and then those that are only owned.
        let (structure, phase, position) = match (index, cursor.strip_prefix('o')) {
            (KeyIndex::All, Some(position)) => ("O", true, position),
            (KeyIndex::All, None) => ("K", false, cursor),
            (KeyIndex::Listed, _) => ("due", true, cursor),
            (KeyIndex::Owned, _) => ("O", true, cursor),
        };
        let tag = self.tag(group, bucket);
        let scan = if structure == "due" { "ZSCAN" } else { "HSCAN" };
        let name = format!("{tag}:{structure}");
        let mut answer = self
            .one(command(
                scan,
                &[&name, position, "COUNT", &PAGE.to_string()],
            ))
            .await?;
        let next = answer.text()?;
        let mut pairs = answer.list()?;
        let mut keys = Vec::with_capacity(pairs.len() / 2);
        while pairs.len() > 0 {
            let name = pairs.bytes()?;
            pairs.next()?;
            // The empty one is no key: it makes the hash a table.
            if !name.is_empty() {
                keys.push(key(&name)?);
            }
        }
        let mut records = self.records(&tag, keys).await?;
        let is_second = index == KeyIndex::All && phase;
        if is_second {
            records.retain(|record| record.body.is_none());
        }
        let mark = if is_second { "o" } else { "" };
        let cursor = if next != "0" {
            Some(format!("{bucket}:{mark}{next}"))
        } else if !phase {
            Some(format!("{bucket}:o0"))
        } else {
            let following = bucket + 1;
            (following < self.buckets_of(group).await?).then(|| format!("{following}:0"))
        };
        Ok(RecordPage { records, cursor })
    }

    async fn sizes(
        &self,
        group: &Group,
        key: &Key,
        slots: &[Slot],
    ) -> Result<Vec<Option<u64>>, StoreError> {
        self.read_sizes(group, key, slots).await
    }

    async fn letters(
        &self,
        group: &Group,
        key: &Key,
        slots: &[Slot],
    ) -> Result<Vec<Option<Letter>>, StoreError> {
        self.read_letters(group, key, slots).await
    }

    async fn set_paused(&self, group: &Group, paused: bool) -> Result<bool, StoreError> {
        let mut changed = false;
        let wanted = if paused { "1" } else { "0" };
        for bucket in 0..self.buckets_of(group).await? {
            let meta = format!("{}:M", self.tag(group, bucket));
            let read = command("HMGET", &[&meta, "incarnation", "paused"]);
            let mut fields = self.one(read).await?;
            let (incarnation, known) = (fields.maybe_text()?, fields.maybe_text()?);
            let Some(incarnation) = incarnation else {
                return Err(super::state_lost(group));
            };
            if known.as_deref().unwrap_or("0") == wanted {
                continue;
            }
            let expected = [("incarnation", &incarnation[..])];
            let fields = [("paused", wanted.as_bytes())];
            if !self.set_if(&meta, &expected, &fields).await? {
                return Err(super::state_lost(group));
            }
            changed = true;
        }
        Ok(changed)
    }

    async fn log(&self, group: &Group, entry: AuditEntry) -> Result<(), StoreError> {
        self.log_all(group, vec![entry]).await
    }

    async fn log_all(&self, group: &Group, entries: Vec<AuditEntry>) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        let at = self.time().await?;
        let log = format!("{}:log", self.tag(group, 0));
        let mut adds = Vec::with_capacity(entries.len());
        for mut entry in entries {
            entry.at = at;
            let text = serde_json::to_string(&entry).map_err(|error| {
                StoreError::refused("the entry of the audit log cannot be written")
                    .with_source(error)
            })?;
            let add = ["MAXLEN", "~", &LOG.to_string(), "*", "entry", &text];
            adds.push(command("XADD", &[&[log.as_str()], &add[..]].concat()));
        }
        self.ask(adds).await.map(drop)
    }

    async fn audit(&self, group: &Group, limit: usize) -> Result<Vec<AuditEntry>, StoreError> {
        let log = format!("{}:log", self.tag(group, 0));
        let read = command("XREVRANGE", &[&log, "+", "-", "COUNT", &limit.to_string()]);
        let mut entries = Vec::new();
        for entry in self.one(read).await? {
            let mut entry = Reply::new(entry)?;
            entry.next()?;
            let mut fields = entry.list()?;
            fields.next()?;
            let entry = serde_json::from_str(&fields.text()?).map_err(|error| {
                StoreError::refused("the audit log was written by another version")
                    .with_source(error)
            })?;
            entries.push(entry);
        }
        Ok(entries)
    }
}

fn parse_cursor(cursor: &str) -> Result<(u32, &str), StoreError> {
    let parts = cursor.split_once(':');
    let parts = parts.and_then(|(bucket, position)| Some((bucket.parse().ok()?, position)));
    let parts = parts.filter(|(_, position)| {
        let digits = position.strip_prefix('o').unwrap_or(position);
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    parts.ok_or_else(|| StoreError::refused(format!("`{cursor}` is no cursor of a page")))
}
