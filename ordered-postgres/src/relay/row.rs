use std::collections::BTreeMap;
use std::error::Error;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use ordered_core::event::{Envelope, TraceParent};
use ordered_core::publish::Outgoing;
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};

pub use ordered_core::publish::header::{
    AGGREGATE as HEADER_AGGREGATE, ID as HEADER_ID, KEY as HEADER_KEY, SEQ as HEADER_SEQ,
    TYPE as HEADER_TYPE,
};

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
    created_at: Option<u64>,
}

/// What [`OutboxRow::read`] reads; `outbox` is the name of the table in the query.
pub(super) const COLUMNS: &str = "outbox.xid, outbox.position, outbox.shard, outbox.aggregate_id, outbox.seq, \
                                  outbox.id, outbox.aggregate_type, outbox.event_type, outbox.payload, \
                                  outbox.payload_bytes, outbox.headers::text as heads, outbox.trace, outbox.created_at";

/// A value as the server sends it.
struct Raw<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// `xid8`, which the client knows no type for.
struct Xid(i64);

impl<'a> FromSql<'a> for Xid {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(i64::from_be_bytes(raw.try_into()?)))
    }

    fn accepts(of: &Type) -> bool {
        of.name() == "xid8"
    }
}

impl OutboxRow {
    pub(super) fn read(row: &Row) -> Result<Self, tokio_postgres::Error> {
        let Xid(xid) = row.try_get(0)?;
        // JSON is sent as its text.
        let json: Option<Raw<'_>> = row.try_get(8)?;
        let bytes: Option<Raw<'_>> = row.try_get(9)?;
        let created_at: SystemTime = row.try_get(12)?;
        let since = created_at.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self {
            at: Position {
                xid,
                position: row.try_get(1)?,
            },
            shard: row.try_get(2)?,
            key: row.try_get(3)?,
            seq: row.try_get(4)?,
            id: row.try_get(5)?,
            aggregate_type: row.try_get(6)?,
            event_type: row.try_get(7)?,
            body: Bytes::copy_from_slice(json.or(bytes).map_or(&[], |Raw(raw)| raw)),
            headers: row.try_get(10)?,
            trace: row.try_get(11)?,
            created_at: u64::try_from(since.as_millis()).ok(),
        })
    }

    /// What it takes in memory, roughly.
    pub(super) fn size(&self) -> usize {
        self.body.len() + self.headers.as_ref().map_or(0, String::len) + self.key.len() + 200
    }

    /// The message, with what the broker routes and recognises it by.
    pub(super) fn outgoing(&self) -> Outgoing {
        self.envelope().into()
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
            published_at: self.created_at,
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
