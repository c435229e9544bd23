use std::sync::Arc;

use ordered_core::event::Envelope;
use ordered_core::handler::{Decoded, Handler};
use ordered_core::store::Store;
use ordered_core::transport::Transport;
use ordered_core::worker::WorkerBuilder;

use super::recorder::Recorder;
use super::watched::Watched;
use crate::history::{Event, History};

/// The application of one run: the handler, what every worker of it is given, and what must hold in the end.
#[must_use]
pub struct App {
    pub(super) group: String,
    pub(super) equip: Equip,
    pub(super) read: Read,
    pub(super) changes: Vec<Box<dyn Fn(WorkerBuilder) -> WorkerBuilder>>,
    pub(super) checks: Vec<Check>,
    pub(super) wrap_store: Option<Wrap<dyn Store>>,
    pub(super) wrap_transport: Option<Wrap<dyn Transport>>,
}

/// Gives a worker the handler, watched.
pub(super) type Equip = Box<dyn Fn(WorkerBuilder, &Recorder) -> WorkerBuilder>;

/// Reads an event as the handler does.
pub(super) type Read = Box<dyn Fn(&Envelope) -> Option<Event>>;

pub(super) type Check = Box<dyn Fn(&History) -> Result<(), String>>;

pub(super) type Wrap<T> = Box<dyn Fn(Arc<T>) -> Arc<T>>;

impl App {
    /// An application with this handler.
    pub fn new(handler: impl Handler) -> Self {
        let handler = Arc::new(handler);
        let reader = Arc::clone(&handler);
        Self {
            group: handler.options().group,
            equip: Box::new(move |worker, recorder| {
                worker.handler(Watched::new(Arc::clone(&handler), recorder.clone()))
            }),
            read: Box::new(move |envelope| reader.decode(envelope).ok().map(event_of)),
            changes: Vec::new(),
            checks: Vec::new(),
            wrap_store: None,
            wrap_transport: None,
        }
    }

    /// What every worker is given besides: state, options. Store, transport, name and seed are the simulation's.
    pub fn worker(mut self, change: impl Fn(WorkerBuilder) -> WorkerBuilder + 'static) -> Self {
        self.changes.push(Box::new(change));
        self
    }

    /// What must hold when everything has come to its end, beyond what the framework promises: commonly of the state
    /// that the handlers have changed. Called once.
    pub fn check(mut self, check: impl Fn(&History) -> Result<(), String> + 'static) -> Self {
        self.checks.push(Box::new(check));
        self
    }

    /// Puts something between the workers and their store: a mistake, to see that it is found.
    pub fn wrap_store(mut self, wrap: impl Fn(Arc<dyn Store>) -> Arc<dyn Store> + 'static) -> Self {
        self.wrap_store = Some(Box::new(wrap));
        self
    }

    /// Puts something between each worker and the broker.
    pub fn wrap_transport(
        mut self,
        wrap: impl Fn(Arc<dyn Transport>) -> Arc<dyn Transport> + 'static,
    ) -> Self {
        self.wrap_transport = Some(Box::new(wrap));
        self
    }
}

fn event_of<E>(decoded: Decoded<E>) -> Event {
    Event {
        key: decoded.key.as_str().to_owned(),
        seq: decoded.seq.get(),
        id: decoded.id.as_str().to_owned(),
    }
}
