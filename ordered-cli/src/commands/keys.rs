use ordered_core::admin::KeyFilter;
use ordered_core::explain::{Explanation, KeyStatus, explain};
use ordered_core::internal::last_seq_text;
use ordered_core::internal::readable::{grouped, moment, printable, span};
use ordered_core::protocol::KeyView;
use serde::Serialize;

use crate::args::Keys;
use crate::failure::Failure;
use crate::output::{Report, table};
use crate::session::Session;
use crate::watch::show;

#[derive(Serialize)]
struct Document<'a> {
    group: &'a str,
    keys: Vec<KeyDocument<'a>>,
    /// There are more, beyond the limit.
    more: bool,
}

#[derive(Serialize)]
struct KeyDocument<'a> {
    key: &'a str,
    status: KeyStatus,
    paused: &'a [String],
    last_seq: u64,
    seq: Option<u64>,
    since: Option<u64>,
    worker: Option<&'a str>,
    attempts: u32,
    error: Option<&'a str>,
    held_events: u64,
    held_bytes: u64,
    dead_events: u64,
}

pub(crate) async fn run(session: &Session, command: &Keys) -> Result<(), Failure> {
    show(&command.view_args, async || report(session, command).await).await
}

async fn report(session: &Session, command: &Keys) -> Result<Report, Failure> {
    let group = session.group().await?;
    let filter = if command.stuck {
        KeyFilter::Stuck
    } else {
        KeyFilter::All
    };
    let mut views = session.keys(&group, filter, command.limit).await?;
    let more = views.len() > command.limit;
    views.truncate(command.limit);
    let keys: Vec<(&KeyView, Explanation)> = views
        .iter()
        .map(|view| (view, explain(&view.key, Some(view), &group, None)))
        .collect();
    let document = Document {
        group: group.name(),
        keys: keys.iter().map(document).collect(),
        more,
    };
    Report::new(&document, text(&keys, command, more))
}

fn document<'a>((view, explanation): &'a (&'a KeyView, Explanation)) -> KeyDocument<'a> {
    KeyDocument {
        key: &view.key,
        status: explanation.status,
        paused: &explanation.paused,
        last_seq: view.last_seq,
        seq: explanation.seq,
        since: explanation.since,
        worker: explanation.worker.as_deref(),
        attempts: explanation.attempts,
        error: explanation.error.as_deref(),
        held_events: view.held_events,
        held_bytes: view.held_bytes,
        dead_events: view.dead_events,
    }
}

fn text(keys: &[(&KeyView, Explanation)], command: &Keys, more: bool) -> String {
    if keys.is_empty() {
        return if command.stuck {
            "no key is stuck".into()
        } else {
            "no key was ever seen".into()
        };
    }
    let rows: Vec<[String; 7]> = keys.iter().map(row).collect();
    let titles = ["KEY", "STANDING", "LAST", "AT", "SINCE", "HELD", "DEAD"];
    let mut text = table(titles, &rows);
    if more {
        text += &format!(
            "\nthere are more than these {}: see --limit",
            grouped(command.limit as u64)
        );
    }
    text
}

fn row((view, explanation): &(&KeyView, Explanation)) -> [String; 7] {
    let since = explanation.since.map_or("-".into(), |since| {
        format!(
            "{} ({})",
            moment(since, view.now),
            span(view.now.saturating_sub(since))
        )
    });
    let is_also_paused = !explanation.paused.is_empty() && explanation.status != KeyStatus::Paused;
    let also = if is_also_paused { ", paused" } else { "" };
    [
        printable(&view.key),
        format!("{}{also}", explanation.status),
        last_seq_text(view.next_seq.wrapping_sub(1)),
        explanation.seq.map_or("-".into(), |seq| seq.to_string()),
        since,
        grouped(view.held_events),
        grouped(view.dead_events),
    ]
}
