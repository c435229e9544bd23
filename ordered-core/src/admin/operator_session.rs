use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::operate::{OperateError, OperateOptions};
use crate::event::Key;
use crate::protocol::Millis;
use crate::store::{Acquire, AcquireMode, Answer, Inspect, Owned, Request, Save, Session};
use crate::store::{Group, StoreError, StoreErrorKind};

/// For how long an operator owns a key at the most if it is interrupted.
pub const OPERATOR_LEASE: Duration = Duration::from_secs(10);
/// How long an operator waits between its first two questions for a key.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(5);
/// How long it waits between its questions at the most.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// An operator that works on one key, with a session and a lease of its own.
pub(super) struct OperatorSession<'a> {
    store: &'a dyn Inspect,
    pub(super) group: &'a Group,
    pub(super) key: &'a Key,
    session: Session,
    last_beat: Option<Instant>,
}

/// The key is the operator's.
#[derive(Debug)]
pub(super) struct Grant {
    pub(super) owned: Owned,
    /// The store's time.
    pub(super) now: Millis,
    /// Whether the group is paused.
    pub(super) paused: bool,
}

impl<'a> OperatorSession<'a> {
    pub(super) fn new(
        store: &'a dyn Inspect,
        group: &'a Group,
        key: &'a Key,
        session: Session,
    ) -> Self {
        Self {
            store,
            group,
            key,
            session,
            last_beat: None,
        }
    }

    /// Asks for the key until it is granted, or until `deadline`.
    pub(super) async fn acquire(
        &mut self,
        options: &OperateOptions,
        deadline: Instant,
    ) -> Result<Grant, OperateError> {
        let mut pause = FIRST_PAUSE;
        let mut owner = None;
        loop {
            let lease = &mut self.last_beat;
            renew_lease(self.store, self.group, &self.session, lease).await?;
            let acquire = Acquire {
                key: self.key.clone(),
                mode: if options.force {
                    AcquireMode::Steal
                } else {
                    AcquireMode::HandOver
                },
                letters: Vec::new(),
                look_up: Vec::new(),
            };
            let (answer, now, paused) = self.exchange(Request::Acquire(acquire)).await?;
            match answer {
                Answer::Owned(owned) => {
                    let owned = *owned;
                    return Ok(Grant { owned, now, paused });
                }
                Answer::Busy(busy) => owner = Some(busy.owner),
                Answer::NoLease => self.last_beat = None,
                Answer::Unknown => {}
                other @ (Answer::Saved(_) | Answer::Full(_) | Answer::Lost) => {
                    return Err(unexpected(&other).into());
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(match owner {
                    Some(owner) => OperateError::Busy {
                        owner,
                        waited: options.wait,
                    },
                    None => StoreError::unavailable(
                        "the store does not answer the operator's question for the key",
                    )
                    .into(),
                });
            }
            sleep(pause.min(left)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Saves. Where the store does not answer, that is [`Answer::Unknown`].
    pub(super) async fn save(&mut self, save: Save) -> Result<(Answer, Millis), StoreError> {
        match self.exchange(Request::Save(Box::new(save))).await {
            Ok((answer, now, _)) => Ok((answer, now)),
            Err(error) if error.kind() == StoreErrorKind::Unavailable => Ok((Answer::Unknown, 0)),
            Err(error) => Err(error),
        }
    }

    /// Ends the lease. Where that fails, it ends by itself.
    pub(super) async fn leave(self) {
        let _ = self.store.leave(self.group, &self.session).await;
    }

    async fn exchange(&self, request: Request) -> Result<(Answer, Millis, bool), StoreError> {
        let requests = [request];
        let exchange = self.store.exchange(self.group, &self.session, &requests);
        let mut exchange = exchange.await?;
        let answer = exchange.answers.pop().unwrap_or(Answer::Unknown);
        Ok((answer, exchange.now, exchange.paused))
    }
}

/// Renews an operator's lease, where its last heartbeat is not fresh.
pub(super) async fn renew_lease(
    store: &dyn Inspect,
    group: &Group,
    session: &Session,
    last_beat: &mut Option<Instant>,
) -> Result<(), StoreError> {
    // After half of its length without a heartbeat a lease is in doubt.
    let is_fresh = |beat: Instant| beat.elapsed() < OPERATOR_LEASE / 4;
    if !last_beat.is_some_and(is_fresh) {
        let beat = Instant::now();
        store.heartbeat(group, session, OPERATOR_LEASE).await?;
        *last_beat = Some(beat);
    }
    Ok(())
}

/// The error for an answer that belongs to another request.
pub(super) fn unexpected(answer: &Answer) -> StoreError {
    StoreError::refused(format!(
        "the store answered what does not belong to the request: {answer:?}"
    ))
}
