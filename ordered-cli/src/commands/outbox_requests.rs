//! What the outbox was asked for of a key, and what its relay answered.

use ordered_core::internal::readable::printable;
use ordered_postgres::connect;
use ordered_postgres::repair::{self, RepairStatus};
use serde::Serialize;

use super::outbox::span;
use crate::args::Explain;

/// Of how many requests about a key the group's latest is looked for.
const REQUESTS: u32 = 100;

/// The outbox as far as it could be asked.
#[derive(Serialize)]
pub(super) struct OutboxRequests {
    /// The group's latest request about the key.
    request: Option<Request>,
    /// Why the outbox could not be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Serialize)]
struct Request {
    from: u64,
    to: u64,
    by: String,
    asked_ms_ago: u128,
    answered_ms_ago: Option<u128>,
    resent: i64,
    pending: i64,
    removed: i64,
    missing: i64,
    #[serde(skip)]
    text: String,
}

/// Asks the outbox, where it is named. That it cannot be reached is told beside the rest.
pub(super) async fn find(command: &Explain, group: &str) -> Option<OutboxRequests> {
    let url = command.outbox.as_deref()?;
    let asked = async {
        let client = connect(url).await?;
        repair::requests(&client, &command.key, REQUESTS).await
    };
    Some(match asked.await {
        Ok(requests) => OutboxRequests {
            request: requests
                .iter()
                .find(|status| status.request.group == group)
                .map(Request::from),
            error: None,
        },
        Err(error) => OutboxRequests {
            request: None,
            error: Some(error.to_string()),
        },
    })
}

impl OutboxRequests {
    pub(super) fn text(&self, key: &str) -> String {
        match (&self.error, &self.request) {
            (Some(error), _) => format!("The outbox could not be asked: {}.", printable(error)),
            (None, Some(request)) => request.text.clone(),
            (None, None) => format!(
                "No worker of the group has asked the outbox for events of {}.",
                printable(key)
            ),
        }
    }
}

impl From<&RepairStatus> for Request {
    fn from(status: &RepairStatus) -> Self {
        let (from, to) = (status.request.from.get(), status.request.to.get());
        Self {
            from,
            to,
            by: status.request.by.clone(),
            asked_ms_ago: status.asked.as_millis(),
            answered_ms_ago: status.answered.map(|answered| answered.as_millis()),
            resent: status.resent,
            pending: status.pending,
            removed: status.removed,
            missing: status.missing,
            text: text(status, from, to),
        }
    }
}

fn text(status: &RepairStatus, from: u64, to: u64) -> String {
    let seqs = if from == to {
        from.to_string()
    } else {
        format!("{from} to {to}")
    };
    let asked = format!(
        "Worker {} asked the outbox for seq {seqs} {} ago",
        printable(&status.request.by),
        span(status.asked)
    );
    let Some(answered) = status.answered else {
        return format!(
            "{asked}, and no relay has answered yet: `ordered outbox status` says which relays there are."
        );
    };
    let parts = [
        (status.resent, "published again"),
        (status.pending, "not published yet, and come by themselves"),
        (
            status.removed,
            "removed after the retention, and cannot be published again",
        ),
        (
            status.missing,
            "never staged, and declared to never come (a gap-fill)",
        ),
    ];
    let counts: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    format!(
        "{asked}. The relay answered {} ago: {}.",
        span(answered),
        counts.join("; ")
    )
}
