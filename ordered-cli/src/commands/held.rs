use ordered_core::internal::readable::{grouped, moment, printable, size};
use ordered_core::protocol::{HeldView, KeyView, WaitingView};
use serde::Serialize;

use crate::args::OfKey;
use crate::failure::Failure;
use crate::output::{Report, table};
use crate::session::Session;
use crate::watch::show;

#[derive(Serialize)]
struct Document<'a> {
    group: &'a str,
    key: &'a str,
    last_seq: u64,
    held_events: u64,
    held_bytes: u64,
    /// The first of them.
    events: &'a [HeldView],
    /// Those that have no number yet, where the order comes from the producers.
    #[serde(skip_serializing_if = "<[WaitingView]>::is_empty")]
    waiting: &'a [WaitingView],
}

pub(crate) async fn run(session: &Session, command: &OfKey) -> Result<(), Failure> {
    show(&command.view_args, async || {
        let group = session.group().await?;
        let view = session.known(&group, &command.key).await?;
        let document = Document {
            group: group.name(),
            key: &view.key,
            last_seq: view.last_seq,
            held_events: view.held_events,
            held_bytes: view.held_bytes,
            events: &view.held,
            waiting: &view.waiting,
        };
        Report::new(&document, text(&view))
    })
    .await
}

fn text(view: &KeyView) -> String {
    let key = printable(&view.key);
    let waiting = waiting(view);
    if view.held.is_empty() {
        return waiting.unwrap_or_else(|| format!("nothing of {key} is held"));
    }
    let row = |held: &HeldView| {
        [
            held.seq.to_string(),
            printable(&held.id),
            moment(held.since, view.now),
            size(held.bytes),
        ]
    };
    let rows: Vec<[String; 4]> = view.held.iter().map(row).collect();
    let mut text = table(["SEQ", "ID", "SINCE", "SIZE"], &rows);
    if view.held_events > (rows.len() + view.waiting.len()) as u64 {
        text += &format!(
            "\nthese are the first {} of {}: `ordered export` lists all",
            grouped(rows.len() as u64),
            grouped(view.held_events)
        );
    }
    if let Some(waiting) = waiting {
        text += &format!("\n\n{waiting}");
    }
    text
}

/// The events that have no number yet, and what they wait for.
fn waiting(view: &KeyView) -> Option<String> {
    if view.waiting.is_empty() {
        return None;
    }
    let row = |waiting: &WaitingView| {
        [
            printable(&waiting.producer),
            waiting.seq.to_string(),
            printable(&waiting.id),
            moment(waiting.since, view.now),
            size(waiting.bytes),
        ]
    };
    let rows: Vec<[String; 5]> = view.waiting.iter().map(row).collect();
    Some(table(["PRODUCER", "ITS SEQ", "ID", "SINCE", "SIZE"], &rows))
}
