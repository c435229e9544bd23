use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};
use std::time::Duration;

use ordered_core::clock::Clock;
use ordered_core::event::{Envelope, Key, Seq};
use ordered_core::protocol::{Action, Command, KeyView, Verb, Verdict, WorkerId};
use ordered_core::store::{
    Admin, AuditEntry, Group, GroupView, KeyFilter, Operator, Store, StoreError, Stuck, Swept,
};

/// One thing that happens to a store.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Apply(WorkerId, Vec<Command>),
    Heartbeat(WorkerId, Duration),
    Leave(WorkerId),
    /// Time passes; a lease that ends meanwhile is a worker that crashed.
    Pass(u64),
    Sweep,
    Inspect(Vec<Key>),
    Operate(Key, Verb, bool),
    PauseGroup(bool),
    /// All that an operator can ask for beside the keys.
    LookOver(Vec<(Key, Seq)>),
}

/// What a store says to it.
#[derive(Debug, PartialEq)]
pub(super) enum Reply {
    Verdicts(Vec<Verdict>),
    Found {
        runnable: BTreeSet<Key>,
        suspects: BTreeSet<Key>,
        stuck: BTreeSet<Stuck>,
        halted: u64,
        oldest_gap: Option<u64>,
    },
    Done(Verdict),
    Changed(bool),
    Overview {
        group: Box<GroupView>,
        all: BTreeMap<String, KeyView>,
        stuck: BTreeMap<String, KeyView>,
        events: Vec<Option<Envelope>>,
        audit: Vec<AuditEntry>,
    },
    Views(Vec<Option<KeyView>>),
    Nothing,
}

impl Step {
    pub(super) async fn run(
        &self,
        store: &(impl Store + Admin),
        clock: &Clock,
        group: &Group,
    ) -> Result<Reply, StoreError> {
        Ok(match self {
            Self::Apply(worker, commands) => {
                Reply::Verdicts(store.apply(group, worker, commands).await?)
            }
            Self::Heartbeat(worker, lease) => {
                store.heartbeat(group, worker, *lease).await?;
                Reply::Nothing
            }
            Self::Leave(worker) => {
                store.leave(group, worker).await?;
                Reply::Nothing
            }
            Self::Pass(millis) => {
                clock.advance(*millis);
                Reply::Nothing
            }
            Self::Sweep => {
                let Swept {
                    runnable,
                    suspects,
                    halted,
                    oldest_gap,
                    stuck,
                } = store.sweep(group, 1_000).await?;
                Reply::Found {
                    runnable: runnable.into_iter().collect(),
                    suspects: suspects.into_iter().collect(),
                    stuck: stuck.into_iter().collect(),
                    halted,
                    oldest_gap,
                }
            }
            Self::Inspect(keys) => {
                let mut views = Vec::new();
                for key in keys {
                    views.push(store.inspect(group, key).await?);
                }
                Reply::Views(views)
            }
            Self::Operate(key, verb, dry_run) => Reply::Done(
                store
                    .operate(group, key, verb, &operator(), *dry_run)
                    .await?,
            ),
            Self::PauseGroup(paused) => {
                Reply::Changed(store.pause_group(group, *paused, &operator()).await?)
            }
            Self::LookOver(events) => look_over(store, group, events).await?,
        })
    }
}

fn operator() -> Operator {
    Operator {
        who: "ada".into(),
        why: "because".into(),
    }
}

async fn look_over(
    store: &impl Admin,
    group: &Group,
    events: &[(Key, Seq)],
) -> Result<Reply, StoreError> {
    let mut view = store.overview(group).await?;
    for worker in &mut view.workers {
        // Nobody opened the group, so nothing is known of it.
        worker.version.clear();
    }
    let mut found = Vec::new();
    for (key, seq) in events {
        found.push(store.event(group, key, *seq).await?);
    }
    Ok(Reply::Overview {
        group: Box::new(view),
        all: all_pages(store, group, KeyFilter::All).await?,
        stuck: all_pages(store, group, KeyFilter::Stuck).await?,
        events: found,
        audit: store.audit(group, 20).await?,
    })
}

/// By key, since a store may tell of a key twice.
async fn all_pages(
    store: &impl Admin,
    group: &Group,
    filter: KeyFilter,
) -> Result<BTreeMap<String, KeyView>, StoreError> {
    let (mut all, mut cursor) = (BTreeMap::new(), None);
    loop {
        let page = store.keys(group, filter, cursor).await?;
        all.extend(page.keys.into_iter().map(|view| (view.key.clone(), view)));
        cursor = page.cursor;
        if cursor.is_none() {
            return Ok(all);
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Apply(worker, commands) => {
                writeln!(f, "{worker} says")?;
                for command in commands {
                    writeln!(f, "      {}", describe(command))?;
                }
                Ok(())
            }
            Self::Heartbeat(worker, lease) => writeln!(f, "{worker} beats for {lease:?}"),
            Self::Leave(worker) => writeln!(f, "{worker} leaves"),
            Self::Pass(millis) => writeln!(f, "{millis} ms pass"),
            Self::Sweep => writeln!(f, "a sweep"),
            Self::Inspect(keys) => writeln!(f, "a look at {keys:?}"),
            Self::Operate(key, verb, dry_run) => {
                writeln!(f, "operator: {verb} {key:?}, dry run: {dry_run}")
            }
            Self::PauseGroup(paused) => writeln!(f, "the group is paused: {paused}"),
            Self::LookOver(events) => writeln!(f, "a look at everything, and {events:?}"),
        }
    }
}

fn describe(command: &Command) -> String {
    let mut text = format!("{:?}: ", command.key);
    let _ = match &command.action {
        Action::Offer(event) => write!(text, "offer {} {:?}", event.seq, event.id),
        Action::Hold(event, envelope) => {
            write!(
                text,
                "hold {} {:?} ({} bytes)",
                event.seq,
                event.id,
                envelope.size()
            )
        }
        Action::Commit { event, fence, have } => {
            write!(
                text,
                "commit {} {:?} fence {fence} have {have}",
                event.seq, event.id
            )
        }
        other => write!(text, "{other:?}"),
    };
    text
}
