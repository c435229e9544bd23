//! How far keys are, from the inbox of their handlers.

use std::io::{self, Write};

use futures_util::TryStreamExt;
use ordered_core::admin::Position;
use ordered_core::internal::readable::grouped;
use ordered_postgres::{PostgresError, PostgresErrorKind, inbox};

use crate::failure::Failure;
use crate::session::Session;

/// What `ordered_progress` says of the group that was named.
pub(super) async fn positions(session: &Session, url: &str) -> Result<Vec<Position>, Failure> {
    let Some(group) = &session.named else {
        return Err(Failure::Usage(
            "with --from-postgres the group must be named: add --group".into(),
        ));
    };
    let found: Vec<inbox::Position> = inbox::positions(url, group)
        .await
        .map_err(failure)?
        .try_collect()
        .await
        .map_err(failure)?;
    if found.is_empty() {
        return Err(Failure::refused(format!(
            "`ordered_progress` has no row of the group {group:?}: look at --group and at the address of the database"
        )));
    }
    warn_of_skipped(&found)?;
    let position = |position: inbox::Position| Position {
        key: position.key().clone(),
        // Of the first numbering it need not be said.
        epoch: (position.epoch() > 0).then_some(position.epoch()),
        last_seq: position.last_seq(),
    };
    Ok(found.into_iter().map(position).collect())
}

/// What lies behind a position without having been applied is not run again.
fn warn_of_skipped(positions: &[inbox::Position]) -> Result<(), Failure> {
    let skipped = |position: &inbox::Position| {
        let ranges = position.skipped().iter();
        ranges
            .map(|seqs| seqs.end() - seqs.start() + 1)
            .sum::<u64>()
    };
    let keys = positions.iter().filter(|one| skipped(one) > 0).count();
    if keys == 0 {
        return Ok(());
    }
    let events: u64 = positions.iter().map(skipped).sum();
    writeln!(
        io::stderr(),
        "{} events of {} keys lie before their positions and were never applied in this database: they were skipped, \
         dead-lettered, or came before the inbox (column `skipped` of `ordered_progress`)",
        grouped(events),
        grouped(keys as u64)
    )
    .map_err(Failure::Output)
}

fn failure(error: PostgresError) -> Failure {
    let text = format!("Postgres: {error}");
    match error.kind() {
        PostgresErrorKind::Invalid => Failure::Usage(text),
        kind if kind.is_transient() => Failure::File(text),
        _ => Failure::Refused(text),
    }
}
