//! Opening a group: what its workers have in common, recorded in Redis.
//!
//! The metadata of the group names the incarnation; each bucket has a copy, since on a cluster a node can be lost by
//! itself. While not all copies are made, the metadata is not *ready*. Where it is ready and a copy is missing or
//! differs, a part of the state was lost, and the whole group gets a new incarnation; what is left of it stays.

use std::sync::Arc;

use ordered_core::protocol::{Millis, Order, WorkerId};
use ordered_core::store::{Group, StoreError};
use ordered_core::store::{Incarnation, Opened, Session};
use redis::{Cmd, cmd};

use super::encode::millis;
use super::ids::Generations;
use super::reply::{Reply, maybe_bytes, misshaped, number};
use super::script::SET_IF;
use super::session::{BucketState, GroupState, incarnation_text};
use super::{RedisStore, state_lost};
use crate::error::is_out_of_memory;
use crate::settings;

/// How the names and values of this version are laid out in Redis. Another number is another version's.
const LAYOUT: &str = "5";
/// How often to look again after somebody else changed the metadata meanwhile.
const MOST_TRIES: usize = 20;
/// A field of no key, so long that Redis keeps the hash as a table from the first key on: one that is kept as a list is
/// gone through for each field (`hash-max-listpack-value`).
const TABLE: (&str, &str) = (
    "",
    "This field makes Redis keep the hash as a table. It belongs to no key, and is never read.",
);
/// After how long a worker without a lease is forgotten.
const FORGET_AFTER: Millis = 60 * 60 * 1_000;

/// The metadata of a group.
struct Meta {
    incarnation: u64,
    secret: [u8; 16],
    is_ready: bool,
    /// The order of its keys; a group of a version that knew one order says nothing.
    order: Option<String>,
    /// The seq that its keys begin with; a group that was made before this was kept has it in its rules alone.
    first_seq: Option<u64>,
}

impl RedisStore {
    pub(super) async fn open_group(
        &self,
        group: &Group,
        worker: &WorkerId,
    ) -> Result<Opened, StoreError> {
        if worker.as_str().len() > usize::from(u8::MAX) {
            return Err(StoreError::refused(format!(
                "the name of the worker has {} bytes, and may have 255 at most",
                worker.as_str().len()
            )));
        }
        let answers = self.send(settings::questions()).await?;
        let report = settings::report(&self.shared.address, self.shared.strict, &answers)?;
        self.load().await?;
        let now = self.time().await?;
        let mut created = None;
        for _ in 0..MOST_TRIES {
            let Some(meta) = self.read_meta(group).await? else {
                created = self.create(group).await?.or(created);
                continue;
            };
            let sequence = Order::Sequence.as_str();
            group.check_order(meta.order.as_deref().unwrap_or(sequence))?;
            if let Some(first_seq) = meta.first_seq {
                group.check_first_seq(first_seq)?;
            }
            let incarnation = meta.incarnation;
            if self.agree(group, &meta, now, &mut created).await? {
                let state = self.read_state(group, incarnation).await?;
                self.shared.sessions.keep(group.name(), &state);
                self.enroll(group, worker, now).await?;
                return Ok(Opened {
                    session: Session {
                        worker: worker.clone(),
                        incarnation: Incarnation(incarnation),
                    },
                    report,
                    created: created == Some(incarnation),
                });
            }
        }
        Err(StoreError::unavailable(format!(
            "the metadata of the group `{}` changes all the time",
            group.name()
        )))
    }

    fn meta(&self, group: &Group) -> String {
        self.shared.keyspace.meta(group.name())
    }

    fn bucket_names(&self, group: &Group, structure: &str) -> Vec<String> {
        let tags =
            (0..self.shared.buckets).map(|bucket| self.shared.keyspace.bucket(group, bucket));
        tags.map(|tag| format!("{tag}:{structure}")).collect()
    }

