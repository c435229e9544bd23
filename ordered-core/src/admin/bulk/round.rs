//! One round of a batch: the keys are acquired in one exchange, and saved in another.

use super::{Bulk, Pending, Results, TaskOutcome, UnknownSave};
use crate::admin::decision::{Decision, DecisionInput, decide, release};
use crate::admin::operate::{OperateError, RELEASES};
use crate::admin::operator_session::{renew_lease, unexpected};
use crate::protocol::{Millis, Transition};
use crate::store::{Acquire, AcquireMode, Answer, Owned, Previous, Request, Saved};
use crate::store::{StoreError, StoreErrorKind};
use tokio::time::Instant;

struct Granted {
    pending: Pending,
    owned: Owned,
    decision: Decision,
}

impl Bulk<'_> {
    pub(super) async fn carry_out(&mut self, batch: Vec<Pending>) -> Result<Results, StoreError> {
        let mut results = Results::new();
        let (granted, now) = self.acquire(batch, &mut results).await?;
        self.save(granted, now, &mut results).await?;
        Ok(results)
    }

    async fn acquire(
        &mut self,
        batch: Vec<Pending>,
        results: &mut Results,
    ) -> Result<(Vec<Granted>, Millis), StoreError> {
        let lease = &mut self.last_beat;
        if let Err(error) = renew_lease(self.store, self.group, &self.session, lease).await {
            // The batch was not begun.
            self.tasks.extend(batch);
            return Err(error);
        }
        let mode = if self.options.force {
            AcquireMode::Steal
        } else {
            AcquireMode::HandOver
        };
        let acquire = |pending: &Pending| {
            Request::Acquire(Acquire {
                key: pending.task.key.clone(),
                mode,
                letters: Vec::new(),
                look_up: Vec::new(),
            })
        };
        let requests: Vec<Request> = batch.iter().map(acquire).collect();
        let exchange = self.store.exchange(self.group, &self.session, &requests);
        let exchange = match exchange.await {
            Ok(exchange) => exchange,
            Err(error) => {
                self.tasks.extend(batch);
                return Err(error);
            }
        };
        let mut granted = Vec::new();
        for (mut pending, answer) in batch.into_iter().zip(exchange.answers) {
            match answer {
                Answer::Owned(owned) => {
                    if let Some(found) =
                        self.decide(pending, *owned, exchange.now, exchange.paused, results)
                    {
                        granted.push(found);
                    }
                    continue;
                }
                Answer::Busy(busy) => pending.owner = Some(busy.owner),
                Answer::NoLease => self.last_beat = None,
                Answer::Unknown => {}
                other @ (Answer::Saved(_) | Answer::Full(_) | Answer::Lost) => {
                    let failed = TaskOutcome::Failed(unexpected(&other).into());
                    results.push((pending.task.key, failed));
                    continue;
                }
            }
            self.wait_for(pending, results);
        }
        Ok((granted, exchange.now))
    }

    /// The key is to be asked for again, as long as there is time.
    fn wait_for(&mut self, pending: Pending, results: &mut Results) {
        let is_over = self
            .deadline
            .is_some_and(|deadline| deadline <= Instant::now());
        if !is_over {
            self.waiting.push_back(pending);
            return;
        }
        let error = match (pending.owner, pending.unknown_save) {
            (_, Some(_)) => OperateError::Unknown,
            (Some(owner), None) => OperateError::Busy {
                owner,
                waited: self.options.wait,
            },
            (None, None) => StoreError::unavailable(
                "the store does not answer the operator's question for the key",
            )
            .into(),
        };
        results.push((pending.task.key, TaskOutcome::Failed(error)));
    }

    fn decide(
        &self,
        mut pending: Pending,
        owned: Owned,
        now: Millis,
        paused: bool,
        results: &mut Results,
    ) -> Option<Granted> {
        match &owned.previous {
            Previous::Died(worker) => pending.died = Some(worker.clone()),
            Previous::Myself => {}
            Previous::Nobody | Previous::Other(_) => pending.died = None,
        }
        if let Some(unknown_save) = pending.unknown_save.take() {
            if owned.body_fence == unknown_save.fence {
                // It was carried out. What is left is to give the key up.
                let mut decision = unknown_save.decision;
                decision.saved_before(self.group, &owned.mail, now);
                return Some(Granted {
                    pending,
                    owned,
                    decision,
                });
            }
            if owned.body_fence != unknown_save.before {
                let failed = TaskOutcome::Failed(OperateError::Unknown);
                results.push((pending.task.key, failed));
                return None;
            }
        }
        let input = DecisionInput {
            body: owned.body.as_ref(),
            body_fence: owned.body_fence,
            mail: &owned.mail,
            died: pending.died.as_ref(),
            now,
            group_paused: paused,
        };
        let (key, verbs) = (&pending.task.key, &pending.task.verbs);
        match decide(self.group, key, &input, verbs, None) {
            Ok(decision) => Some(Granted {
                pending,
                owned,
                decision,
            }),
            Err(error) => {
                results.push((pending.task.key, TaskOutcome::Failed(error.into())));
                None
            }
        }
    }

    async fn save(
        &mut self,
        granted: Vec<Granted>,
        now: Millis,
        results: &mut Results,
    ) -> Result<(), StoreError> {
        if granted.is_empty() {
            return Ok(());
        }
        let save = |granted: &Granted| {
            let (key, fence) = (&granted.pending.task.key, granted.owned.fence);
            Request::Save(Box::new(granted.decision.save(self.group, key, fence, now)))
        };
        let requests: Vec<Request> = granted.iter().map(save).collect();
        let exchange = self.store.exchange(self.group, &self.session, &requests);
        let (answers, now) = match exchange.await {
            Ok(exchange) => (exchange.answers, exchange.now),
            Err(error) if error.kind() == StoreErrorKind::Unavailable => {
                (granted.iter().map(|_| Answer::Unknown).collect(), 0)
            }
            Err(error) => {
                // It says so of each key: what was done before it stays reported.
                let text = error.to_string();
                for granted in granted {
                    let error = StoreError::refused(text.clone());
                    let failed = TaskOutcome::Failed(error.into());
                    results.push((granted.pending.task.key, failed));
                }
                return Ok(());
            }
        };
        let mut kept = Vec::new();
        for (granted, answer) in granted.into_iter().zip(answers) {
            let key = granted.pending.task.key.clone();
            let outcome = match answer {
                Answer::Saved(saved) => {
                    let outcome = granted.decision.task_outcome();
                    if !saved.released {
                        kept.push((granted, saved));
                    }
                    outcome
                }
                _ if granted.decision.outcome.is_err() => granted.decision.task_outcome(),
                Answer::Lost => TaskOutcome::Failed(OperateError::Lost),
                Answer::Unknown => {
                    let mut pending = granted.pending;
                    pending.unknown_save = Some(UnknownSave {
                        decision: granted.decision,
                        fence: granted.owned.fence,
                        before: granted.owned.body_fence,
                    });
                    self.wait_for(pending, results);
                    continue;
                }
                Answer::Full(limit) => {
                    TaskOutcome::Failed(StoreError::refused(format!("{limit} is used up")).into())
                }
                other @ (Answer::Owned(_) | Answer::Busy(_) | Answer::NoLease) => {
                    TaskOutcome::Failed(unexpected(&other).into())
                }
            };
            results.push((key, outcome));
        }
        self.give_up(kept, now).await;
        Ok(())
    }

    /// The saves were carried out, but mail kept the keys. Takes it in and gives the keys up.
    async fn give_up(&self, kept: Vec<(Granted, Saved)>, now: Millis) {
        let mut kept: Vec<(Granted, Vec<u64>)> = kept
            .into_iter()
            .map(|(granted, saved)| (granted, saved.mail))
            .collect();
        let mut now = now;
        for _ in 0..RELEASES {
            if kept.is_empty() {
                return;
            }
            let requests = kept.iter_mut().map(|(granted, mail)| {
                let state = &mut granted.decision.state;
                let mut transition = Transition::new(state, self.group.policy(), now);
                transition.take_mail(mail);
                transition.watch_gap(false);
                let changes = transition.changes;
                let (key, fence) = (&granted.pending.task.key, granted.owned.fence);
                let mut save = release(state, self.group, key, fence, now);
                save.changes = changes;
                save.taken = mail.len();
                Request::Save(Box::new(save))
            });
            let requests: Vec<Request> = requests.collect();
            let exchange = self.store.exchange(self.group, &self.session, &requests);
            // Where this fails, the lease ends, and the next owner takes in the mail.
            let Ok(exchange) = exchange.await else {
                return;
            };
            now = exchange.now;
            let answers = exchange.answers.into_iter();
            kept = kept
                .into_iter()
                .zip(answers)
                .filter_map(|((granted, _), answer)| match answer {
                    Answer::Saved(saved) if !saved.released => Some((granted, saved.mail)),
                    _ => None,
                })
                .collect();
        }
    }
}
