use std::collections::BTreeSet;
use std::fmt::{self, Write};
use std::time::Duration;

use ordered_core::clock::Clock;
use ordered_core::event::Key;
use ordered_core::protocol::{Action, Command, KeyView, Verdict, WorkerId};
use ordered_core::store::{Group, Store, StoreError};

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
}

/// What a store says to it.
#[derive(Debug, PartialEq)]
pub(super) enum Reply {
    Verdicts(Vec<Verdict>),
    Found(BTreeSet<Key>),
    Views(Vec<Option<KeyView>>),
    Nothing,
}

impl Step {
    pub(super) async fn run(
        &self,
        store: &impl Store,
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
                let found = store.sweep(group, 1_000).await?;
                Reply::Found(found.into_iter().collect())
            }
            Self::Inspect(keys) => {
                let mut views = Vec::new();
                for key in keys {
                    views.push(store.inspect(group, key).await?);
                }
                Reply::Views(views)
            }
        })
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
