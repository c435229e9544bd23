use std::sync::Arc;
use std::time::Duration;

use ordered_events::HandlerError;
use tokio::time::Instant;

use super::meter::Meter;

/// What the handler of every subject does.
#[derive(Debug, Clone)]
pub(super) struct Work {
    wait: Duration,
    meter: Arc<Meter>,
}

impl Work {
    pub(super) fn new(wait: Duration, meter: Arc<Meter>) -> Self {
        Self { wait, meter }
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.wait.is_zero()
    }

    /// Waits, and notes how long that took: timers are coarser than a millisecond.
    pub(super) async fn run(&self) {
        if !self.is_nothing() {
            let begun = Instant::now();
            tokio::time::sleep(self.wait).await;
            self.meter.handled(begun.elapsed());
        }
    }

    /// What a handler of the framework does with one event.
    pub(super) async fn on<E>(&self, event: E) -> Result<(), HandlerError> {
        self.run().await;
        std::hint::black_box(event);
        Ok(())
    }
}
