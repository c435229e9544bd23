//! Versions with gaps. The rule: none that is older than one that was committed runs, and the newest of each key is the
//! last.

use ordered_events::{Context, HandlerError, State, ordered_handler};

use crate::journal::Journal;
use crate::order::{Disorder, OrderEvent, all};
use crate::worker::{HandlerFaults, run_handler};

/// Without impostors: a second event with a version may be superseded, too.
const DISORDER: Disorder = Disorder {
    impostors: false,
    ..Disorder::CARELESS
};

/// Each fourth version is missing.
pub(super) fn events(amount: (usize, usize), random: &mut fastrand::Rng) -> Vec<OrderEvent> {
    all(amount, DISORDER, random, |event, _| {
        event.seq += (event.seq - 1) / 3;
    })
}

#[ordered_handler(key = "order_id", seq = "seq", order = "monotonic", group = "faults")]
pub(super) async fn apply(
    event: OrderEvent,
    State(handler_faults): State<HandlerFaults>,
    State(journal): State<Journal>,
    context: Context,
) -> Result<(), HandlerError> {
    run_handler(&[event], handler_faults, journal, &context).await
}
