use super::lane::Stage;
use super::{Engine, Failure, Then};
use crate::event::Key;
use crate::protocol::{Action, Attempt};

/// Lanes that wait for their next attempt, with what waits behind it.
impl Engine {
    /// How many deliveries may wait so. The rest of the read-ahead is for keys that run.
    pub(super) fn may_wait_unsettled(&self) -> usize {
        self.parts.settings.read_ahead / 2
    }

    /// The store has counted the failure.
    pub(super) fn wait_in_lane(&mut self, key: &Key, failure: Failure) {
        let Some(lane) = self.lanes.get_mut(key) else {
            return;
        };
        lane.stage = Stage::BackingOff(Failure {
            told: true,
            ..failure
        });
        let unsettled = lane.unsettled();
        self.waiting += 1;
        self.joined(key, unsettled);
    }

    /// So many deliveries have come to the lane. If it waits, and too many do, it goes on waiting in the store.
    pub(super) fn joined(&mut self, key: &Key, unsettled: usize) {
        let too_many = self.waiting_unsettled + unsettled > self.may_wait_unsettled();
        let Some(lane) = self.lanes.get_mut(key) else {
            return;
        };
        let Stage::BackingOff(_) = &lane.stage else {
            return;
        };
        self.waiting_unsettled += unsettled;
        if !too_many || unsettled == 0 {
            return;
        }
        self.waiting -= 1;
        self.waiting_unsettled -= lane.unsettled();
        let Stage::BackingOff(failure) = std::mem::replace(&mut lane.stage, Stage::Asking) else {
            return;
        };
        let Some(item) = lane.queue.front() else {
            return;
        };
        let attempt = Attempt {
            event: item.event.clone(),
            fence: lane.fence,
            number: failure.attempt,
            error: failure.error.clone(),
        };
        let action = Action::Postpone(attempt, item.envelope.clone(), failure.wait);
        self.tell(key.clone(), action, Then::Postpone(failure));
    }
}
