use super::lane::Stage;
use super::{Engine, Key};

impl Engine {
    /// From now on nothing new begins: what waits is given back, what runs is finished and committed.
    pub(in crate::worker) fn begin_drain(&mut self) {
        self.draining = true;
        self.ready.clear();
        self.release_where(|stage| matches!(stage, Stage::Ready | Stage::BackingOff));
    }

    /// Stops the handlers that still run, and gives their keys back.
    pub(in crate::worker) fn stop_runs(&mut self) {
        for key in self.release_where(|stage| matches!(stage, Stage::Running(_))) {
            tracing::warn!(%key, "stopped a handler that was not done when the drain timeout ended");
        }
    }

    /// Whether nothing is left to do.
    pub(in crate::worker) fn is_idle(&self) -> bool {
        self.lanes.is_empty() && self.outbox.is_empty()
    }

    fn release_where(&mut self, at: impl Fn(&Stage) -> bool) -> Vec<Key> {
        let mut keys: Vec<Key> = self
            .lanes
            .iter()
            .filter(|(_, lane)| at(&lane.stage))
            .map(|(key, _)| key.clone())
            .collect();
        keys.sort();
        for key in &keys {
            if let Some(mut lane) = self.lanes.remove(key) {
                self.stop_run(&lane);
                lane.stage = Stage::Asking;
                self.lanes.insert(key.clone(), lane);
            }
            self.release(key);
        }
        keys
    }
}

/// A worker that is dropped in the middle stops its handlers, as a crash would.
impl Drop for Engine {
    fn drop(&mut self) {
        for lane in self.lanes.values() {
            if let Stage::Running(Some(handle)) = &lane.stage {
                handle.abort();
            }
        }
    }
}
