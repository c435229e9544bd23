use ordered_core::internal::readable::{grouped, printable};
use serde::Serialize;

use crate::args::Queues;
use crate::broker::{QueueLine, queues};
use crate::failure::Failure;
use crate::output::{Report, table};
use crate::watch::show;

#[derive(Serialize)]
struct Document<'a> {
    queues: &'a [QueueLine],
}

pub(crate) async fn run(command: &Queues) -> Result<(), Failure> {
    show(&command.view_args, async || {
        let queues = queues(&command.broker.or_environment()).await?;
        Report::new(&Document { queues: &queues }, text(&queues))
    })
    .await
}

fn text(queues: &[QueueLine]) -> String {
    let row = |line: &QueueLine| {
        [
            printable(&line.queue),
            line.role.to_owned(),
            grouped(line.waiting),
            grouped(line.consumers),
        ]
    };
    let shown = queues.iter().filter(|line| !line.counts_workers());
    let rows: Vec<[String; 4]> = shown.map(row).collect();
    let mut text = table(["QUEUE", "HOLDS", "WAITING", "CONSUMERS"], &rows);
    if let Some(workers) = queues.iter().find(|line| line.counts_workers()) {
        let partitions = queues.iter().filter(|line| line.is_partition()).count();
        text += &format!(
            "\nworkers: {} on {} partitions; of each partition one gets the events, and the others wait for it to end",
            grouped(workers.consumers),
            grouped(partitions as u64)
        );
    }
    let nobody: Vec<&QueueLine> = queues
        .iter()
        .filter(|line| line.waits_for_nobody())
        .collect();
    for line in nobody {
        text += &format!(
            "\n`{}` has events and nobody who consumes it: start a worker, with as many `partitions` as there are",
            printable(&line.queue)
        );
    }
    text
}
