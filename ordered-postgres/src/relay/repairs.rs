use deadpool_postgres::Object;
use ordered_core::event::{Key, Seq};
use ordered_core::worker::Control;
use tokio_postgres::types::Type;

use super::metrics::{self, Failed};
use super::pump::Pump;
use super::reading;
use super::row::OutboxRow;
use crate::error::PostgresError;

/// How many requests are gone on with in one turn.
const REQUESTS_A_TURN: i64 = 16;
/// How many events are published for one request in one turn.
const EVENTS_A_TURN: usize = 500;

/// A request, as far as it is answered.
#[derive(Debug)]
struct OpenRequest {
    id: i64,
    key: String,
    from: i64,
    next: i64,
    to: i64,
    fill: bool,
    resent: i64,
    pending: i64,
    missing: i64,
    removed: i64,
}

/// Goes on with what is asked of the relay's shards. What fails stays open, and is gone on with next time.
pub(super) async fn answer(pump: &mut Pump, connection: &Object) -> Result<(), PostgresError> {
    let shards: Vec<i16> = pump.shards.keys().copied().collect();
    let query = "select id, key, next_seq, to_seq, fill, resent, pending, removed, from_seq from ordered_repairs \
         where answered_at is null and shard = any($1) order by id limit $2";
    let rows = connection
        .query_typed(
            query,
            &[(&shards, Type::INT2_ARRAY), (&REQUESTS_A_TURN, Type::INT8)],
        )
        .await?;
    for row in rows {
        let mut open = OpenRequest {
            id: row.get(0),
            key: row.get(1),
            from: row.get(8),
            next: row.get(2),
            to: row.get(3),
            fill: row.get(4),
            resent: row.get(5),
            pending: row.get(6),
            missing: 0,
            removed: row.get(7),
        };
        let done = go_on(pump, connection, &mut open).await?;
        write(connection, &open, done).await?;
        if done {
            tracing::info!(
                key = open.key,
                resent = open.resent,
                pending = open.pending,
                missing = open.missing,
                removed = open.removed,
                "answered a request for events"
            );
        }
    }
    Ok(())
}

/// True when the request is answered.
async fn go_on(
    pump: &mut Pump,
    connection: &Object,
    open: &mut OpenRequest,
) -> Result<bool, PostgresError> {
    // Before the rows: what is staged in between is no event that was removed.
    let staged = last_staged(connection, &open.key).await?;
    let range = (open.next, open.to);
    let bytes = pump.settings.batch_bytes;
    let rows = reading::of_key(connection, &open.key, range, EVENTS_A_TURN, bytes).await?;
    let Some(last) = rows.last().map(|row| row.seq) else {
        return Ok(finish(pump, open, staged).await);
    };
    let first = rows.first().map_or(last, |row| row.seq);
    if !send_lost(pump, open, first - 1).await {
        return Ok(false);
    }
    let passed: Vec<&OutboxRow> = rows.iter().filter(|row| is_passed(pump, row)).collect();
    let envelopes = passed.iter().map(|row| row.envelope()).collect();
    if !passed.is_empty() && !publish(pump, envelopes, &open.key).await {
        return Ok(false);
    }
    let (resent, all) = (signed(passed.len()), signed(rows.len()));
    metrics::repaired("resent", passed.len() as u64);
    open.resent += resent;
    open.pending += all - resent;
    open.removed += last + 1 - open.next - all;
    open.next = last + 1;
    Ok(false)
}

/// Nothing more of it is in the outbox: what is left was removed, or never staged.
async fn finish(pump: &mut Pump, open: &mut OpenRequest, staged: i64) -> bool {
    if !send_lost(pump, open, staged.min(open.to)).await {
        return false;
    }
    open.removed += (staged.min(open.to) + 1 - open.next).max(0);
    let first = open.next.max(staged + 1);
    open.missing = (open.to + 1 - first).max(0);
    if open.missing > 0 && open.fill {
        let control = range(first, open.to).map(|(from, to)| Control::GapFill { from, to });
        if !send_control(pump, &open.key, control).await {
            return false;
        }
    }
    metrics::repaired("missing", u64::try_from(open.missing).unwrap_or(0));
    metrics::repaired("removed", u64::try_from(open.removed).unwrap_or(0));
    true
}

/// Sends to a key that the first of what its worker asked for was removed, up to this seq: the key halts. What was
/// removed further on the key asks for when it gets there.
async fn send_lost(pump: &Pump, open: &OpenRequest, last: i64) -> bool {
    if !open.fill || open.next != open.from || last < open.from {
        return true;
    }
    let which = if last == open.from {
        format!("seq {last}")
    } else {
        format!("seq {} to {last}", open.from)
    };
    let why = format!(
        "the outbox staged {which} and removed it after the retention of the relay, so it cannot be published again: \
         publish it from a backup and retry the key, or skip it; a longer `retention` leaves workers more time to ask"
    );
    let control = range(open.from, last).map(|(from, to)| Control::Lost { from, to, why });
    send_control(pump, &open.key, control).await
}

/// The last seq of the key that was staged.
async fn last_staged(connection: &Object, key: &str) -> Result<i64, PostgresError> {
    let query = "select last_seq from ordered_counters where key = $1";
    let row = connection
        .query_typed_opt(query, &[(&key, Type::TEXT)])
        .await?;
    Ok(row.map_or(0, |row| row.get(0)))
}

/// Whether the relay has published the row, so that it does not come by itself.
fn is_passed(pump: &Pump, row: &OutboxRow) -> bool {
    let shard = pump.shards.get(&row.shard);
    let lagging = pump.lagging.get(&row.key);
    shard.is_some_and(|shard| row.at <= shard.at)
        && lagging.is_none_or(|lagging| row.seq < lagging.next_seq)
}

async fn publish(pump: &Pump, envelopes: Vec<ordered_core::event::Envelope>, key: &str) -> bool {
    match pump.publisher.publish(envelopes).await {
        Ok(()) => true,
        Err(error) => {
            metrics::failed(Failed::Key);
            tracing::warn!(key, %error, "events that were asked for cannot be published; the relay tries again");
            false
        }
    }
}

/// Publishes a message about the key; what cannot be one for this key is left out.
async fn send_control(pump: &Pump, key: &str, control: Option<Control>) -> bool {
    let (Some(control), Ok(name)) = (control, Key::new(key)) else {
        return true;
    };
    publish(pump, vec![control.envelope(&name)], key).await
}

async fn write(connection: &Object, open: &OpenRequest, done: bool) -> Result<(), PostgresError> {
    let query = "update ordered_repairs set next_seq = $2, resent = $3, pending = $4, missing = $5, removed = $6, \
         answered_at = case when $7 then clock_timestamp() end where id = $1 and answered_at is null";
    connection
        .query_typed(
            query,
            &[
                (&open.id, Type::INT8),
                (&open.next, Type::INT8),
                (&open.resent, Type::INT8),
                (&open.pending, Type::INT8),
                (&open.missing, Type::INT8),
                (&open.removed, Type::INT8),
                (&done, Type::BOOL),
            ],
        )
        .await?;
    Ok(())
}

fn range(from: i64, to: i64) -> Option<(Seq, Seq)> {
    let seq = |number: i64| Seq::new(u64::try_from(number).ok()?).ok();
    Some((seq(from)?, seq(to)?))
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
