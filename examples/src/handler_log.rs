use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ordered_events::{Context, HandlerError};

/// What a handler writes down: a line `key number event_id worker` for each event, after it has worked for some time.
#[derive(Debug, Clone, Default)]
pub struct HandlerLog {
    log: Option<Arc<File>>,
    work: Duration,
}

impl HandlerLog {
    /// Into this file, whoever else writes there.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(path: &Path, work: Duration) -> std::io::Result<Self> {
        let log = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self {
            log: Some(Arc::new(log)),
            work,
        })
    }

    /// Nowhere: only the work takes its time.
    #[must_use]
    pub fn none(work: Duration) -> Self {
        Self { log: None, work }
    }

    /// Takes the time that the work takes.
    pub async fn work(&self) {
        tokio::time::sleep(self.work).await;
    }

    /// Writes down that the handler is called with the event of this number.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, context: &Context, number: u64) -> Result<(), HandlerError> {
        if let Some(mut file) = self.log.as_deref() {
            let (key, id, worker) = (context.key(), context.event_id(), context.worker());
            file.write_all(format!("{key} {number} {id} {worker}\n").as_bytes())?;
        }
        Ok(())
    }
}
