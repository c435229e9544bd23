use std::sync::Arc;

use examples::HandlerLog;
use ordered_events::{Context, HandlerError, State, ordered_handler};
use tokio::sync::Mutex;

use crate::booking::Booking;

/// What the handler does: it writes down what it was called with.
#[derive(Clone)]
pub(crate) struct Ledger {
    handler_log: HandlerLog,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Ledger {
    pub(crate) fn new(handler_log: HandlerLog) -> Self {
        let lines = Arc::default();
        Self { handler_log, lines }
    }

    /// The bookings, in the order in which they were handled.
    pub(crate) async fn lines(&self) -> Vec<String> {
        self.lines.lock().await.clone()
    }
}

#[ordered_handler(
    key = "account",
    order = "lamport",
    producer = "branch",
    seq = "seq",
    time = "time",
    group = "balances"
)]
pub(crate) async fn book(
    booking: Booking,
    State(ledger): State<Ledger>,
    context: Context,
) -> Result<(), HandlerError> {
    ledger.handler_log.work().await;
    ledger.handler_log.write(&context, booking.number)?;
    ledger.lines.lock().await.push(booking.line());
    Ok(())
}
