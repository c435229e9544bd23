use std::pin::Pin;
use std::sync::Arc;

use super::{
    Context, Decoded, Handler, HandlerError, HandlerOptions, Malformed, MissingState, States,
};
use crate::event::Envelope;

/// One decoded event, ready to be handled.
pub type Invocation = Box<
    dyn FnOnce(Context) -> Pin<Box<dyn Future<Output = Result<(), HandlerError>> + Send>> + Send,
>;

/// The object-safe mirror of [`Handler`], implemented for every one.
pub trait DynHandler: Send + Sync + 'static {
    /// As [`Handler::options`].
    fn options(&self) -> HandlerOptions;

    /// As [`Handler::decode`]; in place of the event stands the call that handles it.
    ///
    /// # Errors
    /// As [`Handler::decode`].
    fn decode(self: Arc<Self>, envelope: &Envelope) -> Result<Decoded<Invocation>, Malformed>;

    /// As [`Handler::check`].
    ///
    /// # Errors
    /// As [`Handler::check`].
    fn check(&self, states: &States) -> Result<(), MissingState>;
}

impl<H: Handler> DynHandler for H {
    fn options(&self) -> HandlerOptions {
        Handler::options(self)
    }

    fn decode(self: Arc<Self>, envelope: &Envelope) -> Result<Decoded<Invocation>, Malformed> {
        let Decoded {
            key,
            seq,
            id,
            event,
        } = Handler::decode(&*self, envelope)?;
        let event: Invocation =
            Box::new(move |context| Box::pin(async move { self.call(event, context).await }));
        Ok(Decoded {
            key,
            seq,
            id,
            event,
        })
    }

    fn check(&self, states: &States) -> Result<(), MissingState> {
        Handler::check(self, states)
    }
}
