//! 1, 2, 3, …, out of order on the way.

use ordered_events::{Context, HandlerError, State, WorkerBuilder, ordered_handler};

use crate::journal::Journal;
use crate::order::{Disorder, OrderEvent, all};
use crate::worker::{AHEAD, HandlerFaults, Pace, run_handler};

pub(super) fn events(amount: (usize, usize), random: &mut fastrand::Rng) -> Vec<OrderEvent> {
    all(amount, Disorder::CARELESS, random, |_, _| {})
}

pub(super) fn handled_by(worker: WorkerBuilder, pace: Pace) -> WorkerBuilder {
    match pace {
        Pace::Strict => worker.handler(apply),
        Pace::Window => worker.handler(apply).commit_window(AHEAD),
        Pace::Batch => worker.handler(apply_some),
    }
}

#[ordered_handler(key = "order_id", seq = "seq", group = "faults")]
async fn apply(
    event: OrderEvent,
    State(handler_faults): State<HandlerFaults>,
    State(journal): State<Journal>,
    context: Context,
) -> Result<(), HandlerError> {
    run_handler(&[event], handler_faults, journal, &context).await
}

/// The same of several together.
#[ordered_handler(key = "order_id", seq = "seq", group = "faults", batch = 10)]
async fn apply_some(
    events: Vec<OrderEvent>,
    State(handler_faults): State<HandlerFaults>,
    State(journal): State<Journal>,
    context: Context,
) -> Result<(), HandlerError> {
    run_handler(&events, handler_faults, journal, &context).await
}
