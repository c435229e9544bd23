use ordered_core::admin::KeyFilter;
use ordered_core::event::Key;
use ordered_core::explain::{printable, ranges};
use ordered_core::protocol::{Effect, KeyView, Verb};
use ordered_core::store::Group;
use serde::Serialize;

use super::effect::{Deed, Removal};
use super::operate::Plan;
use crate::args::Replay;
use crate::failure::Failure;
use crate::output::{Report, print};
use crate::session::Session;

#[derive(Serialize)]
struct Document<'a> {
    group: &'a str,
    dry_run: bool,
    keys: Vec<Deed>,
}

pub(crate) async fn run(session: &Session, command: &Replay) -> Result<(), Failure> {
    let group = session.group().await?;
    let mut deeds = Vec::new();
    if let Some(key) = &command.key {
        let view = session.known(&group, key).await?;
        deeds.push(replay(session, &group, key, &view, command).await?);
    } else {
        let views = session.keys(&group, KeyFilter::Kept, usize::MAX).await?;
        for view in views.iter().filter(|view| is_replayable(view)) {
            let key = Key::new(&view.key).map_err(|error| Failure::Usage(error.to_string()))?;
            deeds.push(replay(session, &group, &key, view, command).await?);
        }
    }
    if deeds.is_empty() {
        return Err(Failure::refused(format!(
            "nothing was put aside in the group `{}` that can be replayed",
            printable(group.name())
        )));
    }
    let texts: Vec<String> = deeds.iter().map(Deed::text).collect();
    let document = Document {
        group: group.name(),
        dry_run: command.acting.dry_run,
        keys: deeds,
    };
    print(
        &Report::new(&document, texts.join("\n"))?,
        command.acting.json,
    )
}

/// What is of an earlier numbering of its key stays aside.
fn is_replayable(view: &KeyView) -> bool {
    let beyond = view.dead_events > view.dead.len() as u64;
    beyond || view.dead.iter().any(|dead| dead.epoch == view.epoch)
}

async fn replay(
    session: &Session,
    group: &Group,
    key: &Key,
    view: &KeyView,
    command: &Replay,
) -> Result<Deed, Failure> {
    let plan = Plan {
        session,
        group: group.clone(),
        key,
        acting: &command.acting,
    };
    let verb = Verb::Replay { seq: command.seq };
    let mut deed = plan.look(&verb, Removal::PutAside).await?;
    let ahead = view.dead.iter().filter(|dead| {
        let wanted = command.seq.is_none_or(|seq| seq.get() == dead.seq);
        wanted && dead.epoch == view.epoch && dead.seq > view.last_seq
    });
    let ahead = ranges(ahead.map(|dead| dead.seq), usize::MAX);
    if !ahead.is_empty() {
        deed = deed.with_note(format!("run {ahead} again once the key has come past it"));
    }
    if !command.acting.dry_run {
        deed.done(plan.say(&verb, false).await?);
        // A verb marks a bounded number of events at a time.
        let most = Effect::MOST as u64;
        let rounds = if command.seq.is_some() {
            1
        } else {
            view.dead_events.div_ceil(most)
        };
        for _ in 1..rounds {
            plan.say(&verb, false).await?;
        }
    }
    Ok(deed)
}
