use std::collections::BTreeMap;

use bytes::Bytes;
use ordered_core::event::{Envelope, TraceParent};
use serde_json::Value;
use tokio_postgres::Row;

/// The header with the key of the event.
pub const HEADER_KEY: &str = "x-ordered-key";
/// The header with the seq: `#[ordered_handler(seq = "header:x-ordered-seq")]`.
pub const HEADER_SEQ: &str = "x-ordered-seq";
/// The header with the id: `#[ordered_handler(id = "header:x-ordered-id")]`.
pub const HEADER_ID: &str = "x-ordered-id";
/// The header with the type of the event.
pub const HEADER_TYPE: &str = "x-ordered-type";
/// The header with the type of the aggregate.
pub const HEADER_AGGREGATE: &str = "x-ordered-aggregate";

/// Where a row stands among all rows. The later the transaction began to write, the higher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) xid: i64,
    pub(super) position: i64,
}

impl Position {
    /// Behind everything that is older than this transaction.
    pub(super) fn before(xid: i64) -> Self {
        Self {
            xid: xid - 1,
            position: i64::MAX,
        }
    }
}

/// A row of the outbox.
#[derive(Debug, Clone)]
pub(super) struct OutboxRow {
    pub(super) at: Position,
    pub(super) shard: i16,
    pub(super) key: String,
    pub(super) seq: i64,
    id: String,
    aggregate_type: String,
    event_type: String,
    body: Bytes,
    headers: Option<String>,
    trace: Option<String>,
    created_at: i64,
}

/// What [`OutboxRow::read`] reads; `outbox` is the name of the table in the query.
// The cast of `xid` has a name of its own: `order by xid` would mean the text otherwise.
pub(super) const COLUMNS: &str = "outbox.xid::text::bigint as number, outbox.position, outbox.shard, outbox.aggregate_id, \
     outbox.seq, outbox.id, outbox.aggregate_type, outbox.event_type, \
     coalesce(outbox.payload_bytes, convert_to(outbox.payload::text, 'UTF8')) as body, outbox.headers::text as heads, \
     outbox.trace, (extract(epoch from outbox.created_at) * 1000)::bigint as created";

impl OutboxRow {
    pub(super) fn read(row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            at: Position {
                xid: row.try_get(0)?,
                position: row.try_get(1)?,
            },
            shard: row.try_get(2)?,
            key: row.try_get(3)?,
            seq: row.try_get(4)?,
            id: row.try_get(5)?,
            aggregate_type: row.try_get(6)?,
            event_type: row.try_get(7)?,
            body: Bytes::copy_from_slice(row.try_get(8)?),
            headers: row.try_get(9)?,
            trace: row.try_get(10)?,
            created_at: row.try_get(11)?,
        })
    }

    /// What it takes in memory, roughly.
    pub(super) fn size(&self) -> usize {
        self.body.len() + self.headers.as_ref().map_or(0, String::len) + self.key.len() + 200
    }

    /// The message. Each publication of the row makes the same one.
    pub(super) fn envelope(&self) -> Envelope {
        let mut headers = self.headers.as_deref().map(texts).unwrap_or_default();
        let mut put = |name: &str, value: &str| headers.insert(name.to_owned(), value.to_owned());
        put(HEADER_KEY, &self.key);
        put(HEADER_SEQ, &self.seq.to_string());
        put(HEADER_ID, &self.id);
        put(HEADER_TYPE, &self.event_type);
        put(HEADER_AGGREGATE, &self.aggregate_type);
        if let Some(trace) = &self.trace {
            put(TraceParent::HEADER, trace);
        }
        Envelope {
            body: self.body.clone(),
            headers,
            published_at: u64::try_from(self.created_at).ok(),
        }
    }
}

/// The members of an object; those that are no texts as JSON.
fn texts(json: &str) -> BTreeMap<String, String> {
    let object: BTreeMap<String, Value> = serde_json::from_str(json).unwrap_or_default();
    let members = object.into_iter().map(|(name, value)| match value {
        Value::String(text) => (name, text),
        other => (name, other.to_string()),
    });
    members.collect()
}
