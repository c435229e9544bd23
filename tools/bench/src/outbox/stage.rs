use std::time::Instant;

use deadpool_postgres::Object;
use ordered_events::postgres::{Outbox, OutboxEvent, Payload};
use tokio_postgres::Client;

use super::{event, rate};
use crate::Failure;

/// A table like that of the outbox, for rows that nobody numbers.
pub(super) async fn prepare(client: &Client) -> Result<(), Failure> {
    client
        .batch_execute(
            "create table bare_outbox (like ordered_outbox including all); create sequence bare_seq",
        )
        .await?;
    Ok(())
}

const BARE: &str = "insert into bare_outbox (shard, id, aggregate_type, aggregate_id, seq, event_type, payload) select \
                    ordered_shard(event.key), gen_random_uuid()::text, event.aggregate_type, event.key, \
                    nextval('bare_seq'), event.event_type, event.payload::json from unnest($1::text[], $2::text[], \
                    $3::text[], $4::text[]) as event (aggregate_type, key, event_type, payload)";

/// Bare inserts of the same rows, so many in a transaction.
pub(super) async fn bare(
    client: &mut Object,
    keys: usize,
    events: usize,
    batch: usize,
) -> Result<f64, Failure> {
    let statement = client.prepare_cached(BARE).await?;
    let events: Vec<OutboxEvent> = (0..events).map(|_| event(keys)).collect();
    let begun = Instant::now();
    for part in events.chunks(batch) {
        let kinds: Vec<&str> = part.iter().map(|event| &*event.aggregate_type).collect();
        let keys: Vec<&str> = part.iter().map(|event| event.key.as_str()).collect();
        let types: Vec<&str> = part.iter().map(|event| &*event.event_type).collect();
        let payloads: Vec<&str> = part.iter().map(json).collect();
        let tx = client.transaction().await?;
        tx.execute(&statement, &[&kinds, &keys, &types, &payloads])
            .await?;
        tx.commit().await?;
    }
    Ok(rate(events.len(), begun.elapsed()))
}

fn json(event: &OutboxEvent) -> &str {
    match &event.payload {
        Payload::Json(json) => json,
        _ => "null",
    }
}

/// The same events, staged.
pub(super) async fn ours(
    client: &mut Object,
    keys: usize,
    events: usize,
    batch: usize,
) -> Result<f64, Failure> {
    let events: Vec<OutboxEvent> = (0..events).map(|_| event(keys)).collect();
    let begun = Instant::now();
    for part in events.chunks(batch) {
        let mut tx = client.transaction().await?;
        if let [single] = part {
            Outbox::stage(&mut tx, single).await?;
        } else {
            Outbox::stage_all(&mut tx, part).await?;
        }
        tx.commit().await?;
    }
    Ok(rate(events.len(), begun.elapsed()))
}
