/// The keys that the worker keeps while they wait for their next attempt. Too many of them would leave no room for keys
/// that run: the others wait in the store.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct RetryWaits {
    keys: usize,
    deliveries: usize,
}

impl RetryWaits {
    /// Whether one more key with so many deliveries may wait.
    pub(super) fn has_room(
        &self,
        deliveries: usize,
        concurrency: usize,
        read_ahead: usize,
    ) -> bool {
        self.keys < concurrency.div_ceil(2) && self.deliveries + deliveries <= read_ahead / 2
    }

    /// Whether so many more deliveries may wait.
    pub(super) fn has_room_for(&self, deliveries: usize, read_ahead: usize) -> bool {
        self.deliveries + deliveries <= read_ahead / 2
    }

    pub(super) fn begin(&mut self, deliveries: usize) {
        self.keys += 1;
        self.deliveries += deliveries;
    }

    /// More deliveries came for a key that waits.
    pub(super) fn grow(&mut self, deliveries: usize) {
        self.deliveries += deliveries;
    }

    /// Deliveries of a key that waits were settled.
    pub(super) fn shrink(&mut self, deliveries: usize) {
        self.deliveries -= deliveries;
    }

    pub(super) fn end(&mut self, deliveries: usize) {
        self.keys -= 1;
        self.deliveries -= deliveries;
    }
}
