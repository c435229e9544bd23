use std::fs;
use std::io::{self, Read};
use std::path::Path;

use ordered_core::internal::readable::{printable, size};
use ordered_core::protocol::{Refusal, Verb};

use super::effect::Removal;
use super::operate::KeyOperation;
use crate::args::Edit;
use crate::editor;
use crate::failure::Failure;
use crate::session::Session;

pub(crate) async fn run(session: &Session, command: &Edit) -> Result<(), Failure> {
    let given = match &command.payload {
        Some(path) => Some(read(path, command)?),
        None => None,
    };
    let operation = KeyOperation::new(session, &command.key, &command.verb_args).await?;
    let stored = session
        .admin
        .event(&operation.group, &command.key, command.seq)
        .await?;
    let before = stored.map(|event| event.body.to_vec());
    let body = match given {
        Some(body) => body,
        None => edited(command, before.as_deref())?,
    };
    let verb = Verb::Edit {
        seq: command.seq,
        body: body.clone().into(),
    };
    let effect = operation.look(&verb, Removal::DeadLetter).await?;
    let before = before.unwrap_or_default();
    let note = format!(
        "give seq {} a body of {} for one of {}{}",
        command.seq,
        size(body.len() as u64),
        size(before.len() as u64),
        doubt(&before, &body)
    );
    operation
        .ask_and_carry_out(&verb, effect.with_note(note))
        .await
}

fn read(path: &Path, command: &Edit) -> Result<Vec<u8>, Failure> {
    if path != Path::new("-") {
        return fs::read(path)
            .map_err(|error| Failure::File(format!("{} cannot be read: {error}", path.display())));
    }
    if !command.verb_args.yes && !command.verb_args.dry_run {
        return Err(Failure::Usage(
            "with `--payload -` the standard input is the new body, and cannot answer: add --yes, or --dry-run".into(),
        ));
    }
    let mut body = Vec::new();
    let read = io::stdin().read_to_end(&mut body);
    read.map(|_| body)
        .map_err(|error| Failure::File(format!("the standard input cannot be read: {error}")))
}

/// The body as an editor leaves it.
fn edited(command: &Edit, before: Option<&[u8]>) -> Result<Vec<u8>, Failure> {
    let Some(before) = before else {
        return Err(Failure::refused(format!(
            "{}: {}",
            printable(command.key.as_str()),
            Refusal::NoSuchEvent
        )));
    };
    let body = editor::edit(before)?;
    if body == before {
        return Err(Failure::refused(
            "the body is as it was, and nothing was changed",
        ));
    }
    Ok(body)
}

/// A body that stops being JSON is most likely a mistake.
fn doubt(before: &[u8], after: &[u8]) -> &'static str {
    let is_json = |body| serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok();
    if is_json(before) && !is_json(after) {
        " (the old one is JSON, and the new one is not)"
    } else {
        ""
    }
}
