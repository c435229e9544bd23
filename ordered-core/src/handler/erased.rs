use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;

use super::{
    Context, Decoded, Handler, HandlerError, HandlerOptions, Malformed, MissingState, States,
};
use crate::event::Envelope;
use crate::words::{of_panic, shortened};

/// A reason longer than this is cut: it may quote the event, and ends up in a log line and in a header.
const LONGEST_REASON: usize = 1_000;

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
    /// As [`Handler::decode`], in at most about a thousand characters; also where it panics: an event that no worker can
    /// read must not end them one after the other.
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
        } = read(&*self, envelope)
            .map_err(|Malformed(text)| Malformed(shortened(text, LONGEST_REASON)))?;
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

fn read<H: Handler>(handler: &H, envelope: &Envelope) -> Result<Decoded<H::Event>, Malformed> {
    let read = catch_unwind(AssertUnwindSafe(|| handler.decode(envelope)));
    read.unwrap_or_else(|panic| {
        let words = of_panic(&*panic);
        Err(Malformed(format!(
            "the handler panicked while it read the event: {words}"
        )))
    })
}
