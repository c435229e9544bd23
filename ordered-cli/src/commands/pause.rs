use std::time::Duration;

use ordered_core::admin::BulkVerb;
use ordered_core::internal::readable::{printable, span};
use ordered_core::protocol::{Refusal, Verb};
use serde::Serialize;

use super::effect::Removal;
use super::operate::KeyOperation;
use super::verbs::{only, to_many};
use crate::args::{Pause, Resume, VerbArgs};
use crate::failure::Failure;
use crate::operator::operator;
use crate::output::{Report, print};
use crate::session::Session;

#[derive(Serialize)]
struct Document<'a> {
    group: &'a str,
    key: Option<&'a str>,
    verb: &'a str,
    dry_run: bool,
}

pub(crate) async fn pause(session: &Session, command: &Pause) -> Result<(), Failure> {
    let Some(key) = &command.key else {
        return whole_group(session, &command.verb_args, true).await;
    };
    let (verb, until) = match command.length {
        None => (Verb::Pause, "until it is resumed".to_owned()),
        Some(Duration::ZERO) => {
            return Err(Failure::Usage("a pause is longer than nothing".into()));
        }
        Some(length) => {
            let millis = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
            let until = format!("for {}, or until it is resumed", span(millis));
            (Verb::PauseFor { length }, until)
        }
    };
    let operation = KeyOperation::new(session, key, &command.verb_args).await?;
    let effect = operation.look(&verb, Removal::DeadLetter).await?;
    let effect = effect.with_note(format!(
        "grant nothing more of it {until}; what runs is finished"
    ));
    operation.carry_out(&verb, effect).await
}

pub(crate) async fn resume(session: &Session, command: &Resume) -> Result<(), Failure> {
    let (keys, selection_args) = (&command.keys, &command.selection_args);
    if keys.is_empty() && !selection_args.is_filter() {
        return whole_group(session, &command.verb_args, false).await;
    }
    let Some(key) = only(keys, selection_args) else {
        return to_many(
            session,
            BulkVerb::Resume,
            keys,
            selection_args,
            &command.verb_args,
        )
        .await;
    };
    let operation = KeyOperation::new(session, key, &command.verb_args).await?;
    let effect = operation.look(&Verb::Resume, Removal::DeadLetter).await?;
    operation.carry_out(&Verb::Resume, effect).await
}

async fn whole_group(session: &Session, verb_args: &VerbArgs, paused: bool) -> Result<(), Failure> {
    let group = session.group().await?;
    let changes = if verb_args.dry_run {
        session.admin.overview(&group).await?.paused != paused
    } else {
        let operator = operator(verb_args);
        session.admin.pause_group(&group, paused, &operator).await?
    };
    let name = printable(group.name());
    if !changes {
        return Err(Failure::refused(format!(
            "group {name}: {}",
            Refusal::Already
        )));
    }
    let verb = if paused { "pause" } else { "resume" };
    let document = Document {
        group: group.name(),
        key: None,
        verb,
        dry_run: verb_args.dry_run,
    };
    let would = if verb_args.dry_run { " would" } else { "" };
    let what = if paused {
        "grant nothing more of any key until it is resumed; what runs is finished"
    } else {
        "let all its keys go on, but for those that are paused themselves"
    };
    let text = format!("group {name}: {verb}{would}: {what}");
    print(&Report::new(&document, text)?, verb_args.json)
}
