use super::turn::Turn;
use super::{Stage, Worker};

impl Turn<'_> {
    pub(crate) fn begin_drain(&mut self) {
        self.me().draining = true;
        let stage = self.me().lane.as_ref().map(|lane| lane.stage);
        if let Some(Stage::Ready | Stage::BackingOff) = stage {
            self.release();
        }
    }

    /// The drain timeout is over: the handler is stopped, and its key given back.
    pub(crate) fn stop_run(&mut self) {
        self.release();
    }
}

impl Worker {
    pub(crate) fn can_leave(&self) -> bool {
        self.draining && self.lane.is_none() && self.outbox.is_empty() && self.batch.is_empty()
    }
}
