use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{NotPublished, metrics};

/// The place of an event that is with the publisher, and who waits for it. When it is dropped there is room for another
/// one.
#[derive(Debug)]
pub(super) struct Ticket {
    answer: oneshot::Sender<Result<(), NotPublished>>,
    _room: [OwnedSemaphorePermit; 2],
    _counted: Counted,
}

/// Counts the event for as long as it is with the publisher.
#[derive(Debug)]
struct Counted;

impl Drop for Counted {
    fn drop(&mut self) {
        metrics::leaves();
    }
}

impl Ticket {
    pub(super) fn new(
        room: [OwnedSemaphorePermit; 2],
    ) -> (Self, oneshot::Receiver<Result<(), NotPublished>>) {
        let (answer, answered) = oneshot::channel();
        metrics::enters();
        let ticket = Self {
            answer,
            _room: room,
            _counted: Counted,
        };
        (ticket, answered)
    }

    /// There is room again by the time that the answer is seen.
    pub(super) fn answer(self, outcome: Result<(), NotPublished>) {
        let Self {
            answer,
            _room: room,
            _counted: counted,
        } = self;
        drop((room, counted));
        // Nobody has to wait for it.
        let _ = answer.send(outcome);
    }
}
