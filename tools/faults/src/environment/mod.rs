//! What faults are injected into: servers, workers, the producer and the history.

mod disk;
mod fleet;
mod kafka;
mod process;
mod producer;
mod queue;
mod servers;
mod tail;

use std::path::PathBuf;

use ordered_testkit::unique;
use tokio::sync::Mutex;

pub(crate) use disk::Disk;
pub(crate) use fleet::{Fleet, Slot};
pub(crate) use process::Process;
pub(crate) use producer::Producer;
pub(crate) use queue::{Queue, address};
pub use servers::Servers;
pub(crate) use servers::redis_says;
pub(crate) use tail::Tail;

use crate::journal::Journal;

/// The names of one run, and the folder with its files.
pub(crate) struct Names {
    pub(crate) queue: String,
    pub(crate) group: String,
    pub(crate) folder: PathBuf,
}

impl Names {
    pub(crate) fn new(fault: &str) -> std::io::Result<Self> {
        let queue = unique(&format!("faults-{fault}"));
        let folder = std::env::temp_dir().join(&queue);
        std::fs::create_dir_all(&folder)?;
        Ok(Self {
            group: queue.clone(),
            queue,
            folder,
        })
    }

    pub(crate) fn history(&self) -> PathBuf {
        self.folder.join("history.ndjson")
    }
}

/// Everything that faults are injected into.
pub(crate) struct Environment<'a> {
    pub(crate) names: Names,
    pub(crate) servers: &'a Servers,
    pub(crate) fleet: Fleet,
    pub(crate) producer: Producer,
    pub(crate) tail: Tail,
    pub(crate) journal: Journal,
    pub(crate) disk: Option<Mutex<Disk>>,
    pub(crate) queue: Queue,
}
