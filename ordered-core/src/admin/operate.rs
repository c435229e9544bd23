use std::time::Duration;

use tokio::time::Instant;

use super::Admin;
use super::decision::{Decision, DecisionInput, release};
use super::operator_session::{Grant, OperatorSession, unexpected};
use crate::event::Key;
use crate::protocol::{Effect, Fence, Millis, Verb, Verdict, WorkerId};
use crate::protocol::{KeyState, Transition};
use crate::store::{Answer, Previous, Saved};
use crate::store::{AuditEntry, Group, Operator, StoreError};

/// How often an operator tries to give a key up that mail keeps coming for. After that its lease ends, and a sweep
/// finds the key.
pub(super) const RELEASES: usize = 16;

/// How a verb is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperateOptions {
    /// Only says what the verb would do.
    pub dry_run: bool,
    /// Takes the key away from a worker that is alive. Its handler is not stopped, and what it did cannot be committed:
    /// the event runs again.
    pub force: bool,
    /// How long to wait for a worker that is alive to give the key up, which it does after the event at work. Default
    /// 30 seconds.
    pub wait: Duration,
}

impl Default for OperateOptions {
    fn default() -> Self {
        Self {
            dry_run: false,
            force: false,
            wait: Duration::from_secs(30),
        }
    }
}

/// Why a verb was not carried out, or may not have been.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum OperateError {
    /// The store failed. Nothing was changed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A worker has the key, and did not give it up in time. Nothing was changed.
    #[error(
        "worker {owner} has the key and did not give it up within {waited:?}: it does so after the event at work. Wait \
         longer, or use --force, which takes the key away from it: its handler is not stopped, what it did cannot be \
         committed, and the event runs again"
    )]
    Busy {
        /// The worker.
        owner: WorkerId,
        /// How long the operator waited.
        waited: Duration,
    },
    /// The key was taken over while the operator decided. Nothing was changed.
    #[error(
        "the key was taken over while the verb was decided, and nothing was changed: try again"
    )]
    Lost,
    /// The store did not say whether the verb was carried out, and the key has changed since.
    #[error(
        "the store did not say whether the verb was carried out: look at the key before you try again"
    )]
    Unknown,
    /// The verb was carried out, and could not be written to the audit log.
    #[error("the verb was carried out ({effect}), but could not be written to the audit log")]
    NotLogged {
        /// What it did.
        effect: Effect,
        /// Why.
        source: StoreError,
    },
}

crate::debug_as_text!(OperateError);

impl Admin {
    /// Does the verb to the key, and writes it to the audit log; or, as a dry run, says what it would do, without a
    /// change. The verdict is [`Verdict::Operated`] or [`Verdict::Refused`].
    ///
    /// A worker that has the key is asked to give it up after the event at work.
    ///
    /// # Errors
    /// See [`OperateError`].
    ///
    /// # Cancel safety
    /// A future that is dropped leaves nothing but a lease, which ends by itself within [`OPERATOR_LEASE`]. Whether the
    /// verb was carried out is then unknown, and it may be missing from the audit log.
    ///
    /// [`OPERATOR_LEASE`]: super::OPERATOR_LEASE
    pub async fn operate(
        &self,
        group: &Group,
        key: &Key,
        verb: &Verb,
        operator: &Operator,
        options: OperateOptions,
    ) -> Result<Verdict, OperateError> {
        if options.dry_run {
            return Ok(self.rehearse(group, key, verb).await?);
        }
        let worker = WorkerId::operator(&operator.who, fastrand::u64(..));
        let session = self.store.open(group, &worker).await?.session;
        let mut operator_session = OperatorSession::new(&*self.store, group, key, session);
        let verdict = self.carry_out(&mut operator_session, verb, &options).await;
        operator_session.leave().await;
        let verdict = verdict?;
        if let Verdict::Operated(effect) = &verdict {
            let force = if options.force { " --force" } else { "" };
            let entry = AuditEntry {
                at: 0,
                operator: operator.clone(),
                key: Some(key.to_string()),
                verb: format!("{verb}{force}"),
                outcome: effect.to_string(),
            };
            let logged = self.store.log(group, entry).await;
            logged.map_err(|source| OperateError::NotLogged {
                effect: effect.clone(),
                source,
            })?;
        }
        Ok(verdict)
    }

