pub use std::boxed::Box;
pub use std::cmp::max;
pub use std::future::Future;
pub use std::marker::Send;
pub use std::ops::Deref;
pub use std::pin::Pin;
pub use std::result::Result::{self, Ok};
pub use std::time::Duration;

use ordered_core::event::{EventId, InvalidId, InvalidKey, InvalidSeq, Key, Seq};
use ordered_core::handler::{EventIdValue, KeyValue, SeqValue};

pub use ordered_core::event::Envelope;
pub use ordered_core::handler::{
    Context, Decoded, FromContext, Handler, HandlerError, HandlerOptions, IntoOutcome, Malformed,
    MissingState, States, json_event, json_field_as_id,
};

pub fn read_key<T: KeyValue + ?Sized>(field: &T) -> Result<Key, InvalidKey> {
    field.to_key()
}

pub fn read_seq<T: SeqValue + ?Sized>(field: &T) -> Result<Seq, InvalidSeq> {
    field.to_seq()
}

pub fn read_id<T: EventIdValue + ?Sized>(field: &T) -> Result<EventId, InvalidId> {
    field.to_event_id()
}

/// The state was looked for when the worker started: trying again cannot bring it.
pub fn extract<T: FromContext>(context: &Context) -> Result<T, HandlerError> {
    T::from_context(context).map_err(HandlerError::permanent)
}
