//! The relay: publishes what is committed in the outbox, in order per key.
//!
//! # How it reads
//!
//! Rows become visible in another order than they were written in, so a reader that remembers the highest row it has
//! seen skips what commits late. The relay reads only rows of transactions that are older than every open one
//! (`pg_snapshot_xmin`), in the order of transactions. A transaction that is open for long, in any database of the
//! server, therefore holds back what was staged after it began; `ordered outbox status` names it.
//!
//! Within a key the order is that of the seqs. The order of transactions can differ from it: a transaction that wrote
//! something before it staged has an older number than one that staged before it. Where an earlier event of a key lies
//! further on, the key becomes *lagging*: it is read by key and seq until it has caught up. So does a key whose
//! publication fails; it is tried again with backoff, alone.
//!
//! # How relays share the work
//!
//! Keys belong to 16 shards by their hash. A relay that is alive takes its share of them. Each change of the relay of a
//! shard raises the shard's fence, so that a relay that was taken for dead can write nothing about it. What it may
//! still publish are duplicates.
//!
//! What is published and not yet written down, because the relay died in between, is published again: duplicates, never
//! gaps, and the first occurrences are in order.

mod backoff;
mod builder;
mod heartbeat;
mod lagging;
mod metrics;
mod positions;
mod published;
mod publishing;
mod pump;
mod reading;
mod ready;
mod repairs;
mod retention;
mod retries;
mod row;
mod run;
mod settling;
mod shards;

pub use builder::{Relay, RelayBuilder};
pub use row::{HEADER_AGGREGATE, HEADER_ID, HEADER_KEY, HEADER_SEQ, HEADER_TYPE};

/// How many shards the keys are spread over, and so how many relays can share the work.
pub const SHARDS: i64 = 16;
