use std::fs;
use std::io::{self, Read};
use std::path::Path;

use ordered_core::explain::size;
use ordered_core::protocol::Verb;

use super::effect::Removal;
use super::operate::Plan;
use crate::args::Edit;
use crate::failure::Failure;
use crate::session::Session;

pub(crate) async fn run(session: &Session, command: &Edit) -> Result<(), Failure> {
    let is_piped = command.payload == Path::new("-");
    if is_piped && !command.acting.yes && !command.acting.dry_run {
        return Err(Failure::Usage(
            "with `--payload -` the standard input is the new body, and cannot answer: add --yes, or --dry-run".into(),
        ));
    }
    let body = read(&command.payload, is_piped)?;
    let plan = Plan::new(session, &command.key, &command.acting).await?;
    let verb = Verb::Edit {
        seq: command.seq,
        body: body.clone().into(),
    };
    let deed = plan.look(&verb, Removal::PutAside).await?;
    let now = session
        .admin
        .event(&plan.group, &command.key, command.seq)
        .await?;
    let before = now.map_or(Vec::new(), |event| event.body.to_vec());
    let note = format!(
        "give seq {} a body of {} for one of {}{}",
        command.seq,
        size(body.len() as u64),
        size(before.len() as u64),
        doubt(&before, &body)
    );
    plan.ask_and_carry_out(&verb, deed.with_note(note)).await
}

fn read(path: &Path, is_piped: bool) -> Result<Vec<u8>, Failure> {
    if is_piped {
        let mut body = Vec::new();
        let read = io::stdin().read_to_end(&mut body);
        return read
            .map(|_| body)
            .map_err(|error| Failure::File(format!("the standard input cannot be read: {error}")));
    }
    fs::read(path)
        .map_err(|error| Failure::File(format!("{} cannot be read: {error}", path.display())))
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
