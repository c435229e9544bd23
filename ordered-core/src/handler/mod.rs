//! What an application writes: the function that handles an event, and what it is given.
//!
//! | about | there is |
//! |---|---|
//! | the trait | [`Handler`], which `#[ordered_handler]` implements; [`Router`] for several types of events ([`HandledTypes`], [`Unhandled`]); [`Middleware`] around a run ([`Next`]) |
//! | reading an event | [`Decode`], [`CloudEvent`]; [`Decoded`] or [`Malformed`]; what can be a key, a seq, an id or a clock: [`KeyValue`], [`SeqValue`], [`EventIdValue`], [`ClockValue`]; where they stand: [`EventPlaces`] |
//! | arguments | [`Context`], [`State`] ([`States`], [`MissingState`]), [`FromContext`] from [`ContextParts`]; what ends with a run: [`RunResource`] |
//! | errors | [`HandlerError`], [`Permanent`], [`RetryAfter`]; [`InvalidHandler`] at the start |
//! | options | [`HandlerOptions`], [`Backoff`], [`OnExhausted`], [`OnPassed`], [`OnRepeat`], [`OnStateLoss`] |

mod composite;
mod content_encoding;
mod context;
mod decode;
mod erased;
mod error;
mod extract;
mod identity;
mod json_place;
mod middleware;
mod options;
mod places;
mod resource;
mod router;
mod shared;
mod short_text;
mod stamp;
mod state;
mod unreadable;
mod wrapped;

use std::future::Future;
use std::time::Duration;

pub(crate) use content_encoding::DecompressingHandler;
pub use context::{Context, ContextParts};
pub use decode::Decode;
pub use error::{HandlerError, Permanent, RetryAfter};
pub use extract::FromContext;
pub use identity::{Decoded, EventIdValue, KeyValue, Malformed, SeqValue};
pub(crate) use middleware::{Layered, middleware};
pub use middleware::{Middleware, Next};
pub use options::{
    Backoff, HandlerOptions, MAX_RUN_AHEAD, OnExhausted, OnPassed, OnRepeat, OnStateLoss,
};
pub use places::{EventPlace, EventPlaces};
pub use resource::{RolledBack, RunResource};
pub(crate) use resource::{RunLease, WorkerLease};
pub use router::{HandledTypes, InvalidHandler, Router, Unhandled};
pub use stamp::ClockValue;
pub use state::{MissingState, State, States};
pub use wrapped::CloudEvent;

// What the code that the macro writes calls, and how the worker holds a handler: see `crate::internal`.
#[doc(hidden)]
pub use self::{
    composite::composite_key,
    erased::{AnyEvent, DynHandler, Handling, Work},
    error::IntoOutcome,
    identity::{HeaderText, IdValue, header, json_event, json_field_as_id},
    json_place::{JsonFields, JsonText, json_fields},
    router::Routed,
    wrapped::{cloud_event, cloud_event_id, sns_message},
};

use crate::event::Envelope;
use crate::protocol::Stamp;

/// After which time an event that cannot be read is tried again, by whichever worker is there: during a deployment by a
/// newer version.
pub(crate) const READ_AGAIN: Duration = Duration::from_secs(30);

/// Handles the events of a group. Commonly made by `#[ordered_handler]` from an async function.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler",
    note = "annotate the function with `#[ordered_handler(key = \"…\", seq = \"…\")]`, or implement \
            `ordered_core::handler::Handler`"
)]
pub trait Handler: Send + Sync + 'static {
    /// The event as the handler sees it.
    type Event: Send + 'static;

    /// The group, and how its events are handled.
    fn options(&self) -> HandlerOptions;

    /// Reads the event, and finds its key, seq and id. Called once for every delivery, on the worker's own task: it
    /// must not block.
    ///
    /// # Errors
    /// When the bytes are not an event of this handler. The delivery is then dead-lettered with the message, unless
    /// [`place`](Handler::place) says where it belongs.
    fn decode(&self, envelope: &Envelope) -> Result<Decoded<Self::Event>, Malformed>;

    /// Says where an event belongs that cannot be decoded, such as one of a type that this version does not know. Its
    /// key then waits at it, and it is tried again, so that a newer version can go on with it. Without a place it is
    /// dead-lettered, and its key waits for it in vain.
    fn place(&self, _envelope: &Envelope) -> Option<Decoded<()>> {
        None
    }

    /// Says who sent an event and what its producer knew then, for a group whose order comes from that (`causal`);
    /// `None` for any other. `event` is nothing where the event cannot be read as its type. Asked after
    /// [`decode`](Handler::decode), with the same envelope, once for every delivery.
    ///
    /// # Errors
    /// When it says nothing of the kind. The delivery is then dead-lettered with the message.
    fn stamp(
        &self,
        _envelope: &Envelope,
        _event: Option<&Self::Event>,
    ) -> Result<Option<Stamp>, Malformed> {
        Ok(None)
    }

    /// Says where key, seq and id of an event stand, where that can be said without reading one. It is recorded with
    /// the group, so that an operator's edit to another key, seq or id is refused at once; otherwise the event is
    /// refused when it is its turn.
    fn places(&self) -> Option<EventPlaces> {
        None
    }

    /// Says whether all application state that the handler asks for is there; called once, before the worker starts.
    ///
    /// # Errors
    /// Names the first type that is missing.
    fn check(&self, _states: &States) -> Result<(), MissingState> {
        Ok(())
    }

    /// Which types of events it handles, where it does not handle all that come. A worker that is given such a handler
    /// makes a [`Router`] of it.
    fn handled_types(&self) -> Option<HandledTypes> {
        None
    }

    /// Says whether it was put together right, where it is made of parts such as those of a [`Router`]; called once,
    /// before the worker starts, with the options as the worker has them.
    ///
    /// # Errors
    /// What is wrong, and what to do.
    fn validate(&self, _options: &HandlerOptions) -> Result<(), InvalidHandler> {
        Ok(())
    }

    /// Handles the event. Runs at least once for each event; never twice at a time for one key while leases hold.
    ///
    /// # Cancel safety
    /// The future is dropped when it outlives the handler's timeout, when the worker loses the key, and when the
    /// worker does not get done draining in time. The event is then tried again.
    fn call(
        &self,
        event: Self::Event,
        context: Context,
    ) -> impl Future<Output = Result<(), HandlerError>> + Send;

    /// Handles a run of events of one key that follow one another without a gap, at most
    /// [`HandlerOptions::batch`] of them. Asked in place of [`call`](Handler::call) where that is more than 1, also for
    /// a single event. Either all are done or none counts as done; what then happens is said at `batch`.
    ///
    /// By itself it calls the handler for one after the other, until one fails, and
    /// [finishes](Context::finish) what each attached before it calls the next.
    ///
    /// # Cancel safety
    /// As [`call`](Handler::call).
    fn call_batch(
        &self,
        events: Vec<(Self::Event, Context)>,
    ) -> impl Future<Output = Result<(), HandlerError>> + Send {
        async move {
            for (event, context) in events {
                let outcome = self.call(event, context.clone()).await;
                context.finish(outcome).await?;
            }
            Ok(())
        }
    }
}
