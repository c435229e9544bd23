//! What an application wraps around the runs of its handlers: timing, authorization, a tenant, a span.

use std::fmt;
use std::sync::Arc;

use super::{
    AnyEvent, Context, Decoded, DynHandler, EventPlaces, HandledTypes, HandlerError,
    HandlerOptions, Handling, InvalidHandler, Malformed, MissingState, States, Work,
};
use crate::event::Envelope;
use crate::protocol::Stamp;

/// A function around each run of the handler: it is given the run's [`Context`], and [`Next`], which is the run.
///
/// It runs inside of the handler's timeout, once for each attempt, and its outcome is that of the run. It cannot run
/// the handler twice, nor later, nor for another event: order, settlement and retries stay with the worker.
pub type Middleware = Arc<dyn Fn(Context, Next) -> Handling + Send + Sync>;

/// The run of the handler, with the middleware that is further inside. Dropped without [`run`](Next::run), the handler
/// does not run, and what the middleware returns is what happens to the event: `Ok` commits it.
#[must_use = "the handler runs with `next.run().await`"]
pub struct Next {
    handler: Arc<dyn DynHandler>,
    work: Work,
    context: Context,
    /// What is still around the handler, the outermost last.
    inside: Vec<Middleware>,
}

impl Next {
    /// Runs the handler, and returns its outcome.
    ///
    /// # Errors
    /// Those of the handler.
    ///
    /// # Cancel safety
    /// Dropping the future stops the handler where it is.
    pub fn run(mut self) -> Handling {
        match self.inside.pop() {
            Some(middleware) => middleware(self.context.clone(), self),
            None => self.handler.call(self.work),
        }
    }
}

impl fmt::Debug for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next")
            .field("context", &self.context)
            .field("inside", &self.inside.len())
            .finish_non_exhaustive()
    }
}

/// A function as [`Middleware`].
pub(crate) fn middleware<F, O>(function: F) -> Middleware
where
    F: Fn(Context, Next) -> O + Send + Sync + 'static,
    O: Future<Output = Result<(), HandlerError>> + Send + 'static,
{
    Arc::new(move |context, next| Box::pin(function(context, next)))
}

/// A handler with middleware around it.
pub(crate) struct Layered {
    handler: Arc<dyn DynHandler>,
    /// The outermost last.
    around: Vec<Middleware>,
}

impl Layered {
    /// The first of the list is the outermost.
    pub(crate) fn over(
        handler: Arc<dyn DynHandler>,
        mut around: Vec<Middleware>,
    ) -> Arc<dyn DynHandler> {
        if around.is_empty() {
            return handler;
        }
        around.reverse();
        Arc::new(Self { handler, around })
    }
}

impl DynHandler for Layered {
    fn options(&self) -> HandlerOptions {
        self.handler.options()
    }

    fn read(&self, envelope: &Envelope) -> Result<Decoded<AnyEvent>, Malformed> {
        self.handler.read(envelope)
    }

    fn place(&self, envelope: &Envelope) -> Option<Decoded<()>> {
        self.handler.place(envelope)
    }

    fn stamp(
        &self,
        envelope: &Envelope,
        event: Option<&AnyEvent>,
    ) -> Result<Option<Stamp>, Malformed> {
        self.handler.stamp(envelope, event)
    }

    fn places(&self) -> Option<EventPlaces> {
        self.handler.places()
    }

    fn call(self: Arc<Self>, work: Work) -> Handling {
        let next = Next {
            handler: Arc::clone(&self.handler),
            context: work.context(),
            inside: self.around.clone(),
            work,
        };
        next.run()
    }

    fn check(&self, states: &States) -> Result<(), MissingState> {
        self.handler.check(states)
    }

    fn handled_types(&self) -> Option<HandledTypes> {
        self.handler.handled_types()
    }

    fn validate(&self, options: &HandlerOptions) -> Result<(), InvalidHandler> {
        self.handler.validate(options)
    }
}
