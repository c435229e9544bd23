//! Commands, on their way to the scripts.

mod parting;
mod portion;
mod texts;

use std::time::Duration;

use bytes::Bytes;
use ordered_core::protocol::{GapPolicy, Policy, Quota, WorkerId};

pub(crate) use self::parting::{portions, takes_in};
pub(crate) use self::portion::Portion;
use crate::pack::Packer;

/// Who asks, when, and by which rules; a time of 0 is the server's own. A dry run writes nothing. What is said goes to the
/// log of what operators did.
pub(crate) fn situation(
    policy: &Policy,
    bucket_quota: Quota,
    worker: &WorkerId,
    given_time: u64,
    is_dry: bool,
    said: &str,
    (run, call): (&str, u64),
) -> Bytes {
    let (on_gap, after) = match policy.on_gap {
        GapPolicy::Wait => (0, Duration::ZERO),
        GapPolicy::Skip { after } => (1, after),
        GapPolicy::Halt { after } => (2, after),
    };
    Packer::default()
        .text(worker.as_str())
        .number(given_time)
        .number(is_dry.into())
        .text(run)
        .number(call)
        .number(policy.first_seq.max(1))
        .number(policy.max_attempts.into())
        .number(policy.lane_depth.max(1).into())
        .millis(policy.dedup_ttl)
        .number(policy.next_events.max(1).into())
        .number(policy.next_bytes)
        .number(policy.key_quota.events)
        .number(policy.key_quota.bytes)
        .number(bucket_quota.events)
        .number(bucket_quota.bytes)
        .number(on_gap)
        .millis(after)
        .text(&format!("{after:?}"))
        .text(said)
        .finish()
}
