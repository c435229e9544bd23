pub use std::cmp::max;
pub use std::future::Future;
pub use std::marker::Send;
pub use std::ops::Deref;
pub use std::option::Option::{self, None, Some};
pub use std::result::Result::{self, Ok};
pub use std::vec::Vec;

use std::pin::Pin;
use std::time::Duration;

pub use ordered_core::event::{Envelope, EventId, Seq};
pub use ordered_core::handler::{
    ClockValue, Context, Decode, Decoded, EventIdValue, EventPlace, EventPlaces, FromContext,
    HandledTypes, Handler, HandlerError, HandlerOptions, KeyValue, Malformed, MissingState,
    OnExhausted, OnPassed, OnRepeat, OnStateLoss, SeqValue, States,
};
pub use ordered_core::internal::{
    IntoOutcome, cloud_event, cloud_event_id, composite_key, header, json_event, json_field_as_id,
    json_fields, sns_message,
};
pub use ordered_core::logical::{LamportClock, LamportProducer, VectorClock};
pub use ordered_core::protocol::{GapPolicy, Order, Stamp, Start};

pub use ordered_core::internal::{
    ClockField, HeaderValue, NumberField, TimeField, check_causal, check_lamport, invalid_event,
    new_event, stamp_causal, stamp_lamport, stamp_time,
};
pub use ordered_core::publish::{InvalidEvent, NewEvent, OrderedEvent, StampedEvent};
pub use std::borrow::Cow;

pub type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

pub fn boxed<T>(future: impl Future<Output = T> + Send + 'static) -> Boxed<T> {
    Box::pin(future)
}

pub fn text(text: &str) -> String {
    text.to_owned()
}

/// The name of a producer.
pub fn named(name: &impl std::fmt::Display) -> String {
    name.to_string()
}

pub fn millis(number: u64) -> Duration {
    Duration::from_millis(number)
}

/// A run of one event.
pub fn alone<E>(event: E, context: Context) -> Vec<(E, Context)> {
    vec![(event, context)]
}

/// The events of a run and the context of the whole; nothing without events.
pub fn together<E>(run: Vec<(E, Context)>) -> Option<(Vec<E>, Context)> {
    let (events, contexts): (Vec<E>, Vec<Context>) = run.into_iter().unzip();
    let mut contexts = contexts.into_iter();
    let first = contexts.next()?;
    Some((events, Context::of_run(first, contexts.collect())))
}
