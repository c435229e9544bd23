//! Who uses this Redis: noted by each process every few seconds, for warnings alone.

use async_trait::async_trait;
use ordered_core::protocol::Millis;
use ordered_core::store::{
    Group, OtherConsumerGroup, OtherConsumers, Presence, StoreError, WorkerPresence,
};
use redis::{Cmd, cmd};

use super::RedisStore;
use super::reply::{Reply, maybe_bytes};

/// Groups that have not consumed from a source for so long are forgotten.
const REMEMBERED: Millis = 30 * 24 * 60 * 60 * 1_000;
/// More groups than these are on one source by mistake only; the answer stays small.
const MOST_GROUPS: usize = 8;

#[async_trait]
impl Presence for RedisStore {
    async fn note(&self, group: &Group, me: &WorkerPresence) -> Result<OtherConsumers, StoreError> {
        let now = self.time().await?;
        let keyspace = &self.shared.keyspace;
        let (processes, sources) = (keyspace.processes(group.name()), keyspace.sources());
        let mut commands = vec![get(&processes, me.worker.as_str())];
        commands.push(set(
            &processes,
            me.worker.as_str(),
            &format!("{:016x} {now}", me.process),
        ));
        if let Some(source) = &me.source {
            let mut all = cmd("HGETALL");
            all.arg(&sources);
            commands.push(all);
            commands.push(set(
                &sources,
                &format!("{source}\n{}", group.name()),
                &now.to_string(),
            ));
        }
        let mut answers = self.ask(commands).await?.into_iter();
        let before = answers.next().map(maybe_bytes).transpose()?.flatten();
        let before = before.and_then(|bytes| String::from_utf8(bytes).ok());
        let process = before.as_deref().and_then(|text| text.split(' ').next());
        let mut others = OtherConsumers {
            // This one has written its own number since.
            same_name: !me.is_first
                && process.is_some_and(|process| process != format!("{:016x}", me.process)),
            groups: Vec::new(),
        };
        if let Some(source) = &me.source
            && let Some(all) = answers.nth(1)
        {
            let mut forgotten = Vec::new();
            let mut all = Reply::new(all)?;
            while all.len() > 0 {
                let (field, seen_at) = (all.text()?, all.text()?);
                let seen_at: Millis = seen_at.parse().unwrap_or(0);
                if seen_at.saturating_add(REMEMBERED) < now {
                    forgotten.push(field);
                    continue;
                }
                let other = field.strip_prefix(source.as_str());
                let Some(name) = other.and_then(|rest| rest.strip_prefix('\n')) else {
                    continue;
                };
                if name != group.name() && others.groups.len() < MOST_GROUPS {
                    others.groups.push(OtherConsumerGroup {
                        name: name.to_owned(),
                        seen_at,
                    });
                }
            }
            if !forgotten.is_empty() {
                let mut forget = cmd("HDEL");
                forget.arg(&sources).arg(forgotten);
                self.ask(vec![forget]).await?;
            }
        }
        Ok(others)
    }
}

fn get(name: &str, field: &str) -> Cmd {
    let mut get = cmd("HGET");
    get.arg(name).arg(field);
    get
}

fn set(name: &str, field: &str, value: &str) -> Cmd {
    let mut set = cmd("HSET");
    set.arg(name).arg(field).arg(value);
    set
}
