//! What a worker does when the store has lost the state of its group.

use tracing::{error, warn};

use super::{LoopState, WorkerLoop};
use crate::handler::OnStateLoss;
use crate::protocol::last_seq_text;
use crate::store::{Opened, Session, StoreError};
use crate::worker::WorkerError;

/// How many keys are named when the state is lost.
const NAMED_KEYS: usize = 20;

impl WorkerLoop {
    /// The state of the group is gone. Nothing is granted any more until the group's rule is followed.
    pub(super) fn on_state_lost(&mut self, state: &mut LoopState) -> Result<(), WorkerError> {
        if state.reopening.is_some() {
            return Ok(());
        }
        let known = self.engine.watermarks();
        let named: Vec<String> = known
            .iter()
            .take(NAMED_KEYS)
            .map(|(key, mark)| {
                let last = last_seq_text(mark.last_seq);
                format!("{key}: seq {last} (fence {})", mark.fence)
            })
            .collect();
        error!(
            group = &*self.inputs.group,
            worker = %self.store.worker(),
            keys = known.len(),
            known = named.join(", "),
            "the store lost the state of the group: its keys, held events and remembered ids are gone"
        );
        match self.options.on_state_loss {
            OnStateLoss::Stop => Err(self.state_lost()),
            OnStateLoss::Adopt => {
                state.reopening = Some(self.store.reopen());
                Ok(())
            }
        }
    }

    pub(super) fn state_lost(&self) -> WorkerError {
        WorkerError::StateLost {
            group: self.inputs.group.to_string(),
            keys: self.engine.watermarks().len(),
        }
    }

    /// The group has a new state: what this worker knows is written into it.
    pub(super) fn on_reopened(
        &mut self,
        opened: Result<Opened, StoreError>,
    ) -> Result<(), WorkerError> {
        let opened = opened.map_err(WorkerError::Store)?;
        self.set_session(opened.session);
        warn!(
            group = &*self.inputs.group,
            "the group has a new state, and takes over what this worker knows of its keys"
        );
        self.engine.adopt();
        Ok(())
    }

    pub(super) fn set_session(&mut self, session: Session) {
        self.session = session.clone();
        self.store.set_session(session.clone());
        self.lease.set_session(session);
    }
}
