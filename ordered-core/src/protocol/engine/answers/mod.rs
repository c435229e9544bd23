//! What a key makes of the answers of the store.

mod busy;
mod letters;
mod owned;
mod saved;
mod undone;

use std::time::Duration;

use super::actor::Actor;
use super::pending::PendingKind;
use super::shared::Shared;
use crate::store::Answer;

/// After how long a key is asked for again when the worker had no lease.
const NO_LEASE: Duration = Duration::from_millis(100);

impl<D: Default> Actor<D> {
    /// Takes the answer to the request that is under way.
    pub(super) fn answer(
        &mut self,
        shared: &mut Shared<D>,
        pending: PendingKind<D>,
        answer: Answer,
    ) {
        self.pending = false;
        match (pending, answer) {
            (PendingKind::Acquire(pending), Answer::Owned(owned)) => {
                self.on_owned(shared, &pending, *owned);
            }
            (PendingKind::Acquire(pending), Answer::Busy(busy)) => {
                self.on_busy(shared, &pending, *busy);
            }
            (PendingKind::Acquire(_), Answer::NoLease) => {
                self.asleep = true;
                shared.wake(&self.key, NO_LEASE);
            }
            (PendingKind::Acquire(_), _) => self.unsure = true,
            (PendingKind::Save(pending), Answer::Saved(saved)) => {
                self.on_saved(shared, *pending, saved);
            }
            (PendingKind::Save(pending), Answer::Full(limit)) => {
                self.on_full(shared, *pending, limit);
            }
            (PendingKind::Save(pending), Answer::Lost) => {
                self.requeue(shared, *pending);
                self.lose(shared);
                self.end_trial(shared);
            }
            (PendingKind::Save(pending), _) => {
                if let Some(own) = &mut self.ownership {
                    own.uncertain = true;
                }
                self.in_doubt = Some(pending);
            }
        }
        if std::mem::take(&mut self.lapsed)
            && let Some(own) = &mut self.ownership
        {
            own.uncertain = true;
        }
    }

    /// The trial of the key is over once the store knows that it is not on trial any more.
    pub(super) fn end_trial(&mut self, shared: &mut Shared<D>) {
        if !shared.quarantine.is_on_trial(&self.key) {
            return;
        }
        let goes_on = self
            .ownership
            .as_ref()
            .is_some_and(|own| own.state.on_trial);
        if !goes_on {
            let next = shared.quarantine.end(&self.key);
            shared.claims.extend(next);
        }
    }
}
