use std::time::Duration;

use ordered_core::admin::{EventsBefore, Pace};
use ordered_core::event::Seq;
use ordered_core::explain::{Explanation, KeyStatus, explain, explain_before};
use ordered_core::internal::readable::{printable, shell_word};
use ordered_core::protocol::KeyView;
use ordered_core::store::Group;
use serde::Serialize;
use tokio::time::sleep;

use super::broker_dead::{FoundLetters, find};
use super::broker_letters::{Line, reason};
#[cfg(feature = "postgres")]
use super::outbox_requests::{self, OutboxRequests};
use crate::args::{Explain, LetterFilter};
use crate::failure::Failure;
use crate::output::Report;
use crate::session::Session;
use crate::watch::show;

/// For how long the pace of a key is measured.
const SAMPLE: Duration = Duration::from_secs(1);

/// At how many dead letters of the key it looks, and how many it names.
const LETTERS: usize = 100;
const NAMED: usize = 5;

#[derive(Serialize)]
struct Document<'a> {
    explanation: &'a Explanation,
    /// All that the store tells of the key; nothing of one that was never seen.
    key: Option<&'a KeyView>,
    /// What stands before the event that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<&'a EventsBefore>,
    /// What the broker has of the key among its dead letters, if it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    broker: Option<AtBroker<'a>>,
    /// What the outbox was asked for of the key, if it was named.
    #[cfg(feature = "postgres")]
    #[serde(skip_serializing_if = "Option::is_none")]
    outbox: Option<&'a OutboxRequests>,
}

#[derive(Serialize)]
struct AtBroker<'a> {
    queue: &'a str,
    letters: Vec<Line<'a>>,
}

pub(crate) async fn run(session: &Session, command: &Explain) -> Result<(), Failure> {
    show(&command.view_args, async || {
        let group = session.group().await?;
        let workers = session.admin.workers(&group).await?.workers;
        let view = session.admin.inspect(&group, &command.key).await?;
        let key = command.key.as_str();
        let explanation = explain(key, view.as_ref(), &group, Some(&workers));
        let before = match command.seq {
            Some(seq) => before(session, &group, command, seq, explanation.status).await?,
            None => None,
        };
        let found = at_broker(command).await?;
        let broker = found.as_ref().map(|found| AtBroker {
            queue: &found.queue,
            letters: found.lines(),
        });
        #[cfg(feature = "postgres")]
        let outbox = outbox_requests::find(command, group.name()).await;
        let document = Document {
            explanation: &explanation,
            key: view.as_ref(),
            before: before.as_ref(),
            broker,
            #[cfg(feature = "postgres")]
            outbox: outbox.as_ref(),
        };
        let mut paragraphs = Vec::new();
        paragraphs.extend(before.as_ref().map(|before| explain_before(key, before)));
        paragraphs.push(explanation.text.clone());
        #[cfg(feature = "postgres")]
        paragraphs.extend(outbox.as_ref().map(|outbox| outbox.text(key)));
        paragraphs.extend(found.as_ref().map(|found| of_broker(key, found)));
        Report::new(&document, paragraphs.join("\n\n"))
    })
    .await
}

/// What the broker has of the key among its dead letters, where the broker is named.
async fn at_broker(command: &Explain) -> Result<Option<FoundLetters>, Failure> {
    if !command.broker.is_given() {
        return Ok(None);
    }
    let filter = LetterFilter {
        reason: None,
        error: None,
        like: Some(command.key.to_string()),
    };
    find(&command.broker, &filter, LETTERS).await.map(Some)
}

fn of_broker(key: &str, found: &FoundLetters) -> String {
    let (queue, key, word) = (printable(&found.queue), printable(key), shell_word(key));
    if found.letters.is_empty() {
        return format!("None of the broker's dead letters in `{queue}` has {key} in it.");
    }
    let named = found.letters.iter().take(NAMED).map(|(number, letter)| {
        let text = letter.text.as_deref().unwrap_or_default();
        format!(
            "number {number} ({}: {})",
            printable(reason(letter)),
            printable(text)
        )
    });
    let named: Vec<String> = named.collect();
    let more = if found.letters.len() > named.len() {
        "; …"
    } else {
        ""
    };
    format!(
        "Of the broker's dead letters in `{queue}` these have {key} in them: {}{more}. To send them again does not \
         help. Once their cause is fixed, `ordered redrive --key {word}` puts them back.",
        named.join("; ")
    )
}

/// What stands before an event. The pace of a key that goes is measured: what is noted of it may be hours old.
async fn before(
    session: &Session,
    group: &Group,
    command: &Explain,
    seq: Seq,
    status: KeyStatus,
) -> Result<Option<EventsBefore>, Failure> {
    let ask = async || session.admin.before(group, &command.key, seq).await;
    let Some(first) = ask().await? else {
        return Ok(None);
    };
    let goes = matches!(status, KeyStatus::Running | KeyStatus::Ready);
    if !goes || first.events == 0 {
        return Ok(Some(first));
    }
    sleep(SAMPLE).await;
    let Some(mut second) = ask().await? else {
        return Ok(Some(first));
    };
    let events = second.last_seq.saturating_sub(first.last_seq);
    if events > 0 {
        second.pace = Some(Pace {
            events,
            millis: second.now.saturating_sub(first.now).max(1),
        });
    }
    Ok(Some(second))
}
