use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

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
    resources: Vec<Box<dyn RunResource>>,
    ended: bool,
}

impl Resources {
    pub(super) fn attach(&self, resource: Box<dyn RunResource>) {
        let mut state = self.lock();
        if !state.ended {
            state.resources.push(resource);
        }
    }

    pub(super) fn end(&self) -> Vec<Box<dyn RunResource>> {
        let mut state = self.lock();
        state.ended = true;
        std::mem::take(&mut state.resources)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().resources.is_empty()
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

pub(super) async fn finish(
    resources: Vec<Box<dyn RunResource>>,
    outcome: Result<(), HandlerError>,
) -> Result<(), HandlerError> {
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
    let mut done_before = resources.len() > 0;
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
