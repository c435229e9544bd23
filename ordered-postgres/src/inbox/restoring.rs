use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::TryStreamExt;
use ordered_core::admin::{Admin, OperateOptions, Position};
use ordered_core::protocol::WorkerId;
use ordered_core::store::{Group, Inspect, Opened, Operator, StoreError, WrapStore};
use tracing::{info, warn};

use super::Inbox;
use super::database::Database;

/// A store that knows how far keys are when it has lost its state: what `ordered_progress` says is written into a new
/// state of the group before the worker that made it goes on. Made by [`Inbox::restoring`].
pub struct RestoringStore<S, D: Database> {
    store: Arc<S>,
    inbox: Inbox<D>,
    /// A new state was made here, and is not restored yet.
    is_due: AtomicBool,
}

impl<D: Database> Inbox<D> {
    /// The store for workers with `on_state_loss = "adopt"`: a group whose state is new, because the store lost it or
    /// has never had it, begins with the positions of this inbox. Held events, dead letters and ids are not restored.
    #[must_use]
    pub fn restoring<S: Inspect>(&self, store: S) -> RestoringStore<S, D> {
        RestoringStore {
            store: Arc::new(store),
            inbox: self.clone(),
            is_due: AtomicBool::new(false),
        }
    }
}

impl<S: Inspect, D: Database> RestoringStore<S, D> {
    /// Positions only go upwards, so it does not matter what others do meanwhile.
    async fn restore(&self, group: &Group) -> Result<u64, StoreError> {
        let unavailable = |error: &dyn fmt::Display| {
            StoreError::unavailable(format!("the positions cannot be read: {error}"))
        };
        let positions: Vec<Position> = self
            .inbox
            .positions(group.name())
            .map_ok(|found| Position {
                key: found.key().clone(),
                epoch: Some(found.epoch()),
                last_seq: found.last_seq(),
            })
            .try_collect()
            .await
            .map_err(|error| unavailable(&error))?;
        let keys = positions.len() as u64;
        if keys == 0 {
            return Ok(0);
        }
        let admin = Admin::new(Arc::clone(&self.store) as Arc<dyn Inspect>);
        let operator = Operator {
            who: "inbox".to_owned(),
            why: "the state of the group is new".to_owned(),
        };
        let options = OperateOptions {
            wait: Duration::from_secs(5),
            ..OperateOptions::default()
        };
        let mut bulk = admin
            .import_positions(group, positions, &operator, options)
            .await?;
        while bulk.advance().await?.is_some() {}
        bulk.leave().await;
        Ok(keys)
    }
}

#[async_trait]
impl<S: Inspect, D: Database> WrapStore for RestoringStore<S, D> {
    type Inner = S;

    fn inner(&self) -> &S {
        &self.store
    }

    async fn open(&self, group: &Group, worker: &WorkerId) -> Result<Opened, StoreError> {
        let opened = self.store.open(group, worker).await?;
        if opened.created {
            self.is_due.store(true, Ordering::Relaxed);
        }
        if self.is_due.load(Ordering::Relaxed) {
            let keys = self.restore(group).await.inspect_err(
                |error| warn!(group = group.name(), %error, "the new state is not restored yet"),
            )?;
            self.is_due.store(false, Ordering::Relaxed);
            info!(
                group = group.name(),
                keys, "the new state begins with the positions of the inbox"
            );
        }
        Ok(opened)
    }
}

impl<S, D: Database> fmt::Debug for RestoringStore<S, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestoringStore")
            .field("inbox", &self.inbox)
            .finish_non_exhaustive()
    }
}
