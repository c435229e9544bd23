use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;

use super::{
    Context, Decoded, EventPlaces, HandledTypes, Handler, HandlerError, HandlerOptions,
    InvalidHandler, Malformed, MissingState, States,
};
use crate::event::Envelope;
use crate::protocol::Stamp;
use crate::words::{of_panic, shortened};

/// A reason longer than this is cut: it may quote the event, and ends up in a log line and in a header.
const LONGEST_REASON: usize = 1_000;

/// An event as its handler has read it, and no other handler can.
pub type AnyEvent = Box<dyn Any + Send>;

/// The handler at work.
pub type Handling = Pin<Box<dyn Future<Output = Result<(), HandlerError>> + Send>>;

/// What one run of a handler is given. Events and contexts are those that the same handler has read.
#[derive(Debug)]
pub enum Work {
    /// One event, for [`Handler::call`].
    One(AnyEvent, Context),
    /// Events of one key that follow one another, for [`Handler::call_batch`].
    Batch(Vec<(AnyEvent, Context)>),
}

impl Work {
    /// The context of the run.
    ///
    /// # Panics
    /// When it is a batch of nothing, which no worker makes.
    #[must_use]
    pub fn context(&self) -> Context {
        match self {
            Self::One(_, context) => context.clone(),
            Self::Batch(events) => {
                let mut contexts = events.iter().map(|(_, context)| context.clone());
                let first = contexts.next().expect("a run has at least one event");
                Context::of_run(first, contexts.collect())
            }
        }
    }
}

/// The object-safe mirror of [`Handler`], implemented for every one.
pub trait DynHandler: Send + Sync + 'static {
    /// As [`Handler::options`].
    fn options(&self) -> HandlerOptions;

    /// As [`Handler::decode`].
    ///
    /// # Errors
    /// As [`Handler::decode`], in at most about a thousand characters; also where it panics: an event that no worker
    /// can read must not end them one after the other.
    fn read(&self, envelope: &Envelope) -> Result<Decoded<AnyEvent>, Malformed>;

    /// As [`Handler::place`]; none where that panics.
    fn place(&self, envelope: &Envelope) -> Option<Decoded<()>>;

    /// As [`Handler::stamp`], of an event that the same handler has [read](DynHandler::read).
    ///
    /// # Errors
    /// As [`Handler::stamp`]; also where it panics.
    fn stamp(
        &self,
        envelope: &Envelope,
        event: Option<&AnyEvent>,
    ) -> Result<Option<Stamp>, Malformed>;

    /// As [`Handler::places`].
    fn places(&self) -> Option<EventPlaces>;

    /// As [`Handler::call`] and [`Handler::call_batch`].
    ///
    /// # Cancel safety
    /// As [`Handler::call`].
    ///
    /// # Panics
    /// When it is given what another handler has read.
    fn call(self: Arc<Self>, work: Work) -> Handling;

    /// As [`Handler::check`].
    ///
    /// # Errors
    /// As [`Handler::check`].
    fn check(&self, states: &States) -> Result<(), MissingState>;

    /// As [`Handler::handled_types`].
    fn handled_types(&self) -> Option<HandledTypes>;

    /// As [`Handler::validate`].
    ///
    /// # Errors
    /// As [`Handler::validate`].
    fn validate(&self, options: &HandlerOptions) -> Result<(), InvalidHandler>;
}

impl<H: Handler> DynHandler for H {
    fn options(&self) -> HandlerOptions {
        Handler::options(self)
    }

    fn read(&self, envelope: &Envelope) -> Result<Decoded<AnyEvent>, Malformed> {
        decoded(self, envelope)
            .map(|decoded| decoded.map(|event| Box::new(event) as AnyEvent))
            .map_err(|Malformed(text)| Malformed(shortened(text, LONGEST_REASON)))
    }

    fn place(&self, envelope: &Envelope) -> Option<Decoded<()>> {
        let place = catch_unwind(AssertUnwindSafe(|| Handler::place(self, envelope)));
        place.unwrap_or(None)
    }

    fn stamp(
        &self,
        envelope: &Envelope,
        event: Option<&AnyEvent>,
    ) -> Result<Option<Stamp>, Malformed> {
        let event = event.and_then(|event| event.downcast_ref::<H::Event>());
        let read = catch_unwind(AssertUnwindSafe(|| Handler::stamp(self, envelope, event)));
        let stamp = read.unwrap_or_else(|panic| Err(panicked(&*panic)));
        stamp.map_err(|Malformed(text)| Malformed(shortened(text, LONGEST_REASON)))
    }

    fn places(&self) -> Option<EventPlaces> {
        Handler::places(self)
    }

    fn call(self: Arc<Self>, work: Work) -> Handling {
        match work {
            Work::One(event, context) => {
                let event = own::<H>(event);
                Box::pin(async move { Handler::call(&*self, event, context).await })
            }
            Work::Batch(events) => {
                let events = events.into_iter();
                let events = events.map(|(event, context)| (own::<H>(event), context));
                let events = events.collect();
                Box::pin(async move { self.call_batch(events).await })
            }
        }
    }

    fn check(&self, states: &States) -> Result<(), MissingState> {
        Handler::check(self, states)
    }

    fn handled_types(&self) -> Option<HandledTypes> {
        Handler::handled_types(self)
    }

    fn validate(&self, options: &HandlerOptions) -> Result<(), InvalidHandler> {
        Handler::validate(self, options)
    }
}

fn own<H: Handler>(event: AnyEvent) -> H::Event {
    *event
        .downcast()
        .expect("the handler is given what it has read itself")
}

fn decoded<H: Handler>(handler: &H, envelope: &Envelope) -> Result<Decoded<H::Event>, Malformed> {
    let read = catch_unwind(AssertUnwindSafe(|| handler.decode(envelope)));
    read.unwrap_or_else(|panic| Err(panicked(&*panic)))
}

fn panicked(panic: &(dyn Any + Send)) -> Malformed {
    let words = of_panic(panic);
    Malformed(format!(
        "the handler panicked while it read the event: {words}"
    ))
}
