use super::Malformed;
use crate::event::Envelope;

/// Reads events of the type `E` from bodies that are not JSON: MessagePack, protobuf, or a format of your own. A
/// handler names it with `#[ordered_handler(…, decode = "MessagePack")]`.
///
/// ```
/// use ordered_core::event::Envelope;
/// use ordered_core::handler::{Decode, Malformed};
///
/// /// `order-7,1,4200`
/// struct Csv;
///
/// struct OrderEvent {
///     order_id: String,
///     seq: u64,
///     amount_cents: u64,
/// }
///
/// impl Decode<OrderEvent> for Csv {
///     fn decode(envelope: &Envelope) -> Result<OrderEvent, Malformed> {
///         let malformed = || Malformed("the body is no line of three fields".into());
///         let line = std::str::from_utf8(&envelope.body).map_err(|_| malformed())?;
///         let [order_id, seq, amount] = line.split(',').collect::<Vec<_>>()[..] else {
///             return Err(malformed());
///         };
///         Ok(OrderEvent {
///             order_id: order_id.to_owned(),
///             seq: seq.parse().map_err(|_| malformed())?,
///             amount_cents: amount.parse().map_err(|_| malformed())?,
///         })
///     }
/// }
///
/// let event: OrderEvent = Csv::decode(&Envelope::new("order-7,1,4200")).unwrap();
/// assert_eq!((event.order_id.as_str(), event.seq, event.amount_cents), ("order-7", 1, 4200));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not read events of the type `{E}`",
    label = "does not implement `Decode<{E}>`",
    note = "implement `ordered_events::Decode<{E}>` for `{Self}`, or leave `decode` out where the body is JSON"
)]
pub trait Decode<E> {
    /// Reads the event from the body, which is decompressed already. Called once for every delivery, on the worker's
    /// own task: it must not block.
    ///
    /// # Errors
    /// When the bytes are no such event, in words for a person. The delivery is dead-lettered with them, or its key
    /// waits at it where key and seq are in headers.
    fn decode(envelope: &Envelope) -> Result<E, Malformed>;
}
