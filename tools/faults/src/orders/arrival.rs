//! As they arrive: the seq is the place in which an event of the key is published, and the worker does not look at it.
//! The rule: they run in that order, since each partition is handed to one worker at a time.

use ordered_events::{Context, HandlerError, State, ordered_handler};

use crate::journal::Journal;
use crate::order::{Disorder, OrderEvent, all};
use crate::worker::{HandlerFaults, run_handler};

/// Not shuffled, and without impostors: there is no place to claim.
const DISORDER: Disorder = Disorder {
    shuffle: 0,
    impostors: false,
};

pub(super) fn events(amount: (usize, usize), random: &mut fastrand::Rng) -> Vec<OrderEvent> {
    all(amount, DISORDER, random, |_, _| {})
}

#[ordered_handler(key = "order_id", id = "event_id", order = "arrival", group = "faults")]
pub(super) async fn apply(
    event: OrderEvent,
    State(handler_faults): State<HandlerFaults>,
    State(journal): State<Journal>,
    context: Context,
) -> Result<(), HandlerError> {
    run_handler(&[event], handler_faults, journal, &context).await
}