    /// What the verb would do now.
    async fn rehearse(&self, group: &Group, key: &Key, verb: &Verb) -> Result<Verdict, StoreError> {
        let totals = self.store.totals(group).await?;
        let record = self.store.read(group, key).await?;
        let owner = record.as_ref().and_then(|record| record.owner.as_ref());
        let now = record.as_ref().map_or(totals.now, |record| record.now);
        let is_over = |until: Option<Millis>| until.is_some_and(|until| until <= now);
        let input = DecisionInput {
            body: record.as_ref().and_then(|record| record.body.as_ref()),
            body_fence: record.as_ref().map_or(Fence(0), |record| record.body_fence),
            mail: owner.map_or(&[], |owner| &owner.mail),
            died: owner
                .filter(|owner| is_over(owner.lease_until))
                .map(|owner| &owner.worker),
            now,
            group_paused: totals.paused,
        };
        let decision = self.decide(group, key, input, verb).await?;
        Ok(decision.verdict())
    }

    async fn carry_out(
        &self,
        operator_session: &mut OperatorSession<'_>,
        verb: &Verb,
        options: &OperateOptions,
    ) -> Result<Verdict, OperateError> {
        let deadline = Instant::now() + options.wait;
        let mut died = None;
        loop {
            let grant = operator_session.acquire(options, deadline).await?;
            match &grant.owned.previous {
                Previous::Died(worker) => died = Some(worker.clone()),
                // The grant before, of which nothing was saved.
                Previous::Myself => {}
                Previous::Nobody | Previous::Other(_) => died = None,
            }
            let input = grant.input(died.as_ref());
            let (group, key) = (operator_session.group, operator_session.key);
            let decision = self.decide(group, key, input, verb).await?;
            let fence = grant.owned.fence;
            let (answer, now) = operator_session
                .save(decision.save(group, key, fence, grant.now))
                .await?;
            match answer {
                Answer::Saved(saved) => {
                    operator_session
                        .give_up(&decision.state, fence, saved, now)
                        .await;
                    return Ok(decision.verdict());
                }
                // What was refused needs no save: the next owner takes in what is to be known of the key.
                _ if decision.outcome.is_err() => return Ok(decision.verdict()),
                Answer::Lost => return Err(OperateError::Lost),
                Answer::Unknown => {
                    let again = operator_session.acquire(options, deadline).await;
                    let again = again.map_err(|_| OperateError::Unknown)?;
                    if again.owned.body_fence == fence {
                        operator_session.give_up_again(&decision.state, again).await;
                        return Ok(decision.verdict());
                    }
                    if again.owned.body_fence != grant.owned.body_fence {
                        return Err(OperateError::Unknown);
                    }
                    // It was not carried out.
                }
                Answer::Full(limit) => {
                    return Err(StoreError::refused(format!("{limit} is used up")).into());
                }
                other @ (Answer::Owned(_) | Answer::Busy(_) | Answer::NoLease) => {
                    return Err(unexpected(&other).into());
                }
            }
        }
    }
}

impl OperatorSession<'_> {
    /// The save was carried out. Where mail kept the key, takes it in and gives the key up.
    async fn give_up(&mut self, state: &KeyState, fence: Fence, saved: Saved, now: Millis) {
        let (mut state, mut saved, mut now) = (state.clone(), saved, now);
        for _ in 0..RELEASES {
            if saved.released {
                return;
            }
            let mut transition = Transition::new(&mut state, self.group.policy(), now);
            transition.take_mail(&saved.mail);
            transition.watch_gap(false);
            let changes = transition.changes;
            let mut save = release(&state, self.group, self.key, fence, now);
            save.changes = changes;
            save.taken = saved.mail.len();
            // Where this fails, the lease ends, and the next owner takes in the mail.
            match self.save(save).await {
                Ok((Answer::Saved(next), at)) => (saved, now) = (next, at),
                _ => return,
            }
        }
    }

    /// The save was carried out, but the key was acquired again to find that out.
    async fn give_up_again(&mut self, state: &KeyState, grant: Grant) {
        let Grant { owned, now, .. } = grant;
        let saved = Saved {
            mail: owned.mail,
            ..Saved::default()
        };
        self.give_up(state, owned.fence, saved, now).await;
    }
}

impl Grant {
    fn input<'a>(&'a self, died: Option<&'a WorkerId>) -> DecisionInput<'a> {
        DecisionInput {
            body: self.owned.body.as_ref(),
            body_fence: self.owned.body_fence,
            mail: &self.owned.mail,
            died,
            now: self.now,
            group_paused: self.paused,
        }
    }
}

impl Decision {
    fn verdict(&self) -> Verdict {
        match &self.outcome {
            Ok(effect) => Verdict::Operated(effect.clone()),
            Err(refusal) => Verdict::Refused(*refusal),
        }
    }
}
