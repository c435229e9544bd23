//! Verbs to many keys, a batch of them at a time: one exchange acquires the keys of a batch, and one saves them.

use std::collections::{HashMap, VecDeque};

use tokio::time::{Instant, sleep};

use super::Admin;
use super::acting::{FIRST_PAUSE, LONGEST_PAUSE, OPERATOR_LEASE, unexpected};
use super::decision::{Decision, Situation, decide, release};
use super::operate::{OperateError, OperateOptions};
use crate::event::Key;
use crate::protocol::{Effect, Fence, Millis, Refusal, Transition, Verb, WorkerId};
use crate::store::{Acquire, AcquireMode, Answer, Owned, Previous, Request, Saved, Session};
use crate::store::{AuditEntry, Group, Inspect, Operator, StoreError, StoreErrorKind};

/// What is to be done to one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyTask {
    /// The key.
    pub key: Key,
    /// The verbs, carried out in order and in one save. It is refused only where each of them is.
    pub verbs: Vec<Verb>,
}

/// What came of a task.
#[derive(Debug)]
pub enum TaskOutcome {
    /// It is done.
    Done(Effect),
    /// It cannot be done, and the key is as it was.
    Refused(Refusal),
    /// It was not done, or it is not known whether it was.
    Failed(OperateError),
}

/// An operator at work on many keys, with one lease for all of them.
///
/// # Cancel safety
/// Drop it between two calls of [`Bulk::advance`], and every task is either done or was not begun; repeating the rest is
/// harmless. A call that is dropped leaves its keys to the end of the lease, [`OPERATOR_LEASE`], at the latest.
pub struct Bulk<'a> {
    store: &'a dyn Inspect,
    group: &'a Group,
    operator: &'a Operator,
    options: OperateOptions,
    session: Session,
    last_beat: Option<Instant>,
    /// Not begun.
    tasks: VecDeque<Pending>,
    /// Other workers have their keys.
    waiting: VecDeque<Pending>,
    /// Until when the last of those is waited for.
    deadline: Option<Instant>,
    pause: std::time::Duration,
    /// One entry of the audit log for a batch, and not one for each key.
    summary: Option<&'static str>,
    /// The verbs of each key, as the audit log writes them.
    verbs: HashMap<Key, String>,
}

struct Pending {
    task: KeyTask,
    owner: Option<WorkerId>,
    died: Option<WorkerId>,
    /// A save whose outcome is not known.
    doubt: Option<Doubt>,
}

struct Doubt {
    decision: Decision,
    /// The fence of the save, and the one under which the body before it was saved.
    fence: Fence,
    before: Fence,
}

struct Granted {
    pending: Pending,
    owned: Owned,
    decision: Decision,
}

impl KeyTask {
    /// How many verbs of one key an entry of the audit log names.
    const NAMED: usize = 10;

    /// As the audit log writes it: `replay --seq 3, replay --seq 4`.
    fn written(&self) -> String {
        let named = self.verbs.iter().take(Self::NAMED);
        let mut named: Vec<String> = named.map(ToString::to_string).collect();
        let more = self.verbs.len() - named.len();
        if more > 0 {
            named.push(format!("and {more} more"));
        }
        named.join(", ")
    }
}

type Results = Vec<(Key, TaskOutcome)>;

impl Admin {
    /// Begins to carry out the tasks. Each key may be named once.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn bulk<'a>(
        &'a self,
        group: &'a Group,
        tasks: Vec<KeyTask>,
        operator: &'a Operator,
        options: OperateOptions,
    ) -> Result<Bulk<'a>, StoreError> {
        let worker = WorkerId::operator(&operator.who, fastrand::u64(..));
        let session = self.store.open(group, &worker).await?.session;
        let written = |task: &KeyTask| (task.key.clone(), task.written());
        let verbs = tasks.iter().map(written).collect();
        let pending = |task| Pending {
            task,
            owner: None,
            died: None,
            doubt: None,
        };
        Ok(Bulk {
            store: &*self.store,
            group,
            operator,
            options,
            session,
            last_beat: None,
            tasks: tasks.into_iter().map(pending).collect(),
            waiting: VecDeque::new(),
            deadline: None,
            pause: FIRST_PAUSE,
            summary: None,
            verbs,
        })
    }
}

