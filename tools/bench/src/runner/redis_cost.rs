//! What a trial costs Redis, from its own counters.

use std::time::Duration;

use ordered_events::RedisStore;
use ordered_events::core::store::{Inspect, KeyIndex};
use redis::aio::MultiplexedConnection;
use serde::{Deserialize, Serialize};

use crate::Failure;

/// Counters of a server.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Cost {
    /// Processor time in microseconds, of all threads.
    pub(crate) processor: f64,
    pub(crate) bytes_in: f64,
    pub(crate) bytes_out: f64,
    /// Commands, those within scripts included.
    pub(crate) commands: f64,
    pub(crate) script_calls: f64,
}

impl Cost {
    pub(super) async fn sofar(redis: &mut MultiplexedConnection) -> Result<Self, Failure> {
        let info: String = redis::cmd("INFO").arg("all").query_async(redis).await?;
        let seconds = field(&info, "used_cpu_user:") + field(&info, "used_cpu_sys:");
        Ok(Self {
            processor: seconds * 1e6,
            bytes_in: field(&info, "total_net_input_bytes:"),
            bytes_out: field(&info, "total_net_output_bytes:"),
            commands: field(&info, "total_commands_processed:"),
            script_calls: field(&info, "cmdstat_evalsha:calls="),
        })
    }

    /// For each event, what was counted between two looks.
    pub(super) fn for_each(self, before: Self, events: f64) -> Self {
        let each = |after: f64, before: f64| (after - before) / events;
        Self {
            processor: each(self.processor, before.processor),
            bytes_in: each(self.bytes_in, before.bytes_in),
            bytes_out: each(self.bytes_out, before.bytes_out),
            commands: each(self.commands, before.commands),
            script_calls: each(self.script_calls, before.script_calls),
        }
    }
}

/// How many bytes the state of a key of the group has, on average.
pub(super) async fn state_bytes(url: &str, group: &str) -> Result<f64, Failure> {
    let store = RedisStore::connect(url).await?;
    let opened = store.group(group).await?;
    let group = opened.ok_or("the group was not opened")?;
    let (mut keys, mut bytes, mut cursor) = (0_u32, 0_u32, None);
    loop {
        let page = store.page(&group, KeyIndex::All, cursor).await?;
        for body in page
            .records
            .iter()
            .filter_map(|record| record.body.as_ref())
        {
            keys += 1;
            bytes += u32::try_from(body.len())?;
        }
        cursor = page.cursor;
        if cursor.is_none() {
            return Ok(f64::from(bytes) / f64::from(keys.max(1)));
        }
    }
}

/// The number behind a name, up to the comma or the end of the line.
pub(super) fn field(info: &str, name: &str) -> f64 {
    let rest = info.lines().find_map(|line| line.strip_prefix(name));
    rest.and_then(|rest| rest.split([',', '\r']).next()?.parse().ok())
        .unwrap_or(0.0)
}

/// Empties the server, and shortens its log when that has become long.
pub(super) async fn wipe(redis: &mut MultiplexedConnection) -> Result<(), Failure> {
    const LONG: f64 = 256e6;
    let () = redis::cmd("FLUSHALL").query_async(redis).await?;
    if persistence(redis, "aof_current_size:").await? > LONG {
        let () = redis::cmd("BGREWRITEAOF").query_async(redis).await?;
        while persistence(redis, "aof_rewrite_in_progress:").await? > 0.0
            || persistence(redis, "aof_rewrite_scheduled:").await? > 0.0
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(())
}

async fn persistence(redis: &mut MultiplexedConnection, name: &str) -> Result<f64, Failure> {
    let mut command = redis::cmd("INFO");
    let info: String = command.arg("persistence").query_async(redis).await?;
    Ok(field(&info, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_in_both_forms() {
        let info = "used_cpu_sys:1.25\r\ncmdstat_evalsha:calls=12,usec=3\r\n";
        assert!((field(info, "used_cpu_sys:") - 1.25).abs() < 1e-9);
        assert!((field(info, "cmdstat_evalsha:calls=") - 12.0).abs() < 1e-9);
        assert!(field(info, "nothing:").abs() < 1e-9);
    }
}
