//! What the server promises, as it is configured now.

use ordered_core::store::{Durability, StoreError, StoreReport};
use redis::{Cmd, RedisResult, Value, cmd};

use crate::error::store_error;

/// The settings that say what outlives a crash and what may be evicted.
///
/// Sources: <https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/> and
/// <https://redis.io/docs/latest/develop/reference/eviction/>.
const SETTINGS: [&str; 5] = [
    "maxmemory-policy",
    "maxmemory",
    "appendonly",
    "appendfsync",
    "save",
];

/// The oldest server whose scripts and commands are enough.
const OLDEST: (u32, u32) = (6, 2);

/// The commands whose answers [`report`] reads.
pub(crate) fn questions() -> Vec<Cmd> {
    let mut questions = vec![cmd("INFO")];
    for setting in SETTINGS {
        let mut question = cmd("CONFIG");
        question.arg("GET").arg(setting);
        questions.push(question);
    }
    questions
}

/// Reads the answers to [`questions`], in order.
///
/// # Errors
/// When the server is too old, or `strict` is asked for and it may lose what it acknowledged.
pub(crate) fn report(
    address: &str,
    strict: bool,
    answers: &[RedisResult<Value>],
) -> Result<StoreReport, StoreError> {
    // Who is not let in at all learns that, and not that the settings are unknown.
    let shut_out = answers.iter().find_map(|answer| {
        let error = answer.as_ref().err()?;
        (error.code() == Some("NOAUTH")).then(|| error.clone())
    });
    if let Some(error) = shut_out {
        return Err(store_error(address, error));
    }
    let info = answers
        .first()
        .and_then(|answer| text(answer.as_ref().ok()?));
    let info = info.unwrap_or_default();
    if let Some(version) = field(&info, "redis_version") {
        check_version(address, version)?;
    }
    let settings: Option<Vec<String>> = answers
        .iter()
        .skip(1)
        .map(|answer| setting(answer.as_ref().ok()?))
        .collect();
    let (durability, reason) = match settings.as_deref() {
        Some([policy, memory, aof, fsync, save]) => judge(policy, memory, aof, fsync, save),
        _ => (
            Durability::Unknown,
            "the server does not tell its settings to this user (CONFIG GET), so nothing can be said of what a \
             crash loses"
                .into(),
        ),
    };
    if strict && durability < Durability::Durable {
        return Err(StoreError::refused(format!(
            "Redis at {address} is refused, since `strict` is set: {reason}. Set `appendonly yes`, `appendfsync \
             always` and `maxmemory-policy noeviction`, let the user run CONFIG GET and INFO, or go without `strict`"
        )));
    }
    let replicas = field(&info, "connected_slaves").is_some_and(|replicas| replicas != "0");
    let failover = if replicas && durability == Durability::Durable {
        "; a fail-over to a replica may still lose the last moments, since replication is asynchronous"
    } else {
        ""
    };
    Ok(StoreReport {
        durability,
        reason: format!("{reason}{failover}"),
    })
}

fn judge(policy: &str, memory: &str, aof: &str, fsync: &str, save: &str) -> (Durability, String) {
    if policy != "noeviction" && memory != "0" {
        let reason = format!(
            "maxmemory-policy is `{policy}`, so that Redis drops state when its memory is full; set `noeviction`"
        );
        return (Durability::Evictable, reason);
    }
    let (durability, reason) = match (aof, fsync) {
        ("yes", "always") => (
            Durability::Durable,
            "every write is on disk before it is acknowledged (appendfsync always)",
        ),
        ("yes", "everysec") => (
            Durability::LosesRecentWrites,
            "a crash of the server loses up to a second or two (appendfsync everysec)",
        ),
        ("yes", _) => (
            Durability::LosesRecentWrites,
            "a crash of the machine loses what the system has not yet written, up to half a minute (appendfsync no)",
        ),
        _ if save.is_empty() => (
            Durability::Volatile,
            "the server keeps nothing on disk (appendonly no, no save points); set `appendonly yes`",
        ),
        _ => (
            Durability::LosesRecentWrites,
            "a crash of the server loses all since the last snapshot, up to minutes or an hour (appendonly no)",
        ),
    };
    (durability, reason.into())
}

fn check_version(address: &str, version: &str) -> Result<(), StoreError> {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
    let (Some(Some(major)), Some(Some(minor))) = (parts.next(), parts.next()) else {
        return Ok(());
    };
    if (major, minor) < OLDEST {
        return Err(StoreError::refused(format!(
            "Redis at {address} is version {version}, and it takes Redis 6.2 or later, or Valkey"
        )));
    }
    Ok(())
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .map(str::trim)
}

/// A cluster answers for each of its nodes; one of them is taken for all.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text.clone()),
        Value::Map(nodes) => nodes.first().and_then(|(_, value)| text(value)),
        _ => None,
    }
}

/// `CONFIG GET` answers with the name and the value, as a list or, in RESP3, as a map.
fn setting(value: &Value) -> Option<String> {
    match value {
        Value::Array(pair) => text(pair.get(1)?),
        Value::Map(pairs) => text(&pairs.first()?.1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_persist_is_told_apart() {
        let judged = |policy, memory, aof, fsync, save| judge(policy, memory, aof, fsync, save).0;
        let cases = [
            (
                judged("noeviction", "0", "yes", "always", ""),
                Durability::Durable,
            ),
            (
                judged("allkeys-lru", "0", "yes", "always", ""),
                Durability::Durable,
            ),
            (
                judged("allkeys-lru", "100", "yes", "always", ""),
                Durability::Evictable,
            ),
            (
                judged("volatile-ttl", "100", "yes", "always", ""),
                Durability::Evictable,
            ),
            (
                judged("noeviction", "0", "yes", "everysec", ""),
                Durability::LosesRecentWrites,
            ),
            (
                judged("noeviction", "0", "yes", "no", ""),
                Durability::LosesRecentWrites,
            ),
            (
                judged("noeviction", "0", "no", "always", "3600 1"),
                Durability::LosesRecentWrites,
            ),
            (
                judged("noeviction", "0", "no", "always", ""),
                Durability::Volatile,
            ),
        ];
        for (place, (judged, expected)) in cases.into_iter().enumerate() {
            assert_eq!(judged, expected, "case {place}");
        }
    }

    #[test]
    fn only_servers_before_6_2_are_too_old() {
        for version in ["6.2.0", "7.0.15", "8.4", "10.0.1", "unstable"] {
            check_version("h", version).unwrap();
        }
        for version in ["6.0.20", "5.0.14", "2.8.0"] {
            let error = check_version("h", version).unwrap_err().to_string();
            assert!(error.contains(version) && error.contains("6.2"), "{error}");
        }
    }
}
