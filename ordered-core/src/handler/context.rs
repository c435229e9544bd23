use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::resource::{Resources, RunLease};
use super::{HandlerError, RunResource, States};
use crate::event::{Envelope, EventId, Key, Seq};
use crate::protocol::{Fence, Millis, Stamp, WorkerId};

/// What the framework knows of the event that a handler runs for; of a run of several events, what it knows of the
/// first, with [`run`](Context::run) for all of them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Context {
    inner: Arc<Inner>,
    /// Those of the events behind it in its run.
    others: Option<Arc<[Context]>>,
}

#[derive(Debug)]
struct Inner {
    parts: ContextParts,
    resources: Resources,
    /// The lease under which its run began, where a worker runs it.
    lease: Option<RunLease>,
    stamp: Option<Stamp>,
}

/// The parts of a [`Context`], for those who make one: the worker, and unit tests of handlers.
#[derive(Debug, Clone)]
#[expect(
    missing_docs,
    reason = "each is what the method of `Context` with its name returns"
)]
pub struct ContextParts {
    pub group: Arc<str>,
    pub worker: WorkerId,
    pub key: Key,
    pub epoch: u64,
    pub seq: Seq,
    pub id: EventId,
    pub attempt: u32,
    pub fence: Fence,
    pub received_at: Millis,
    pub envelope: Envelope,
    pub states: Arc<States>,
}

impl ContextParts {
    /// Those of a first attempt, for a unit test, which changes what it needs:
    /// `ContextParts { attempt: 2, ..ContextParts::for_test("order-1", 1) }`.
    ///
    /// # Panics
    /// When the key is empty or too long, or the seq too large.
    #[must_use]
    pub fn for_test(key: &str, seq: u64) -> Self {
        Self {
            group: "test".into(),
            worker: WorkerId::new("test"),
            key: Key::new(key).expect("the key of a test is valid"),
            epoch: 0,
            seq: Seq::new(seq).expect("the seq of a test is valid"),
            id: EventId::new(format!("event-{seq}")).expect("it is short"),
            attempt: 1,
            fence: Fence(1),
            received_at: 0,
            envelope: Envelope::default(),
            states: Arc::default(),
        }
    }

    /// With this application state, besides what is there.
    #[must_use]
    pub fn with_state<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        Arc::make_mut(&mut self.states).insert(value);
        self
    }

    /// With this header of the event.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.envelope.headers.insert(name.into(), value.into());
        self
    }
}

