use ordered_core::internal::readable::{moment, printable};
use ordered_core::store::AuditEntry;
use serde::Serialize;

use crate::args::Audit;
use crate::failure::Failure;
use crate::output::{Report, table};
use crate::session::Session;
use crate::watch::show;

#[derive(Serialize)]
struct Document<'a> {
    group: &'a str,
    /// Newest first.
    entries: &'a [AuditEntry],
}

pub(crate) async fn run(session: &Session, command: &Audit) -> Result<(), Failure> {
    show(&command.view_args, async || {
        let group = session.group().await?;
        let entries = session.admin.audit(&group, command.limit).await?;
        let document = Document {
            group: group.name(),
            entries: &entries,
        };
        Report::new(&document, text(&entries))
    })
    .await
}

fn text(entries: &[AuditEntry]) -> String {
    if entries.is_empty() {
        return "no operator did anything yet".into();
    }
    let row = |entry: &AuditEntry| {
        [
            // An audit log is read long after: always with the date.
            moment(entry.at, 0),
            printable(&entry.operator.who),
            printable(&entry.verb),
            entry.key.as_deref().map_or("(the group)".into(), printable),
            printable(&entry.outcome),
            printable(&entry.operator.why),
        ]
    };
    let rows: Vec<[String; 6]> = entries.iter().map(row).collect();
    table(["AT", "WHO", "VERB", "KEY", "OUTCOME", "WHY"], &rows)
}
