use ordered_core::admin::{DeadEntry, KeyFilter};
use ordered_core::internal::readable::{grouped, moment, printable};
use ordered_core::protocol::KeyView;
use serde::Serialize;

use crate::args::Dead;
use crate::failure::Failure;
use crate::output::{Report, table};
use crate::session::Session;
use crate::watch::show;

#[derive(Serialize)]
struct Document<'a> {
    group: &'a str,
    dead_events: u64,
    /// The first of each key.
    events: &'a [DeadEntry],
}

pub(crate) async fn run(session: &Session, command: &Dead) -> Result<(), Failure> {
    if command.letters.is_given() || command.show.is_some() || command.export {
        return Err(Failure::Usage(
            "that is about the dead letters of the broker: add --transport; those of the store are shown by `ordered \
             show` and written by `ordered export`"
                .into(),
        ));
    }
    show(&command.view_args, async || {
        let group = session.group().await?;
        let views = match &command.key {
            Some(key) => vec![session.known(&group, key).await?],
            None => session.keys(&group, KeyFilter::Kept, usize::MAX).await?,
        };
        let entries: Vec<DeadEntry> = views.iter().flat_map(entries).collect();
        let dead_events = views.iter().map(|view| view.dead_events).sum();
        let document = Document {
            group: group.name(),
            dead_events,
            events: &entries,
        };
        let now = views.first().map_or(0, |view| view.now);
        Report::new(&document, text(&entries, dead_events, now))
    })
    .await
}

fn entries(view: &KeyView) -> impl Iterator<Item = DeadEntry> {
    view.dead.iter().map(|dead| DeadEntry {
        key: view.key.clone(),
        dead: dead.clone(),
    })
}

fn text(entries: &[DeadEntry], all: u64, now: u64) -> String {
    if entries.is_empty() {
        return "there are no dead letters in the store".into();
    }
    let row = |DeadEntry { key, dead }: &DeadEntry| {
        let replay = if dead.replay { ", to be run again" } else { "" };
        let epoch = if dead.epoch > 0 {
            format!("{}/{}", dead.epoch, dead.seq)
        } else {
            dead.seq.to_string()
        };
        [
            printable(key),
            epoch,
            printable(&dead.id),
            format!("{}{replay}", dead.cause),
            moment(dead.at, now),
            dead.attempts.to_string(),
            printable(&dead.error),
        ]
    };
    let rows: Vec<[String; 7]> = entries.iter().map(row).collect();
    let titles = ["KEY", "SEQ", "ID", "CAUSE", "AT", "ATTEMPTS", "ERROR"];
    let mut text = table(titles, &rows);
    if all > rows.len() as u64 {
        text += &format!(
            "\nthese are the first of each key, {} of {}: `ordered export` lists all",
            grouped(rows.len() as u64),
            grouped(all)
        );
    }
    text
}