impl Bulk<'_> {
    /// How many keys are carried out at a time.
    pub const BATCH: usize = 250;

    /// Writes one entry of the audit log for each batch, under this name.
    pub(super) fn summarised(mut self, verb: &'static str) -> Self {
        self.summary = Some(verb);
        self
    }

    /// How many tasks are not done.
    #[must_use]
    pub fn left(&self) -> usize {
        self.tasks.len() + self.waiting.len()
    }

    /// The workers that are waited for.
    #[must_use]
    pub fn owners(&self) -> Vec<String> {
        let owners = self.waiting.iter().filter_map(|task| task.owner.as_ref());
        let mut owners: Vec<String> = owners.map(|owner| owner.as_str().to_owned()).collect();
        owners.sort_unstable();
        owners.dedup();
        owners
    }

    /// Carries out a batch, and says what came of it; `None` at the end. Keys that workers have come last, and are asked for
    /// until [`OperateOptions::wait`] has passed since all others were done.
    ///
    /// # Errors
    /// When the store is unavailable before the batch is begun: nothing of it was changed.
    pub async fn advance(&mut self) -> Result<Option<Results>, StoreError> {
        let queue = if self.tasks.is_empty() {
            &mut self.waiting
        } else {
            &mut self.tasks
        };
        let batch: Vec<Pending> = queue.drain(..queue.len().min(Self::BATCH)).collect();
        if batch.is_empty() {
            return Ok(None);
        }
        let is_first_round = self.deadline.is_none();
        if self.tasks.is_empty() && is_first_round {
            self.deadline = Some(Instant::now() + self.options.wait);
        }
        let results = self.carry_out(batch).await?;
        let results = self.log(results).await;
        if results.is_empty() && self.tasks.is_empty() && !self.waiting.is_empty() {
            sleep(self.pause).await;
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
        Ok(Some(results))
    }

    /// Ends the lease. Where that fails, it ends by itself.
    pub async fn leave(self) {
        let _ = self.store.leave(self.group, &self.session).await;
    }

    async fn carry_out(&mut self, batch: Vec<Pending>) -> Result<Results, StoreError> {
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
        if let Err(error) = self.renew_lease().await {
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
        let error = match (pending.owner, pending.doubt) {
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
        if let Some(doubt) = pending.doubt.take() {
            if owned.body_fence == doubt.fence {
                // It was carried out. What is left is to give the key up.
                let mut decision = doubt.decision;
                decision.saved_before(self.group, &owned.mail, now);
                return Some(Granted {
                    pending,
                    owned,
                    decision,
                });
            }
            if owned.body_fence != doubt.before {
                let failed = TaskOutcome::Failed(OperateError::Unknown);
                results.push((pending.task.key, failed));
                return None;
            }
        }
        let situation = Situation {
            body: owned.body.as_ref(),
            body_fence: owned.body_fence,
            mail: &owned.mail,
            died: pending.died.as_ref(),
            now,
            group_paused: paused,
        };
        let (key, verbs) = (&pending.task.key, &pending.task.verbs);
        match decide(self.group, key, &situation, verbs, None) {
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
                    pending.doubt = Some(Doubt {
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
        for _ in 0..super::operate::RELEASES {
            if kept.is_empty() {
                return;
            }
            let requests = kept.iter_mut().map(|(granted, mail)| {
                let state = &mut granted.decision.state;
                let mut transition = Transition::new(state, self.group.policy(), now);
                mail.iter().for_each(|seq| transition.posted(*seq));
                transition.watch_gap(false);
                let (key, fence) = (&granted.pending.task.key, granted.owned.fence);
                let mut save = release(state, self.group, key, fence, now);
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

    /// Writes what was done to the audit log. Where that fails, the results say so.
    async fn log(&self, results: Results) -> Results {
        let mut entries = Vec::new();
        for (key, outcome) in &results {
            if let TaskOutcome::Done(effect) = outcome {
                entries.push(self.entry(Some(key), effect.to_string()));
            }
        }
        if entries.is_empty() {
            return results;
        }
        if self.summary.is_some() {
            let count = entries.len();
            let plural = if count == 1 { "" } else { "s" };
            entries = vec![self.entry(None, format!("{count} key{plural}"))];
        }
        let Err(error) = self.store.log_all(self.group, entries).await else {
            return results;
        };
        let not_logged = |(key, outcome)| match outcome {
            TaskOutcome::Done(effect) => {
                let source = error.again();
                let error = OperateError::NotLogged { effect, source };
                (key, TaskOutcome::Failed(error))
            }
            other => (key, other),
        };
        results.into_iter().map(not_logged).collect()
    }

    fn entry(&self, key: Option<&Key>, outcome: String) -> AuditEntry {
        let of_key = || self.verbs.get(key?).map(String::as_str);
        let force = if self.options.force { " --force" } else { "" };
        let verb = of_key().or(self.summary).unwrap_or_default();
        AuditEntry {
            at: 0,
            operator: self.operator.clone(),
            key: key.map(ToString::to_string),
            verb: format!("{verb}{force}"),
            outcome,
        }
    }

    async fn renew_lease(&mut self) -> Result<(), StoreError> {
        let is_fresh = |beat: Instant| beat.elapsed() < OPERATOR_LEASE / 4;
        if !self.last_beat.is_some_and(is_fresh) {
            let beat = Instant::now();
            let lease = OPERATOR_LEASE;
            self.store
                .heartbeat(self.group, &self.session, lease)
                .await?;
            self.last_beat = Some(beat);
        }
        Ok(())
    }
}
