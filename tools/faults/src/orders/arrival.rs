//! As they arrive: the seq is the place in which an event of the key is published, and the worker does not look at it.
//! The rule: they run in that order, since each partition is handed to one worker at a time.

use ordered_events::{Context, HandlerError, State, ordered_handler};

use crate::journal::Journal;
use crate::order::{OrderEvent, Way, all};
use crate::worker::{Temper, go_through};

/// Not shuffled, and without impostors: there is no place to claim.
const WAY: Way = Way {
    shuffle: 0,
    impostors: false,
};

pub(super) fn events(amount: (usize, usize), random: &mut fastrand::Rng) -> Vec<OrderEvent> {
    all(amount, WAY, random, |_, _| {})
}

#[ordered_handler(key = "order_id", id = "event_id", order = "arrival", group = "faults")]
pub(super) async fn apply(
    event: OrderEvent,
    State(temper): State<Temper>,
    State(journal): State<Journal>,
    context: Context,
) -> Result<(), HandlerError> {
    go_through(&[event], temper, journal, &context).await
}
