use super::lane::{Lane, Stage};
use super::{Engine, Key};

impl Engine {
    /// From now on nothing new begins: what waits is given back, what runs is finished and committed.
    pub(in crate::worker) fn begin_drain(&mut self) {
        self.draining = true;
        self.ready.clear();
        self.behind.clear();
        self.release_where(Lane::waits);
    }

    /// The lease had ended, and is good again: what was granted before may be another worker's by now, whose handler
    /// runs. What has not begun is given back, and asked for again; what runs finds out when it commits, and nothing runs
    /// ahead of that.
    pub(in crate::worker) fn on_lapse(&mut self) {
        self.release_where(Lane::waits);
        self.lanes
            .values_mut()
            .for_each(|lane| lane.doubtful = true);
    }

    /// Stops the handlers that still run, and gives their keys back.
    pub(in crate::worker) fn stop_runs(&mut self) {
        for key in self.release_where(|lane| matches!(lane.stage, Stage::Running { .. })) {
            tracing::warn!(
                key = key.as_str(),
                "stopped a handler that was not done when the drain timeout ended"
            );
        }
    }

    /// Whether nothing is left to do.
    pub(in crate::worker) fn is_idle(&self) -> bool {
        self.lanes.is_empty() && self.outbox.is_empty()
    }

    fn release_where(&mut self, which: impl Fn(&Lane) -> bool) -> Vec<Key> {
        let mut keys: Vec<Key> = self
            .lanes
            .iter()
            .filter(|(_, lane)| which(lane))
            .map(|(key, _)| key.clone())
            .collect();
        keys.sort();
        for key in &keys {
            self.release(key);
        }
        keys
    }
}

/// A worker that is dropped in the middle stops its handlers, as a crash would.
impl Drop for Engine {
    fn drop(&mut self) {
        let mut lanes: Vec<_> = self.lanes.iter().collect();
        // In an order that a seed can repeat.
        lanes.sort_unstable_by_key(|(key, _)| *key);
        for (_, lane) in lanes {
            if let Stage::Running {
                handle: Some(handle),
                ..
            } = &lane.stage
            {
                handle.abort();
            }
        }
    }
}
