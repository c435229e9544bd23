use ordered_core::admin::BulkVerb;
use ordered_core::event::Key;
use ordered_core::protocol::{Effect, Verb};
use serde::Serialize;

use super::effect::{Removal, VerbEffect};
use super::operate::KeyOperation;
use super::verbs::{only, to_many};
use crate::args::{Replay, SelectionArgs};
use crate::failure::Failure;
use crate::output::{Report, print};
use crate::session::Session;

#[derive(Serialize)]
struct Document<'a> {
    group: &'a str,
    dry_run: bool,
    keys: [VerbEffect; 1],
}

pub(crate) async fn run(session: &Session, command: &Replay) -> Result<(), Failure> {
    let (keys, verb_args) = (&command.keys, &command.verb_args);
    if let Some(key) = only(keys, &command.selection_args) {
        return of_one(session, key, command).await;
    }
    if command.seq.is_some() {
        return Err(Failure::Usage("--seq is of one key".into()));
    }
    // Where nothing is said, all are meant.
    let selection_args = SelectionArgs {
        all: keys.is_empty(),
        ..command.selection_args.clone()
    };
    to_many(session, BulkVerb::Replay, keys, &selection_args, verb_args).await
}

async fn of_one(session: &Session, key: &Key, command: &Replay) -> Result<(), Failure> {
    let operation = KeyOperation::new(session, key, &command.verb_args).await?;
    let view = session.known(&operation.group, key).await?;
    let verb = Verb::Replay { seq: command.seq };
    let mut verb_effect = operation.look(&verb, Removal::DeadLetter).await?;
    if !command.verb_args.dry_run {
        let mut effect = operation.operate(&verb, false).await?;
        // A verb marks a bounded number of events at a time.
        let rounds = match command.seq {
            Some(_) => 1,
            None => view.dead_events.div_ceil(Effect::MAX_EVENTS as u64),
        };
        for _ in 1..rounds {
            effect = operation.operate(&verb, false).await?;
        }
        verb_effect.done(effect);
    }
    let text = verb_effect.text();
    let document = Document {
        group: operation.group.name(),
        dry_run: command.verb_args.dry_run,
        keys: [verb_effect],
    };
    print(&Report::new(&document, text)?, command.verb_args.json)
}
