use ordered_core::admin::BulkVerb;
use ordered_core::event::Key;
use ordered_core::protocol::{Effect, Verb};
use serde::Serialize;

use super::effect::{Deed, Removal};
use super::operate::Plan;
use super::verbs::{only, to_many};
use crate::args::{Replay, Selecting};
use crate::failure::Failure;
use crate::output::{Report, print};
use crate::session::Session;

#[derive(Serialize)]
struct Document<'a> {
    group: &'a str,
    dry_run: bool,
    keys: [Deed; 1],
}

pub(crate) async fn run(session: &Session, command: &Replay) -> Result<(), Failure> {
    let (keys, acting) = (&command.keys, &command.acting);
    if let Some(key) = only(keys, &command.selecting) {
        return of_one(session, key, command).await;
    }
    if command.seq.is_some() {
        return Err(Failure::Usage("--seq is of one key".into()));
    }
    // Where nothing is said, all are meant.
    let selecting = Selecting {
        all: keys.is_empty(),
        ..command.selecting.clone()
    };
    to_many(session, BulkVerb::Replay, keys, &selecting, acting).await
}

async fn of_one(session: &Session, key: &Key, command: &Replay) -> Result<(), Failure> {
    let plan = Plan::new(session, key, &command.acting).await?;
    let view = session.known(&plan.group, key).await?;
    let verb = Verb::Replay { seq: command.seq };
    let mut deed = plan.look(&verb, Removal::DeadLetter).await?;
    if !command.acting.dry_run {
        let mut effect = plan.say(&verb, false).await?;
        // A verb marks a bounded number of events at a time.
        let rounds = match command.seq {
            Some(_) => 1,
            None => view.dead_events.div_ceil(Effect::MOST as u64),
        };
        for _ in 1..rounds {
            effect = plan.say(&verb, false).await?;
        }
        deed.done(effect);
    }
    let text = deed.text();
    let document = Document {
        group: plan.group.name(),
        dry_run: command.acting.dry_run,
        keys: [deed],
    };
    print(&Report::new(&document, text)?, command.acting.json)
}