    /// `None` where the group has none yet.
    ///
    /// # Errors
    /// When another version, or a store with another number of buckets, has written it.
    async fn read_meta(&self, group: &Group) -> Result<Option<Meta>, StoreError> {
        let mut read = cmd("HMGET");
        read.arg(self.meta(group));
        read.arg(&[
            "layout",
            "buckets",
            "incarnation",
            "secret",
            "ready",
            "order",
            "first_seq",
        ]);
        let mut fields = Reply::new(self.ask(vec![read]).await?.remove(0))?;
        let (layout, buckets) = (fields.maybe_text()?, fields.maybe_text()?);
        let (incarnation, secret) = (fields.maybe_text()?, fields.maybe_bytes()?);
        let is_ready = fields.maybe_text()?.as_deref() == Some("1");
        let order = fields.maybe_text()?;
        let first_seq = fields.maybe_text()?.and_then(|first| first.parse().ok());
        if let Some(layout) = layout.filter(|layout| layout != LAYOUT) {
            return Err(StoreError::refused(format!(
                "the group `{}` was written to Redis by another version of this store (layout {layout}, and this is \
                 {LAYOUT}): run the same version in all workers, or use another group",
                group.name()
            )));
        }
        let ours = self.shared.buckets;
        if let Some(buckets) = buckets.filter(|buckets| *buckets != ours.to_string()) {
            return Err(StoreError::refused(format!(
                "the group `{}` is spread over {buckets} buckets in Redis, and this worker is set to {ours}: set \
                 `.buckets({buckets})`, or use another group",
                group.name()
            )));
        }
        let Some(incarnation) = incarnation else {
            return Ok(None);
        };
        let incarnation = u64::from_str_radix(&incarnation, 16);
        let secret = secret.and_then(|secret| secret.try_into().ok());
        Ok(Some(Meta {
            incarnation: incarnation.map_err(|_| misshaped("incarnation"))?,
            secret: secret.ok_or_else(|| misshaped("secret"))?,
            is_ready,
            order,
            first_seq,
        }))
    }

    /// Writes the metadata of a new group. Returns the incarnation, unless somebody else was first.
    async fn create(&self, group: &Group) -> Result<Option<u64>, StoreError> {
        let incarnation = fastrand::u64(..);
        let text = incarnation_text(incarnation);
        let buckets = self.shared.buckets.to_string();
        let first_seq = group.policy().first_seq.to_string();
        let secret = [
            fastrand::u64(..).to_be_bytes(),
            fastrand::u64(..).to_be_bytes(),
        ]
        .concat();
        let fields: [(&str, &[u8]); 7] = [
            ("layout", LAYOUT.as_bytes()),
            ("buckets", buckets.as_bytes()),
            ("incarnation", text.as_bytes()),
            ("secret", &secret),
            ("ready", b"0"),
            ("order", group.policy().order.as_str().as_bytes()),
            ("first_seq", first_seq.as_bytes()),
        ];
        let is_written = self.write(&self.meta(group), "", &fields).await?;
        Ok(is_written.then_some(incarnation))
    }

    /// Writes fields of some metadata, if others are as expected; an empty value is that of metadata that do not exist.
    pub(super) async fn set_if(
        &self,
        meta: &str,
        expected: &[(&str, &str)],
        fields: &[(&str, &[u8])],
    ) -> Result<bool, StoreError> {
        let mut call = SET_IF.call("", 1, 1 + 2 * (expected.len() + fields.len()), 512);
        call.arg(meta).arg(expected.len());
        for (field, value) in expected {
            call.arg(field).arg(value);
        }
        for (field, value) in fields {
            call.arg(field).arg(value);
        }
        Ok(number(self.run(vec![call]).await?.remove(0))? == 1)
    }

    /// The same, if they have this incarnation.
    async fn write(
        &self,
        meta: &str,
        incarnation: &str,
        fields: &[(&str, &[u8])],
    ) -> Result<bool, StoreError> {
        let expected = [("incarnation", incarnation)];
        self.set_if(meta, &expected, fields).await
    }

    /// Whether all buckets have the incarnation of the group. Where not, makes a step towards that.
    async fn agree(
        &self,
        group: &Group,
        meta: &Meta,
        now: Millis,
        created: &mut Option<u64>,
    ) -> Result<bool, StoreError> {
        let ours = incarnation_text(meta.incarnation);
        let name = self.meta(group);
        let buckets = self.bucket_names(group, "M");
        let reads = buckets.iter().map(|bucket| {
            let mut read = cmd("HGET");
            read.arg(bucket).arg("incarnation");
            read
        });
        let mut theirs = Vec::with_capacity(buckets.len());
        for value in self.ask(reads.collect()).await? {
            theirs.push(maybe_bytes(value)?.unwrap_or_default());
        }
        let differs = |theirs: &Vec<u8>| *theirs != ours.as_bytes();
        if meta.is_ready {
            if !theirs.iter().any(differs) {
                return Ok(true);
            }
            let renewed = fastrand::u64(..);
            let text = incarnation_text(renewed);
            let fields: [(&str, &[u8]); 2] = [("incarnation", text.as_bytes()), ("ready", b"0")];
            if self.write(&name, &ours, &fields).await? {
                *created = Some(renewed);
            }
            return Ok(false);
        }
        let generations = Generations::first(now, millis(group.policy().dedup_ttl));
        for (bucket, theirs) in buckets.iter().zip(theirs) {
            if !differs(&theirs) {
                continue;
            }
            let expected = String::from_utf8(theirs).map_err(|_| misshaped("incarnation"))?;
            let incarnation = ("incarnation", ours.as_bytes());
            let ids = ("ids", generations.text().as_bytes());
            let fields: &[(&str, &[u8])] = if expected.is_empty() {
                &[incarnation, ids]
            } else {
                &[incarnation]
            };
            self.write(bucket, &expected, fields).await?;
        }
        self.write(&name, &ours, &[("ready", b"1")]).await?;
        Ok(false)
    }

