use ordered_events::{Context, HandlerError, Permanent, State, ordered_handler};

use crate::event::{OrderChange, OrderEvent};
use crate::handled_log::HandledLog;

/// The whole application: writes the event down. An order that is created for nothing is refused permanently; any other
/// error is worth another try.
#[ordered_handler(key = "order_id", seq = "seq", group = "orders")]
pub(crate) async fn apply_order(
    event: OrderEvent,
    State(handled_log): State<HandledLog>,
    context: Context,
) -> Result<(), HandlerError> {
    refuse_worthless(&event)?;
    handled_log.write(&[event], &context).await?;
    Ok(())
}

/// The same for orders that change often: up to a hundred events of one order together, with one write for all of them.
/// If it fails, the worker calls it with one event after the other, and so finds the one that it fails of.
#[ordered_handler(key = "order_id", seq = "seq", group = "orders", batch = 100)]
pub(crate) async fn apply_orders(
    events: Vec<OrderEvent>,
    State(handled_log): State<HandledLog>,
    context: Context,
) -> Result<(), HandlerError> {
    events.iter().try_for_each(refuse_worthless)?;
    handled_log.write(&events, &context).await?;
    Ok(())
}

fn refuse_worthless(event: &OrderEvent) -> Result<(), HandlerError> {
    match event.payload {
        OrderChange::OrderCreated {
            amount_cents: Some(0),
            ..
        } => Err("an order must be worth something").permanent(),
        _ => Ok(()),
    }
}
