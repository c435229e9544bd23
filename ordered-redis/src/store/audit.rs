//! What operators did, written down in the same step as done, in a log for each bucket.

use std::cmp::Reverse;

use ordered_core::event::Key;
use ordered_core::protocol::{Effect, Verb};
use ordered_core::store::{AuditEntry, Group, Operator, StoreError};
use redis::cmd;
use serde::{Deserialize, Serialize};

use super::{RedisStore, number, text};
use crate::answer::{Answer, misshaped};
use crate::script::PAUSE;

/// What is known before a verb is done.
#[derive(Serialize, Deserialize)]
struct Said {
    #[serde(flatten)]
    operator: Operator,
    key: Option<String>,
    verb: String,
}

pub(super) fn said(
    operator: &Operator,
    key: Option<&Key>,
    verb: &Verb,
) -> Result<String, StoreError> {
    let said = Said {
        operator: operator.clone(),
        key: key.map(ToString::to_string),
        verb: verb.to_string(),
    };
    serde_json::to_string(&said).map_err(|error| {
        StoreError::refused("what the operator says cannot be written down").with_source(error)
    })
}

impl RedisStore {
    /// Bucket by bucket. The first one is the last, and has the log: who is interrupted finds it undone, and does it
    /// again.
    pub(super) async fn pause(
        &self,
        group: &Group,
        paused: bool,
        operator: &Operator,
    ) -> Result<bool, StoreError> {
        let verb = if paused { Verb::Pause } else { Verb::Resume };
        let said = said(operator, None, &verb)?;
        let call = |bucket: u32, said: &str, changed: bool| {
            let arguments = vec![
                number(paused.into()),
                text(said),
                number(changed.into()),
                number(self.given_time()),
            ];
            self.call(&PAUSE, group, bucket, arguments)
        };
        let others = 1..self.buckets_of(group).await?;
        let calls: Vec<_> = others.map(|bucket| call(bucket, "", false)).collect();
        let mut changed = false;
        for answer in self.run(&calls).await? {
            changed |= Answer::new(answer)?.flag()?;
        }
        let last = self.run(&[call(0, &said, changed)]).await?.remove(0);
        Answer::new(last)?.flag()
    }

    /// The newest of all logs, newest first.
    pub(super) async fn written_down(
        &self,
        group: &Group,
        limit: usize,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let logs = (0..self.buckets_of(group).await?).map(|bucket| {
            let mut read = cmd("XREVRANGE");
            read.arg(format!("{}:log", self.shared.names.bucket(group, bucket)));
            read.arg("+").arg("-").arg("COUNT").arg(limit);
            read
        });
        let mut found = Vec::new();
        for log in self.ask(logs.collect()).await? {
            for entry in Answer::stream(log)? {
                found.push(read(&entry)?);
            }
        }
        found.sort_by_key(|(time, _)| Reverse(*time));
        found.truncate(limit);
        Ok(found.into_iter().map(|(_, entry)| entry).collect())
    }
}

/// An entry, and the time by which it is put in order.
fn read(entry: &[String]) -> Result<(u64, AuditEntry), StoreError> {
    let [time, at, said, effect] = entry else {
        return Err(misshaped("entry of the audit log"));
    };
    let said: Said = serde_json::from_str(said).map_err(|error| {
        StoreError::refused("the audit log was written by another version").with_source(error)
    })?;
    let whole = |text: &str| text.parse::<u64>().map_err(|_| misshaped("number"));
    let effect: Vec<u64> = effect
        .split_whitespace()
        .map(whole)
        .collect::<Result<_, _>>()?;
    let outcome = match effect[..] {
        [last_seq, released, removed] => Effect::sentence(last_seq, released, removed),
        _ => "the whole group".into(),
    };
    let entry = AuditEntry {
        at: whole(at)?,
        operator: said.operator,
        key: said.key,
        verb: said.verb,
        outcome,
    };
    Ok((whole(time)?, entry))
}
