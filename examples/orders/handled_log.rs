use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ordered_events::Context;

use crate::event::OrderEvent;

/// Where the handler writes what it did: one line `key seq event_id worker_id` for each event.
#[derive(Clone)]
pub(crate) struct HandledLog {
    sink: Option<Arc<File>>,
    work: Duration,
    poison: Option<Arc<(String, u64)>>,
}

impl HandledLog {
    /// Appends to the file, each line in one write, so that several processes can share it.
    pub(crate) fn open(
        path: Option<&Path>,
        work: Duration,
        poison: Option<(String, u64)>,
    ) -> io::Result<Self> {
        let open = |path| OpenOptions::new().create(true).append(true).open(path);
        Ok(Self {
            sink: path.map(open).transpose()?.map(Arc::new),
            work,
            poison: poison.map(Arc::new),
        })
    }

    /// Writes the events of one run down, all in one write.
    pub(crate) async fn write(&self, events: &[OrderEvent], context: &Context) -> io::Result<()> {
        if let Some((key, seq)) = self.poison.as_deref()
            && events
                .iter()
                .any(|event| (&event.order_id, event.seq) == (key, *seq))
        {
            std::process::abort();
        }
        if !self.work.is_zero() {
            tokio::time::sleep(self.work).await;
        }
        if let Some(file) = &self.sink {
            let line = |event: &OrderEvent| {
                let (key, seq, id) = (&event.order_id, event.seq, &event.event_id);
                format!("{key} {seq} {id} {}\n", context.worker())
            };
            let lines: String = events.iter().map(line).collect();
            (&**file).write_all(lines.as_bytes())?;
        }
        Ok(())
    }
}
