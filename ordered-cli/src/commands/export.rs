use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ordered_core::admin::{KeyFilter, Position, StoredEvent, StoredKind};
use ordered_core::event::Key;
use ordered_core::protocol::KeyView;
use ordered_core::store::Group;
use serde::Serialize;

use super::positions::written;
use crate::args::Export;
use crate::failure::Failure;
use crate::output::json;
use crate::session::Session;

/// One event, on one line.
#[derive(Serialize)]
pub(super) struct Line<'a> {
    group: &'a str,
    key: &'a str,
    kind: StoredKind,
    epoch: u64,
    seq: u64,
    id: &'a str,
    since: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replay: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    published_at: Option<u64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: &'a BTreeMap<String, String>,
    #[serde(flatten)]
    payload: Payload<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Payload<'a> {
    Payload(&'a str),
    PayloadBase64(String),
}

pub(crate) async fn run(session: &Session, command: &Export) -> Result<(), Failure> {
    let group = session.group().await?;
    let mut out = BufWriter::new(io::stdout().lock());
    if command.positions {
        write_positions(session, &group, command, &mut out).await?;
        return Ok(out.flush()?);
    }
    match &command.key {
        Some(key) => {
            let view = session.known(&group, key).await?;
            export(session, &group, &view, &mut out).await?;
        }
        None => {
            for view in session.keys(&group, KeyFilter::Kept, usize::MAX).await? {
                export(session, &group, &view, &mut out).await?;
            }
        }
    }
    out.flush()?;
    Ok(())
}

/// How far each key is, sorted.
async fn write_positions(
    session: &Session,
    group: &Group,
    command: &Export,
    out: &mut impl Write,
) -> Result<(), Failure> {
    if let Some(key) = &command.key {
        let view = session.known(group, key).await?;
        let position = Position {
            key: key.clone(),
            epoch: (view.epoch > 0).then_some(view.epoch),
            last_seq: view.last_seq,
        };
        writeln!(out, "{}", written(&position, command.json))?;
        return Ok(());
    }
    // A key that changes meanwhile may be on two pages.
    let mut positions = BTreeMap::new();
    let mut cursor = None;
    loop {
        let (page, next) = session.admin.positions(group, cursor).await?;
        let keyed = page.into_iter();
        positions.extend(keyed.map(|position| (position.key.clone(), position)));
        cursor = next;
        if cursor.is_none() {
            break;
        }
    }
    for position in positions.values() {
        writeln!(out, "{}", written(position, command.json))?;
    }
    Ok(())
}

async fn export(
    session: &Session,
    group: &Group,
    view: &KeyView,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let key = Key::new(&view.key).map_err(|error| Failure::Usage(error.to_string()))?;
    for kind in [StoredKind::Dead, StoredKind::Held] {
        let mut after = None;
        loop {
            let page = session.admin.stored(group, &key, kind, after).await?;
            for event in &page {
                writeln!(out, "{}", json(&line(group, view, kind, event))?)?;
            }
            match page.last() {
                Some(last) => after = Some(last.place),
                None => break,
            }
        }
    }
    Ok(())
}

pub(super) fn line<'a>(
    group: &'a Group,
    view: &'a KeyView,
    kind: StoredKind,
    event: &'a StoredEvent,
) -> Line<'a> {
    let dead_letter = event.dead_letter.as_ref();
    let body = &event.envelope.body;
    Line {
        group: group.name(),
        key: &view.key,
        kind,
        epoch: match kind {
            StoredKind::Held => view.epoch,
            StoredKind::Dead => event.place.0,
        },
        seq: event.place.1,
        id: &event.id,
        since: event.since,
        cause: dead_letter.map(|dead_letter| dead_letter.cause.as_str()),
        error: dead_letter.map(|dead_letter| &*dead_letter.error),
        attempts: dead_letter.map(|dead_letter| dead_letter.attempts),
        replay: dead_letter.map(|dead_letter| dead_letter.replay),
        published_at: event.envelope.published_at,
        headers: &event.envelope.headers,
        payload: match std::str::from_utf8(body) {
            Ok(text) => Payload::Payload(text),
            Err(_) => Payload::PayloadBase64(STANDARD.encode(body)),
        },
    }
}
