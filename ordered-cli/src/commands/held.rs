use ordered_core::explain::{grouped, moment, printable, size};
use ordered_core::protocol::{HeldView, KeyView};
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
}

pub(crate) async fn run(session: &Session, command: &OfKey) -> Result<(), Failure> {
    show(&command.viewing, async || {
        let group = session.group().await?;
        let view = session.known(&group, &command.key).await?;
        let document = Document {
            group: group.name(),
            key: &view.key,
            last_seq: view.last_seq,
            held_events: view.held_events,
            held_bytes: view.held_bytes,
            events: &view.held,
        };
        Report::new(&document, text(&view))
    })
    .await
}

fn text(view: &KeyView) -> String {
    let key = printable(&view.key);
    if view.held.is_empty() {
        return format!("nothing of {key} is held");
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
    if view.held_events > rows.len() as u64 {
        text += &format!(
            "\nthese are the first {} of {}: `ordered export` lists all",
            grouped(rows.len() as u64),
            grouped(view.held_events)
        );
    }
    text
}
