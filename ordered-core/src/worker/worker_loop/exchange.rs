//! What the engine and the store tell each other.

use futures_util::FutureExt;

use super::{LoopState, WorkerLoop};
use crate::store::StoreErrorKind;
use crate::worker::WorkerError;
use crate::worker::store_client::BatchAnswer;
use crate::worker::store_clock::StoreClock;

/// With so many keys that have something to say when an answer comes, a batch goes out before it is worked on, so that
/// store and worker are at work at the same time. Fewer wait for those that follow from the answer.
const ENOUGH: usize = 256;

impl WorkerLoop {
    pub(super) fn on_answer(
        &mut self,
        (pending, answer): BatchAnswer,
        state: &mut LoopState,
    ) -> Result<(), WorkerError> {
        self.store.on_answer(&answer);
        let exchange = match answer {
            Ok(exchange) => exchange,
            Err(error) if error.kind() == StoreErrorKind::Unavailable => {
                self.engine.on_no_answer(pending);
                return Ok(());
            }
            Err(error) if error.kind() == StoreErrorKind::StateLost => {
                self.engine.on_no_answer(pending);
                // It may be the old state's, after a new one was opened.
                if state.asked_in != self.session.incarnation {
                    return Ok(());
                }
                return self.on_state_lost(state);
            }
            Err(error) => return Err(WorkerError::Store(error)),
        };
        self.clock = StoreClock::synced(exchange.now);
        let asked_in = state.asked_in;
        if self.engine.outgoing() >= ENOUGH.min(self.settings.batch_commands) {
            self.ask(state);
        }
        self.engine.on_answers(pending, exchange);
        if asked_in != self.session.incarnation {
            self.engine.on_lapse();
        }
        Ok(())
    }

    /// Sends what the keys have to say. It is on its way when this returns.
    pub(super) fn ask(&mut self, state: &mut LoopState) {
        self.engine.set_now(self.clock.now());
        let most_bytes = usize::try_from(self.settings.batch_bytes).unwrap_or(usize::MAX);
        let (requests, pending) = self
            .engine
            .take_requests(self.settings.batch_commands, most_bytes);
        if requests.is_empty() {
            return;
        }
        let mut call = self.store.exchange(requests, pending);
        if let Some(answer) = call.as_mut().now_or_never() {
            call = Box::pin(std::future::ready(answer));
        }
        state.asked = Some(call);
        state.asked_in = self.session.incarnation;
    }

    /// A heartbeat was answered.
    pub(super) fn on_beat(&mut self, state: &mut LoopState) -> Result<(), WorkerError> {
        if self.lease.is_lost(&self.session) {
            return self.on_state_lost(state);
        }
        if let Some((beat, at)) = self.lease.beat() {
            self.clock = StoreClock::synced_at(beat.now, at);
            self.engine.set_now(self.clock.now());
            self.engine.set_paused(beat.paused);
            self.tasks.start_overdue();
        }
        Ok(())
    }
}
