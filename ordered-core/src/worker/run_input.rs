use std::sync::Arc;

use super::oversized;
use crate::clock::wall_clock;
use crate::event::{Key, Seq};
use crate::handler::{
    AnyEvent, Context, ContextParts, Decoded, DynHandler, HandlerError, Malformed, READ_AGAIN,
    RunLease, States, Work, WorkerLease,
};
use crate::protocol::engine::{Event, Run};
use crate::protocol::{Fence, Stamp, WorkerId};

/// What the worker keeps beside an event: the event as the handler reads it. Taken by the first run, and read again for
/// the others.
#[derive(Debug, Default)]
pub(super) struct DecodedEvent(Option<AnyEvent>);

impl DecodedEvent {
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
    /// Whether keys number their events themselves.
    pub(super) numbers_itself: bool,
    /// Whether events say who sent them.
    pub(super) has_producers: bool,
    /// How large a body may be to be run.
    pub(super) max_body_bytes: usize,
    pub(super) lease: Arc<dyn WorkerLease>,
}

impl RunInputs {
    /// The input of a run.
    ///
    /// # Errors
    /// When this version of the handler cannot read an event that was held by another one, or reads it as another
    /// event.
    pub(super) fn of(&self, run: Run<'_, DecodedEvent>) -> Result<RunInput, HandlerError> {
        let Run {
            id,
            fence,
            epoch,
            attempt,
            events,
        } = run;
        let received_at = wall_clock();
        let mut read = events.enumerate().map(|(place, event)| {
            if event.received_at == 0 {
                event.received_at = received_at;
            }
            let attempt = if place == 0 { attempt } else { 1 };
            let (taken, stamp) = self.take(&id.key, event)?;
            let context = self.context(&id.key, (fence, epoch), attempt, (event, stamp));
            Ok((taken, context))
        });
        if !self.batches {
            let (event, context) = read.next().expect("a run has at least one event")?;
            return Ok(RunInput {
                work: Work::One(event, context.clone()),
                context,
            });
        }
        let read = read.collect::<Result<Vec<_>, HandlerError>>()?;
        let work = Work::Batch(read);
        Ok(RunInput {
            context: work.context(),
            work,
        })
    }

    /// An event that comes from the store is read again, and runs only as what it is: an operator or another version
    /// may have given it a body that belongs to another place.
    fn take(
        &self,
        key: &Key,
        event: &mut Event<DecodedEvent>,
    ) -> Result<(AnyEvent, Option<Stamp>), HandlerError> {
        let stamp = event.stamp.as_deref();
        if let Some(read) = event.data.0.take() {
            return Ok((read, stamp.cloned()));
        }
        oversized::check(&event.envelope, self.max_body_bytes)?;
        let decoded = self.handler.read(&event.envelope).map_err(unreadable)?;
        let is_there = decoded.seq.get() == event.seq || self.numbers_itself;
        if decoded.key != *key || !is_there {
            return Err(misplaced(key, event.seq, &decoded));
        }
        if !self.has_producers {
            return Ok((decoded.event, None));
        }
        let its_stamp = self.handler.stamp(&event.envelope, Some(&decoded.event));
        let its_stamp = its_stamp.map_err(unreadable)?;
        let is_its = stamp.is_none_or(|stamp| its_stamp.as_ref() == Some(stamp));
        if is_its {
            Ok((decoded.event, its_stamp))
        } else {
            Err(other_producer(key))
        }
    }

    fn context(
        &self,
        key: &Key,
        (fence, epoch): (Fence, u64),
        attempt: u32,
        (event, stamp): (&Event<DecodedEvent>, Option<Stamp>),
    ) -> Context {
        let parts = ContextParts {
            group: Arc::clone(&self.group),
            worker: self.worker.clone(),
            key: key.clone(),
            epoch,
            seq: if self.numbers_itself {
                Seq::UNNUMBERED
            } else {
                Seq::new(event.seq).expect("it came in with a Seq")
            },
            id: event.id.clone(),
            attempt,
            fence,
            received_at: event.received_at,
            envelope: event.envelope.clone(),
            states: Arc::clone(&self.states),
        };
        Context::of_event(parts, stamp, Some(RunLease::begin(&self.lease)))
    }
}

fn misplaced(key: &Key, seq: u64, decoded: &Decoded<AnyEvent>) -> HandlerError {
    HandlerError::permanent(format!(
        "the event says that it is seq {} of key {}, and it is held as seq {seq} of key {key}: nothing of it was run. \
         Its body was edited, or this version of the handler reads key and seq from another place",
        decoded.seq, decoded.key
    ))
}

fn other_producer(key: &Key) -> HandlerError {
    HandlerError::permanent(format!(
        "the event of key {key} says another producer or clock than when it was held: nothing of it was run. Its body \
         was edited, or          this version of the handler reads them from another place"
    ))
}

/// Another version may be able to read it, and is given the chance.
fn unreadable(malformed: Malformed) -> HandlerError {
    HandlerError::transient(format!(
        "this version of the handler cannot read the event: {malformed}"
    ))
    .retry_after(READ_AGAIN)
}
