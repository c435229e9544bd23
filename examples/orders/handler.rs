use ordered_events::{Context, HandlerError, Permanent, State, ordered_handler};

use crate::event::{OrderChange, OrderEvent};
use crate::ledger::Ledger;

/// The whole application: writes the event down. An order that is created for nothing is refused for good; any other
/// error is worth another try.
#[ordered_handler(key = "order_id", seq = "seq", group = "orders")]
pub(crate) async fn apply_order(
    event: OrderEvent,
    State(ledger): State<Ledger>,
    context: Context,
) -> Result<(), HandlerError> {
    if let OrderChange::OrderCreated {
        amount_cents: 0, ..
    } = event.payload
    {
        Err("an order must be worth something").permanent()?;
    }
    ledger.write(&event, &context).await?;
    Ok(())
}
