//! Why a key does what it does, in one paragraph.
//!
//! [`explain`] takes what a store tells of a key and of its group, and says what the key waits for, since when and why,
//! what will happen by itself and when, and what an operator can do. It is pure: the time is the view's, which is the
//! store's. The command line prints it; an application or a dashboard can use the same sentences.
//!
//! ```
//! use ordered_core::event::Key;
//! use ordered_core::explain::explain;
//! use ordered_core::admin::Admin;
//! use ordered_core::store::{Group, StoreError};
//!
//! async fn why(admin: &Admin, group: &Group, key: &Key) -> Result<String, StoreError> {
//!     let workers = admin.workers(group).await?;
//!     let view = admin.inspect(group, key).await?;
//!     Ok(explain(key.as_str(), view.as_ref(), group, Some(&workers.workers)).text)
//! }
//! ```

mod before;
mod explainer;
mod next_step;
mod opening;
mod status;
mod suggested_actions;
mod text;

use serde::{Deserialize, Serialize};

pub use before::explain_before;
pub use status::KeyStatus;

use crate::admin::WorkerView;
use crate::protocol::{KeyView, Millis, Order};
use crate::readable::printable;
use crate::store::Group;
use explainer::Explainer;

/// Why a key does what it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The group.
    pub group: String,
    /// The key.
    pub key: String,
    /// What it is doing.
    pub status: KeyStatus,
    /// What stops it beside that: `key`, `group` or both.
    pub paused: Vec<String>,
    /// The seq that it is at, or waits for.
    pub seq: Option<u64>,
    /// Since when it stands like this.
    pub since: Option<Millis>,
    /// The worker that has it, or on which it failed last.
    pub worker: Option<String>,
    /// How often the event that it is at failed, deaths of its workers not counted.
    pub attempts: u32,
    /// How many attempts an event has, if they are counted.
    pub max_attempts: Option<u32>,
    /// How many workers may die while they run the event alone.
    pub max_crashes: u32,
    /// When the event that the key is at is given up, if it still fails then.
    pub give_up_at: Option<Millis>,
    /// What went wrong.
    pub error: Option<String>,
    /// What will happen by itself; `None` when nothing will.
    pub next_step: Option<NextStep>,
    /// What an operator can do.
    pub suggested_actions: Vec<SuggestedAction>,
    /// All of it as one paragraph.
    pub text: String,
}

/// What will happen by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextStep {
    /// What.
    pub what: String,
    /// When, if that is known.
    pub at: Option<Millis>,
}

/// What an operator can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuggestedAction {
    /// The command line that does it, if one does.
    pub command: Option<String>,
    /// What that brings about.
    pub effect: String,
}

/// Explains a key from what its store tells: `view` is what [`Admin::inspect`](crate::admin::Admin::inspect) answered.
/// Without the `workers` of the group nothing is said about whether one is alive.
#[must_use]
pub fn explain(
    key: &str,
    view: Option<&KeyView>,
    group: &Group,
    workers: Option<&[WorkerView]>,
) -> Explanation {
    let alive = workers.map(|workers| workers.iter().filter(|worker| worker.alive).count());
    match view {
        Some(view) => Explainer { view, group, alive }.explanation(),
        None => never_seen(key, group, alive),
    }
}

impl Explainer<'_> {
    fn explanation(&self) -> Explanation {
        let status = self.status();
        let failed_head = self.failed_head();
        Explanation {
            group: self.group.name().to_owned(),
            key: self.view.key.clone(),
            status,
            paused: self.pauses(),
            seq: self.seq(status),
            since: self.since(status),
            worker: self
                .view
                .claim
                .as_ref()
                .map(|claim| claim.worker.clone())
                .or_else(|| Some(failed_head.as_ref()?.worker.to_owned()))
                .filter(|worker| !worker.is_empty()),
            attempts: self.failures(),
            max_attempts: self.group.policy().max_attempts,
            max_crashes: self.group.policy().max_crashes,
            give_up_at: self
                .give_up_at()
                .filter(|_| status == KeyStatus::BackingOff),
            error: failed_head.map(|failed_head| failed_head.error.to_owned()),
            next_step: self.next_step(status),
            suggested_actions: self.suggested_actions(status),
            text: self.text(status),
        }
    }
}

fn never_seen(key: &str, group: &Group, alive: Option<usize>) -> Explanation {
    let first = group.policy().first_seq;
    let suggested_actions = vec![SuggestedAction {
        command: Some("ordered keys".into()),
        effect: "to look at how the keys are spelled".into(),
    }];
    let begins = match group.policy().order {
        Order::Sequence => format!("when its seq {first} comes"),
        Order::Arrival => "with the first event that comes".to_owned(),
        Order::Lamport => "with the first event that comes of any producer".to_owned(),
        Order::Causal => "with the first event of a producer that knows of no other".to_owned(),
        Order::Monotonic { .. } => "with the first version that comes".to_owned(),
    };
    let mut text = format!(
        "{} is not known to the group `{}`: no event of it has come, and nothing of it is kept. It begins {begins}.",
        printable(key),
        printable(group.name()),
    );
    text += text::no_worker(alive);
    text += &text::you_can(&suggested_actions);
    Explanation {
        group: group.name().to_owned(),
        key: key.to_owned(),
        status: KeyStatus::NeverSeen,
        paused: Vec::new(),
        seq: group.policy().order.waits_for_missing().then_some(first),
        since: None,
        worker: None,
        attempts: 0,
        max_attempts: group.policy().max_attempts,
        max_crashes: group.policy().max_crashes,
        give_up_at: None,
        error: None,
        next_step: None,
        suggested_actions,
        text,
    }
}

#[cfg(test)]
mod tests;
