use std::sync::Arc;

use super::{
    Context, Decoded, EventPlaces, HandledTypes, Handler, HandlerError, HandlerOptions,
    InvalidHandler, Malformed, MissingState, States,
};
use crate::event::Envelope;
use crate::protocol::Stamp;

/// A handler that several workers share.
#[diagnostic::do_not_recommend]
impl<H: Handler> Handler for Arc<H> {
    type Event = H::Event;

    fn options(&self) -> HandlerOptions {
        H::options(self)
    }

    fn decode(&self, envelope: &Envelope) -> Result<Decoded<Self::Event>, Malformed> {
        H::decode(self, envelope)
    }

    fn place(&self, envelope: &Envelope) -> Option<Decoded<()>> {
        H::place(self, envelope)
    }

    fn stamp(
        &self,
        envelope: &Envelope,
        event: Option<&Self::Event>,
    ) -> Result<Option<Stamp>, Malformed> {
        H::stamp(self, envelope, event)
    }

    fn places(&self) -> Option<EventPlaces> {
        H::places(self)
    }

    fn check(&self, states: &States) -> Result<(), MissingState> {
        H::check(self, states)
    }

    fn handled_types(&self) -> Option<HandledTypes> {
        H::handled_types(self)
    }

    fn validate(&self, options: &HandlerOptions) -> Result<(), InvalidHandler> {
        H::validate(self, options)
    }

    async fn call(&self, event: Self::Event, context: Context) -> Result<(), HandlerError> {
        H::call(self, event, context).await
    }

    async fn call_batch(&self, events: Vec<(Self::Event, Context)>) -> Result<(), HandlerError> {
        H::call_batch(self, events).await
    }
}
