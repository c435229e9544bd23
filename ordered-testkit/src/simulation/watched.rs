use std::sync::Arc;

use ordered_core::event::Envelope;
use ordered_core::handler::{
    Context, Decoded, EventPlaces, HandledTypes, Handler, HandlerError, HandlerOptions,
    InvalidHandler, Malformed, MissingState, States,
};
use ordered_core::protocol::Stamp;

use super::recorder::Recorder;
use crate::history::{Event, Outcome, What};

/// A handler that is written down, and made to fail.
pub(super) struct Watched<H> {
    inner: Arc<H>,
    recorder: Recorder,
}

impl<H> Watched<H> {
    pub(super) fn new(inner: Arc<H>, recorder: Recorder) -> Self {
        Self { inner, recorder }
    }
}

impl<H: Handler> Handler for Watched<H> {
    type Event = H::Event;

    fn options(&self) -> HandlerOptions {
        self.inner.options()
    }

    fn decode(&self, envelope: &Envelope) -> Result<Decoded<H::Event>, Malformed> {
        self.inner.decode(envelope)
    }

    fn place(&self, envelope: &Envelope) -> Option<Decoded<()>> {
        self.inner.place(envelope)
    }

    fn stamp(
        &self,
        envelope: &Envelope,
        event: Option<&H::Event>,
    ) -> Result<Option<Stamp>, Malformed> {
        self.inner.stamp(envelope, event)
    }

    fn places(&self) -> Option<EventPlaces> {
        self.inner.places()
    }

    fn check(&self, states: &States) -> Result<(), MissingState> {
        self.inner.check(states)
    }

    fn handled_types(&self) -> Option<HandledTypes> {
        self.inner.handled_types()
    }

    fn validate(&self, options: &HandlerOptions) -> Result<(), InvalidHandler> {
        self.inner.validate(options)
    }

    async fn call(&self, event: H::Event, context: Context) -> Result<(), HandlerError> {
        let runs = vec![Run::start(self.recorder.clone(), &context, None)];
        self.watch(runs, self.inner.call(event, context)).await
    }

    async fn call_batch(&self, events: Vec<(H::Event, Context)>) -> Result<(), HandlerError> {
        let first = events.first().map(|(_, context)| context.seq().get());
        let start =
            |(_, context): &(H::Event, Context)| Run::start(self.recorder.clone(), context, first);
        let runs = events.iter().map(start).collect();
        self.watch(runs, self.inner.call_batch(events)).await
    }
}

impl<H> Watched<H> {
    async fn watch(
        &self,
        mut runs: Vec<Run>,
        work: impl Future<Output = Result<(), HandlerError>>,
    ) -> Result<(), HandlerError> {
        let (recorder, faults) = (&self.recorder, *self.recorder.faults());
        if recorder.chance(faults.hangs) {
            std::future::pending::<()>().await;
        }
        recorder.delay_up_to(faults.slow_handler).await;
        let fails = recorder.chance(faults.failures);
        let mut end = |outcome| runs.iter_mut().for_each(|run| run.outcome = outcome);
        if fails && recorder.pick(2) == 0 {
            end(Outcome::Failed);
            return Err(HandlerError::transient("simulated: failed before"));
        }
        let outcome = work.await;
        if fails || outcome.is_err() {
            end(Outcome::Failed);
            outcome?;
            return Err(HandlerError::transient("simulated: failed after"));
        }
        end(Outcome::Done);
        Ok(())
    }
}

/// One event of a run of the handler, whose end is written down however it ends.
struct Run {
    recorder: Recorder,
    event: Event,
    worker: String,
    outcome: Outcome,
}

impl Run {
    fn start(recorder: Recorder, context: &Context, first: Option<u64>) -> Self {
        let event = Event {
            key: context.key().as_str().to_owned(),
            seq: context.seq().get(),
            id: context.event_id().as_str().to_owned(),
        };
        let worker = context.worker().as_str().to_owned();
        recorder.write(What::Started {
            event: event.clone(),
            worker: worker.clone(),
            fence: Some(context.fence().0),
            run: first,
        });
        Self {
            recorder,
            event,
            worker,
            outcome: Outcome::Stopped,
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.recorder.write(What::Handled {
            event: self.event.clone(),
            worker: self.worker.clone(),
            outcome: self.outcome,
        });
    }
}