impl Context {
    /// The context of a first attempt at this event, for the unit test of a handler:
    /// `apply_order(event, State(db), Context::for_test("order-1", 1)).await`. One with more is made of
    /// [`ContextParts::for_test`].
    ///
    /// # Panics
    /// When the key is empty or too long, or the seq too large.
    #[must_use]
    pub fn for_test(key: &str, seq: u64) -> Self {
        Self::new(ContextParts::for_test(key, seq))
    }

    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: ContextParts) -> Self {
        Self::of_event(parts, None, None)
    }

    /// The same for an event that says who sent it and what its producer knew, as in the order `causal`.
    #[must_use]
    pub fn with_stamp(parts: ContextParts, stamp: Stamp) -> Self {
        Self::of_event(parts, Some(stamp), None)
    }

    pub(crate) fn of_event(
        parts: ContextParts,
        stamp: Option<Stamp>,
        lease: Option<RunLease>,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                parts,
                resources: Resources::default(),
                lease,
                stamp,
            }),
            others: None,
        }
    }

    /// The context of a run: that of its first event, which knows those of the others, in order.
    #[must_use]
    pub fn of_run(first: Self, others: Vec<Self>) -> Self {
        Self {
            others: (!others.is_empty()).then(|| others.into()),
            ..first
        }
    }

    /// The contexts of all events of the run, in order, beginning with this one. A handler that takes one event at a
    /// time gets no other.
    pub fn run(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(self.others.iter().flat_map(|others| others.iter()))
    }

    /// The first and the last seq of the run.
    #[must_use]
    pub fn seqs(&self) -> RangeInclusive<u64> {
        let last = self.others.as_ref().and_then(|others| others.last());
        self.seq().get()..=last.unwrap_or(self).seq().get()
    }

    /// The group of the handler.
    #[must_use]
    pub fn group(&self) -> &str {
        &self.inner.parts.group
    }

    /// The worker that runs the handler.
    #[must_use]
    pub fn worker(&self) -> &WorkerId {
        &self.inner.parts.worker
    }

    /// The key of the event.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.inner.parts.key
    }

    /// How often the numbering of the key was started over: a seq counts within its epoch.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.inner.parts.epoch
    }

    /// Its place among the events of the key, or its version; [`Seq::UNNUMBERED`] where the order of the group is
    /// `arrival` or `causal`.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.inner.parts.seq
    }

    /// Who sent the event, as which of its events of the key, and what it knew then; `None` where the order of the
    /// group does not come from that. A handler that publishes events of the same key merges it into its own clock
    /// before it sends:
    ///
    /// ```
    /// use ordered_core::handler::{Context, HandlerError};
    /// use ordered_core::logical::VectorClock;
    ///
    /// fn next(context: &Context, own: &mut VectorClock) -> Result<VectorClock, HandlerError> {
    ///     if let Some(stamp) = context.clock() {
    ///         own.merge(stamp.vector())?;
    ///     }
    ///     Ok(own.send("moderator")?)
    /// }
    /// ```
    #[must_use]
    pub fn clock(&self) -> Option<&Stamp> {
        self.inner.stamp.as_ref()
    }

    /// Its id.
    #[must_use]
    pub fn event_id(&self) -> &EventId {
        &self.inner.parts.id
    }

    /// Which attempt this is, from 1. Attempts of workers that died count. An event that runs together with others is
    /// always at its first: any further attempt is its own.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.inner.parts.attempt
    }

    /// The fencing token, the same for all events of a run: it grows with every grant of the key to a worker. A sink
    /// that remembers the highest one per key, and refuses lower ones, is safe from a worker that was paused beyond its
    /// lease.
    #[must_use]
    pub fn fence(&self) -> Fence {
        self.inner.parts.fence
    }

    /// When this worker got the event, in milliseconds since the Unix epoch by its own clock. For people to read.
    #[must_use]
    pub fn received_at(&self) -> Millis {
        self.inner.parts.received_at
    }

    /// When the broker or the producer stamped the event, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn published_at(&self) -> Option<Millis> {
        self.inner.parts.envelope.published_at
    }

    /// The textual headers of the event.
    #[must_use]
    pub fn headers(&self) -> &BTreeMap<String, String> {
        &self.inner.parts.envelope.headers
    }

    /// The event as it was delivered.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        &self.inner.parts.envelope
    }

    /// The application's state.
    #[must_use]
    pub fn states(&self) -> &States {
        &self.inner.parts.states
    }

    /// Gives the run something that ends with it. Arguments of handlers do this when they are
    /// [made](super::FromContext::from_context). `false` where the run has one of this type already, or has ended: it
    /// is dropped then.
    pub fn attach(&self, resource: impl RunResource) -> bool {
        self.inner.resources.attach(resource)
    }

    /// Ends the run after the handler with what was [attached](Context::attach) to it: after a success each resource
    /// commits, in the order in which they were attached, unless the worker's lease has ended; after a failure, also of
    /// a commit, the others are rolled back. Returns what counts. The worker does this; a test that calls
    /// [`Handler::call`](super::Handler::call) itself may.
    ///
    /// # Errors
    /// The handler's own, or that of the first commit that failed, or that the lease has ended.
    ///
    /// # Cancel safety
    /// Resources that are not reached are dropped, and so rolled back. Of one that commits at that moment the outcome
    /// is unknown.
    pub async fn finish(&self, outcome: Result<(), HandlerError>) -> Result<(), HandlerError> {
        let resources = self.run().flat_map(|context| context.inner.resources.end());
        super::resource::finish(resources.collect(), self.inner.lease.as_ref(), outcome).await
    }

    /// Drops what was attached, and so rolls it back: the run counts as failed, and there is no time for more.
    pub(crate) fn abandon(&self) {
        self.run()
            .for_each(|context| drop(context.inner.resources.end()));
    }
}
