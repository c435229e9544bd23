use ordered_core::explain::{Explanation, explain};
use ordered_core::protocol::KeyView;
use serde::Serialize;

use crate::args::Explain;
use crate::failure::Failure;
use crate::output::Report;
use crate::session::Session;
use crate::watch::show;

#[derive(Serialize)]
struct Document<'a> {
    explanation: &'a Explanation,
    /// All that the store tells of the key; nothing of one that was never seen.
    key: Option<&'a KeyView>,
}

pub(crate) async fn run(session: &Session, command: &Explain) -> Result<(), Failure> {
    show(&command.viewing, async || {
        let group = session.group().await?;
        let workers = session.admin.workers(&group).await?.workers;
        let view = session.admin.inspect(&group, &command.key).await?;
        let key = command.key.as_str();
        let explanation = explain(key, view.as_ref(), &group, Some(&workers));
        let document = Document {
            explanation: &explanation,
            key: view.as_ref(),
        };
        Report::new(&document, explanation.text.as_str())
    })
    .await
}
