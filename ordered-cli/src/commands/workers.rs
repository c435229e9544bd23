use ordered_core::admin::{WorkerView, WorkersView};
use ordered_core::internal::readable::printable;
use serde::Serialize;

use super::status::lease;
use crate::args::ViewArgs;
use crate::failure::Failure;
use crate::output::{Report, table};
use crate::session::Session;
use crate::watch::show;

#[derive(Serialize)]
struct Document<'a> {
    group: &'a str,
    workers: &'a [WorkerView],
    now: u64,
}

pub(crate) async fn run(session: &Session, view_args: &ViewArgs) -> Result<(), Failure> {
    show(view_args, async || {
        let group = session.group().await?;
        let WorkersView { workers, now, .. } = session.admin.workers(&group).await?;
        let document = Document {
            group: group.name(),
            workers: &workers,
            now,
        };
        Report::new(&document, text(&workers, now))
    })
    .await
}

fn text(workers: &[WorkerView], now: u64) -> String {
    if workers.is_empty() {
        return "no worker of the group has a lease: none was started, or all were shut down"
            .into();
    }
    let row = |worker: &WorkerView| {
        [
            printable(&worker.id),
            lease(worker, now),
            printable(&worker.version),
            worker.keys.to_string(),
        ]
    };
    let rows: Vec<[String; 4]> = workers.iter().map(row).collect();
    table(["WORKER", "LEASE", "VERSION", "KEYS"], &rows)
}
