//! Keys that need an owner, and gaps that last long: what the store finds for the workers.

use std::collections::HashMap;
use std::time::Duration;

use tracing::warn;

use super::{Call, WorkerLoop};
use crate::protocol::{KeyState, Millis};
use crate::store::{StoreError, StuckRecord, Sweep, Swept};

impl WorkerLoop {
    pub(super) fn sweep(&self) -> Option<Call<Result<Swept, StoreError>>> {
        self.telemetry.look_at_broker();
        let limit = self.settings.sweep_limit.min(self.engine.spare_keys());
        let policy = &self.options.policy;
        let gap = policy.on_gap.after().unwrap_or_default();
        let sweep = Sweep {
            limit,
            longest_wait: self.options.backoff.cap.max(gap),
            // Of these it is seen whether the worker knows more of them than the store.
            stuck_after: policy.stuck_after.min(self.settings.lease),
        };
        (limit > 0).then(|| self.store.sweep(sweep))
    }

    /// Gives what a sweep found to the engine, and says when to sweep again: soon where there may be more.
    pub(super) fn on_swept(&mut self, swept: Result<Swept, StoreError>) -> Duration {
        match swept {
            Ok(swept) => {
                let more = !swept.due.is_empty() || !swept.orphaned.is_empty();
                self.telemetry.swept(&swept);
                self.look_at_gaps(swept.stuck, swept.now);
                self.engine
                    .claim(swept.due.into_iter().chain(swept.orphaned));
                if more {
                    self.until_sweep() / 20
                } else {
                    self.until_sweep()
                }
            }
            Err(error) => {
                warn!(%error, "could not sweep");
                self.until_sweep()
            }
        }
    }

    /// Sets right what the store knows less of than the worker, and reports what has waited too long.
    pub(super) fn look_at_gaps(&mut self, gaps: Vec<StuckRecord>, now: Millis) {
        let mut reported = HashMap::with_capacity(gaps.len());
        let stuck_after = self.options.policy.stuck_after.as_millis();
        for record in gaps {
            let Ok(state) = KeyState::decode(&record.body, record.fence) else {
                continue;
            };
            self.engine.compare(&record.key, &state);
            if u128::from(now.saturating_sub(record.since)) < stuck_after {
                continue;
            }
            let seq = state.head();
            if self.reported.get(&record.key) != Some(&seq) {
                self.reporter.gap(&record.key, seq, record.since);
            }
            reported.insert(record.key, seq);
        }
        self.reported = reported;
    }

    /// Between three quarters and five quarters of the interval, so that workers do not sweep in step.
    pub(super) fn until_sweep(&mut self) -> Duration {
        self.settings
            .sweep_interval
            .mul_f64(0.75 + self.random.f64() / 2.0)
    }
}
