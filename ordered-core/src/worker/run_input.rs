use std::sync::Arc;

use crate::clock::wall_clock;
use crate::event::{Key, Seq};
use crate::handler::{
    AnyEvent, Context, ContextParts, DynHandler, HandlerError, Malformed, States, Work,
};
use crate::protocol::engine::{Event, Run};
use crate::protocol::{Fence, WorkerId};

/// What the worker keeps beside an event: the event as the handler reads it. Taken by the first run, and read again for the
/// others.
#[derive(Debug, Default)]
pub(super) struct Read(Option<AnyEvent>);

impl Read {
    pub(super) fn new(event: AnyEvent) -> Self {
        Self(Some(event))
    }
}

/// What a run is given, and the context of the whole.
pub(super) struct RunInput {
    pub(super) work: Work,
    pub(super) context: Context,
}

/// What the inputs of runs are made with.
pub(super) struct RunInputs {
    pub(super) handler: Arc<dyn DynHandler>,
    pub(super) group: Arc<str>,
    pub(super) worker: WorkerId,
    pub(super) states: Arc<States>,
    /// Whether the handler takes several events at a time.
    pub(super) batches: bool,
}

impl RunInputs {
    /// The input of a run.
    ///
    /// # Errors
    /// When this version of the handler cannot read an event that was held by another one.
    pub(super) fn of(&self, run: Run<'_, Read>) -> Result<RunInput, HandlerError> {
        let Run {
            id,
            fence,
            attempt,
            events,
        } = run;
        let received_at = wall_clock();
        let mut read = events.enumerate().map(|(place, event)| {
            if event.received_at == 0 {
                event.received_at = received_at;
            }
            let attempt = if place == 0 { attempt } else { 1 };
            let context = self.context(&id.key, fence, attempt, event);
            Ok((self.take(event).map_err(unreadable)?, context))
        });
        if !self.batches {
            let (event, context) = read.next().expect("a run has at least one event")?;
            return Ok(RunInput {
                work: Work::One(event, context.clone()),
                context,
            });
        }
        let read = read.collect::<Result<Vec<_>, HandlerError>>()?;
        let mut contexts = read.iter().map(|(_, context)| context.clone());
        let first = contexts.next().expect("a run has at least one event");
        Ok(RunInput {
            context: Context::of_run(first, contexts.collect()),
            work: Work::Batch(read),
        })
    }

    fn take(&self, event: &mut Event<Read>) -> Result<AnyEvent, Malformed> {
        match event.data.0.take() {
            Some(read) => Ok(read),
            None => self
                .handler
                .read(&event.envelope)
                .map(|decoded| decoded.event),
        }
    }

    fn context(&self, key: &Key, fence: Fence, attempt: u32, event: &Event<Read>) -> Context {
        Context::new(ContextParts {
            group: Arc::clone(&self.group),
            worker: self.worker.clone(),
            key: key.clone(),
            seq: Seq::new(event.seq).expect("it came in with a Seq"),
            id: event.id.clone(),
            attempt,
            fence,
            received_at: event.received_at,
            envelope: event.envelope.clone(),
            states: Arc::clone(&self.states),
        })
    }
}

fn unreadable(malformed: Malformed) -> HandlerError {
    HandlerError::permanent(format!(
        "this version of the handler cannot read the held event: {malformed}"
    ))
}
