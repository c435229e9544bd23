//! Versions with gaps. The rule: none that is older than one that was committed runs, and the newest of each key is the
//! last.

use ordered_events::{Context, HandlerError, State, ordered_handler};

use crate::journal::Journal;
use crate::order::{OrderEvent, Way, all};
use crate::worker::{Temper, go_through};

/// Without impostors: a second event with a version may be superseded, too.
const WAY: Way = Way {
    impostors: false,
    ..Way::CARELESS
};

/// Each fourth version is missing.
pub(super) fn events(amount: (usize, usize), random: &mut fastrand::Rng) -> Vec<OrderEvent> {
    all(amount, WAY, random, |event, _| {
        event.seq += (event.seq - 1) / 3;
    })
}

#[ordered_handler(key = "order_id", seq = "seq", order = "monotonic", group = "faults")]
pub(super) async fn apply(
    event: OrderEvent,
    State(temper): State<Temper>,
    State(journal): State<Journal>,
    context: Context,
) -> Result<(), HandlerError> {
    go_through(&[event], temper, journal, &context).await
}
