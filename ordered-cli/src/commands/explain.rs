use std::time::Duration;

use ordered_core::admin::{Before, Pace};
use ordered_core::event::Seq;
use ordered_core::explain::{Explanation, Standing, explain, explain_before};
use ordered_core::protocol::KeyView;
use ordered_core::store::Group;
use serde::Serialize;
use tokio::time::sleep;

use crate::args::Explain;
use crate::failure::Failure;
use crate::output::Report;
use crate::session::Session;
use crate::watch::show;

/// For how long the pace of a key is measured.
const SAMPLE: Duration = Duration::from_secs(1);

#[derive(Serialize)]
struct Document<'a> {
    explanation: &'a Explanation,
    /// All that the store tells of the key; nothing of one that was never seen.
    key: Option<&'a KeyView>,
    /// What stands before the event that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<&'a Before>,
}

pub(crate) async fn run(session: &Session, command: &Explain) -> Result<(), Failure> {
    show(&command.viewing, async || {
        let group = session.group().await?;
        let workers = session.admin.workers(&group).await?.workers;
        let view = session.admin.inspect(&group, &command.key).await?;
        let key = command.key.as_str();
        let explanation = explain(key, view.as_ref(), &group, Some(&workers));
        let before = match command.seq {
            Some(seq) => before(session, &group, command, seq, explanation.standing).await?,
            None => None,
        };
        let document = Document {
            explanation: &explanation,
            key: view.as_ref(),
            before: before.as_ref(),
        };
        let text = match &before {
            Some(before) => format!("{}\n\n{}", explain_before(key, before), explanation.text),
            None => explanation.text.clone(),
        };
        Report::new(&document, text)
    })
    .await
}

/// What stands before an event. The pace of a key that goes is measured: what is noted of it may be hours old.
async fn before(
    session: &Session,
    group: &Group,
    command: &Explain,
    seq: Seq,
    standing: Standing,
) -> Result<Option<Before>, Failure> {
    let ask = async || session.admin.before(group, &command.key, seq).await;
    let Some(first) = ask().await? else {
        return Ok(None);
    };
    let goes = matches!(standing, Standing::Running | Standing::Ready);
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