    /// What this process is to know of the group, whose state must be of this life.
    pub(super) async fn read_state(
        &self,
        group: &Group,
        incarnation: u64,
    ) -> Result<Arc<GroupState>, StoreError> {
        let meta = self.read_meta(group).await?;
        let meta = meta
            .filter(|meta| meta.incarnation == incarnation)
            .ok_or_else(|| state_lost(group))?;
        let reads = self.bucket_names(group, "M").into_iter().map(|bucket| {
            let mut read = cmd("HGET");
            read.arg(bucket).arg("ids");
            read
        });
        let mut buckets = Vec::new();
        for (bucket, value) in (0..self.shared.buckets).zip(self.ask(reads.collect()).await?) {
            let text = maybe_bytes(value)?.ok_or_else(|| state_lost(group))?;
            let text = String::from_utf8(text).map_err(|_| misshaped("text"))?;
            let tag = self.shared.keyspace.bucket(group, bucket);
            buckets.push(BucketState::new(&tag, Generations::parse(&text)?));
        }
        Ok(Arc::new(GroupState {
            incarnation,
            secret: meta.secret,
            buckets,
        }))
    }

    /// Keeps the rules of the group, and the version of the worker, for operators to see.
    async fn enroll(
        &self,
        group: &Group,
        worker: &WorkerId,
        now: Millis,
    ) -> Result<(), StoreError> {
        let keyspace = &self.shared.keyspace;
        let policy = serde_json::to_string(group.policy()).map_err(|error| {
            StoreError::refused("the rules of the group cannot be written").with_source(error)
        })?;
        let places = serde_json::to_string(&group.places()).map_err(|error| {
            StoreError::refused("where the events of the group have their key cannot be written")
                .with_source(error)
        })?;
        let set = |name: &str, field: &str, value: &str| {
            let mut set = cmd("HSET");
            set.arg(name).arg(field).arg(value);
            set
        };
        let version = format!("{now} {}", env!("CARGO_PKG_VERSION"));
        let mut known = cmd("SADD");
        known.arg(keyspace.groups()).arg(group.name());
        let mut commands = vec![
            known,
            set(&keyspace.meta(group.name()), "policy", &policy),
            set(&keyspace.meta(group.name()), "places", &places),
            set(&keyspace.workers(group.name()), worker.as_str(), &version),
        ];
        for structure in ["K", "O"] {
            let tables = self.bucket_names(group, structure);
            commands.extend(tables.iter().map(|name| set(name, TABLE.0, TABLE.1)));
        }
        // Should a worker of that name have been here before: this one numbers its calls anew.
        commands.extend(self.bucket_names(group, "M").iter().map(|meta| {
            let mut forget = cmd("HDEL");
            forget.arg(meta).arg(format!("call:{worker}"));
            forget
        }));
        commands.extend(self.forgotten(group, now).await?);
        for answer in self.send(commands).await? {
            match answer {
                // None of it is needed to work, and what is held has to drain.
                Err(error) if is_out_of_memory(&error) => {}
                answer => drop(answer.map_err(|error| self.error(error))?),
            }
        }
        Ok(())
    }

    /// The removal of the versions of workers that are long gone.
    async fn forgotten(&self, group: &Group, now: Millis) -> Result<Vec<Cmd>, StoreError> {
        let keyspace = &self.shared.keyspace;
        let (mut versions, mut leases) = (cmd("HGETALL"), cmd("HKEYS"));
        versions.arg(keyspace.workers(group.name()));
        leases.arg(format!("{}:W", keyspace.bucket(group, 0)));
        let mut answers = self.ask(vec![versions, leases]).await?;
        let mut leases = Reply::new(answers.remove(1))?;
        let mut alive = Vec::with_capacity(leases.len());
        while leases.len() > 0 {
            alive.push(leases.bytes()?);
        }
        let mut versions = Reply::new(answers.remove(0))?;
        let mut removals = Vec::new();
        while versions.len() > 0 {
            let (worker, version) = (versions.bytes()?, versions.text()?);
            let since = version
                .split(' ')
                .next()
                .and_then(|since| since.parse().ok());
            let since: Millis = since.unwrap_or(0);
            if since.saturating_add(FORGET_AFTER) < now && !alive.contains(&worker) {
                let mut removal = cmd("HDEL");
                removal.arg(keyspace.workers(group.name())).arg(worker);
                removals.push(removal);
            }
        }
        Ok(removals)
    }
}
