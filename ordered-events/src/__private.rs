pub use std::cmp::max;
pub use std::future::Future;
pub use std::marker::Send;
pub use std::ops::Deref;
pub use std::result::Result::{self, Ok};

use std::pin::Pin;
use std::time::Duration;

pub use ordered_core::event::Envelope;
pub use ordered_core::handler::{
    Context, Decoded, EventIdValue, FromContext, Handler, HandlerError, HandlerOptions,
    IntoOutcome, KeyValue, Malformed, MissingState, OnExhausted, OnLate, SeqValue, States, header,
    json_event, json_field_as_id,
};
pub use ordered_core::protocol::GapPolicy;

pub type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

pub fn boxed<T>(future: impl Future<Output = T> + Send + 'static) -> Boxed<T> {
    Box::pin(future)
}

pub fn millis(number: u64) -> Duration {
    Duration::from_millis(number)
}
