//! Verbs to many keys, a batch of them at a time: one exchange acquires the keys of a batch, and one saves them.

mod round;

use std::collections::{HashMap, VecDeque};

use tokio::time::{Instant, sleep};

use super::Admin;
use super::decision::Decision;
use super::operate::{OperateError, OperateOptions};
use super::operator_session::{FIRST_PAUSE, LONGEST_PAUSE};
use crate::event::Key;
use crate::protocol::{Effect, Fence, Refusal, Verb, WorkerId};
use crate::store::{AuditEntry, Group, Inspect, Operator, Session, StoreError};

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
/// Drop it between two calls of [`Bulk::advance`], and every task is either done or was not begun; repeating the rest
/// is harmless. A call that is dropped leaves its keys to the end of the lease,
/// [`OPERATOR_LEASE`](super::OPERATOR_LEASE), at the latest.
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
    unknown_save: Option<UnknownSave>,
}

struct UnknownSave {
    decision: Decision,
    /// The fence of the save, and the one under which the body before it was saved.
    fence: Fence,
    before: Fence,
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
            unknown_save: None,
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

    /// Carries out a batch, and says what came of it; `None` at the end. Keys that workers have come last, and are
    /// asked for until [`OperateOptions::wait`] has passed since all others were done.
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
}
