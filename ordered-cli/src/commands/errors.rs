use ordered_core::admin::{Cause, Selection};
use ordered_core::internal::readable::{grouped, moment, printable};
use serde::Serialize;

use crate::args::Errors;
use crate::failure::Failure;
use crate::output::{Report, table};
use crate::session::Session;
use crate::watch::show;

/// How much of a cause is shown in the table.
const MOST: usize = 100;

#[derive(Serialize)]
struct Document<'a> {
    group: &'a str,
    /// The most frequent first.
    causes: &'a [Cause],
    /// There are more, beyond the limit.
    more: bool,
    now: u64,
}

pub(crate) async fn run(session: &Session, command: &Errors) -> Result<(), Failure> {
    show(&command.view_args, async || {
        let group = session.group().await?;
        let selection = Selection {
            pattern: command.key.clone(),
            ..Selection::default()
        };
        let mut causes = session.admin.causes(&group, &selection).await?;
        let now = session.admin.workers(&group).await?.now;
        let more = causes.len() > command.limit;
        causes.truncate(command.limit);
        let document = Document {
            group: group.name(),
            causes: &causes,
            more,
            now,
        };
        Report::new(&document, text(&causes, more, now))
    })
    .await
}

fn text(causes: &[Cause], more: bool, now: u64) -> String {
    if causes.is_empty() {
        return "no event failed: none halts its key, backs off, or is a dead letter".into();
    }
    let rows: Vec<[String; 8]> = causes.iter().map(|cause| row(cause, now)).collect();
    let titles = [
        "EVENTS", "HALTED", "BACKOFF", "DEAD", "FIRST", "LAST", "EXAMPLE", "CAUSE",
    ];
    let mut text = table(titles, &rows);
    if more {
        text += &format!(
            "\nthere are more causes than these {}: see --limit",
            grouped(causes.len() as u64)
        );
    }
    text
}

fn row(cause: &Cause, now: u64) -> [String; 8] {
    let text = printable(&cause.cause);
    let shown = match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    };
    [
        grouped(cause.events),
        grouped(cause.halted),
        grouped(cause.backing_off),
        grouped(cause.dead),
        moment(cause.first_at, now),
        moment(cause.last_at, now),
        format!("{} {}", printable(&cause.example.key), cause.example.seq),
        shown,
    ]
}
