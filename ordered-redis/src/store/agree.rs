//! What the workers of a group have in common, recorded in Redis.

use ordered_core::protocol::WorkerId;
use ordered_core::store::{Group, StoreError};
use redis::{Cmd, cmd};
use serde::{Deserialize, Serialize};

use super::RedisStore;
use crate::answer::Answer;

/// How the names and values of this version are laid out in Redis. Another number is another version's.
const LAYOUT: &str = "4";

/// What a worker says of itself.
#[derive(Serialize, Deserialize)]
pub(super) struct Enrolled {
    pub(super) version: String,
    /// When it opened the group.
    since: u64,
}

/// What one worker is granted of a key passes over the stack of Lua, which takes some 8,000 values (`LUAI_MAXCSTACK`): two for each
/// event.
const MOST_LANE_DEPTH: u32 = 3_000;

/// After how long a worker that has no lease any more is forgotten.
const FORGET_AFTER: u64 = 60 * 60 * 1_000;

impl RedisStore {
    /// Refuses rules that the scripts cannot keep.
    pub(super) fn check_rules(group: &Group) -> Result<(), StoreError> {
        let depth = group.policy().lane_depth;
        if depth <= MOST_LANE_DEPTH {
            return Ok(());
        }
        Err(StoreError::refused(format!(
            "the group `{}` has a `lane_depth` of {depth}, and in Redis it can be {MOST_LANE_DEPTH} at the most: set a \
             smaller one, or a smaller `batch` or `commit_window`, which deepen the lanes",
            group.name()
        )))
    }

    /// Records the number of buckets at the first use of a group, and refuses another one from then on.
    pub(super) async fn agree(&self, group: &Group) -> Result<(), StoreError> {
        let meta = self.shared.names.meta(group.name());
        let ours = self.buckets().to_string();
        let record = |field: &str, value: &str| {
            let mut command = cmd("HSETNX");
            command.arg(&meta).arg(field).arg(value);
            command
        };
        let mut read = cmd("HMGET");
        read.arg(&meta).arg("buckets").arg("layout");
        // One after the other: on a cluster, commands that go out together come in any order.
        self.send(vec![record("buckets", &ours)])
            .await?
            .remove(0)
            .map_err(|error| self.error(error))?;
        self.send(vec![record("layout", LAYOUT)])
            .await?
            .remove(0)
            .map_err(|error| self.error(error))?;
        let answer = self
            .send(vec![read])
            .await?
            .remove(0)
            .map_err(|error| self.error(error))?;
        let mut answer = Answer::new(answer)?;
        let (buckets, layout) = (answer.text()?, answer.text()?);
        if layout != LAYOUT {
            return Err(StoreError::refused(format!(
                "the group `{}` was written to Redis by another version of this store (layout {layout}, and this is \
                 {LAYOUT}): run the same version in all workers",
                group.name()
            )));
        }
        if buckets != ours {
            return Err(StoreError::refused(format!(
                "the group `{}` is spread over {buckets} buckets in Redis, and this worker is set to {ours}: set \
                 `.buckets({buckets})`, or use another group",
                group.name()
            )));
        }
        Ok(())
    }

    /// Keeps the rules of the group, and the version of the worker, for operators to see.
    pub(super) async fn enroll(&self, group: &Group, worker: &WorkerId) -> Result<(), StoreError> {
        let names = &self.shared.names;
        let json = |value: serde_json::Result<String>| {
            value.map_err(|error| {
                StoreError::refused("the rules of the group cannot be written").with_source(error)
            })
        };
        let policy = json(serde_json::to_string(group.policy()))?;
        let enrolled = Enrolled {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            since: self.time().await?,
        };
        let mut gone = self.gone(group, enrolled.since).await?;
        let enrolled = json(serde_json::to_string(&enrolled))?;
        let mut rules = cmd("HSET");
        rules
            .arg(names.meta(group.name()))
            .arg("policy")
            .arg(policy);
        let mut known = cmd("SADD");
        known.arg(names.groups()).arg(group.name());
        let mut present = cmd("HSET");
        present
            .arg(names.workers(group.name()))
            .arg(worker.as_str())
            .arg(enrolled);
        let mut commands = vec![rules, known, present];
        commands.append(&mut gone);
        self.ask(commands).await.map(drop)
    }

    /// The removal of workers that crashed long ago.
    async fn gone(&self, group: &Group, now: u64) -> Result<Vec<Cmd>, StoreError> {
        let names = &self.shared.names;
        let (mut enrolled, mut leases) = (cmd("HGETALL"), cmd("HKEYS"));
        enrolled.arg(names.workers(group.name()));
        leases.arg(format!("{}:w", names.bucket(group, 0)));
        let mut answers = self.ask(vec![enrolled, leases]).await?;
        let leases = Answer::members(answers.remove(1))?;
        let is_gone = |pair: &&[String]| {
            let told = serde_json::from_str::<Enrolled>(&pair[1]);
            let is_new = told.is_ok_and(|told| told.since.saturating_add(FORGET_AFTER) > now);
            !is_new && !leases.contains(&pair[0])
        };
        let enrolled = Answer::members(answers.remove(0))?;
        let gone: Vec<&[String]> = enrolled.chunks_exact(2).filter(is_gone).collect();
        let removal = |pair: &[String]| {
            let mut removal = cmd("HDEL");
            removal.arg(names.workers(group.name())).arg(&pair[0]);
            removal
        };
        Ok(gone.into_iter().map(removal).collect())
    }
}
