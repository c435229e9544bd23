use std::any::TypeId;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::HandlerError;

/// Something that a run of a handler uses and that ends with the run, such as a transaction. An argument of a handler
/// attaches it with [`Context::attach`](super::Context::attach) when it is made.
///
/// Dropping it rolls it back: that happens when the run outlives its timeout, or is stopped because its key is lost.
#[async_trait::async_trait]
pub trait RunResource: Send + 'static {
    /// The handler has succeeded, and its lease is good: keeps what it did. Runs within the handler's timeout.
    ///
    /// # Errors
    /// When nothing was kept, or when that is unknown. The run then counts as failed.
    ///
    /// # Cancel safety
    /// When the future is dropped, what was done is kept or not.
    async fn commit(self: Box<Self>) -> Result<(), HandlerError>;

    /// The handler has failed, or cannot commit: undoes what it did. Runs within the handler's timeout.
    async fn roll_back(self: Box<Self>) -> RolledBack;
}

/// What a resource knows of the event of a run that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RolledBack {
    /// The event is not done.
    NotDone,
    /// The event was done by an earlier run, so this one was not needed: that it failed does not count.
    DoneBefore,
}

/// What is attached to a run.
#[derive(Default)]
pub(super) struct Resources(Mutex<State>);

#[derive(Default)]
struct State {
    types: Vec<TypeId>,
    resources: Vec<Box<dyn RunResource>>,
    ended: bool,
}

impl Resources {
    pub(super) fn attach<R: RunResource>(&self, resource: R) -> bool {
        let (mut state, own) = (self.lock(), TypeId::of::<R>());
        if state.ended || state.types.contains(&own) {
            return false;
        }
        state.types.push(own);
        state.resources.push(Box::new(resource));
        true
    }

    pub(super) fn end(&self) -> Vec<Box<dyn RunResource>> {
        let mut state = self.lock();
        state.ended = true;
        std::mem::take(&mut state.resources)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let resources = self.lock().resources.len();
        f.debug_tuple("Resources").field(&resources).finish()
    }
}

/// The lease of a worker, as its runs see it.
pub(crate) trait WorkerLease: Send + Sync {
    fn is_good(&self) -> bool;

    /// How often it ended and was begun again.
    fn lapses(&self) -> u64;
}

/// The lease under which a run began. What is attached commits only under it: a worker that was paused beyond its lease
/// finds that out before it commits anything.
#[derive(Clone)]
pub(crate) struct RunLease {
    lease: Arc<dyn WorkerLease>,
    lapses: u64,
}

impl RunLease {
    pub(crate) fn begin(lease: &Arc<dyn WorkerLease>) -> Self {
        Self {
            lapses: lease.lapses(),
            lease: Arc::clone(lease),
        }
    }

    fn check(&self) -> Result<(), HandlerError> {
        if self.lease.is_good() && self.lease.lapses() == self.lapses {
            return Ok(());
        }
        Err(HandlerError::transient(
            "the worker's lease ended while the handler ran, so what it did was rolled back: the worker was paused, or \
             cut off from the store",
        ))
    }
}

impl fmt::Debug for RunLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunLease")
            .field("good", &self.check().is_ok())
            .finish()
    }
}

pub(super) async fn finish(
    resources: Vec<Box<dyn RunResource>>,
    lease: Option<&RunLease>,
    outcome: Result<(), HandlerError>,
) -> Result<(), HandlerError> {
    if resources.is_empty() {
        return outcome;
    }
    let outcome = outcome.and_then(|()| lease.map_or(Ok(()), RunLease::check));
    let mut resources = resources.into_iter();
    let error = match outcome {
        Ok(()) => match commit_all(&mut resources).await {
            Ok(()) => return Ok(()),
            Err(error) => {
                for resource in resources {
                    resource.roll_back().await;
                }
                return Err(error);
            }
        },
        Err(error) => error,
    };
    // Only where every resource has the event is nothing of it missing.
    let mut done_before = true;
    for resource in resources {
        done_before &= resource.roll_back().await == RolledBack::DoneBefore;
    }
    if done_before { Ok(()) } else { Err(error) }
}

async fn commit_all(
    resources: &mut impl Iterator<Item = Box<dyn RunResource>>,
) -> Result<(), HandlerError> {
    for resource in resources {
        resource.commit().await?;
    }
    Ok(())
}
