//! What is known of one key, for a person.

use ordered_core::event::Key;
use ordered_core::protocol::KeyView;
use ordered_core::store::{Group, StoreError, bucket_of};

use crate::answer::Answer;
use crate::script::INSPECT;
use crate::shared::{Shared, number, text};

/// How many held events one call reads. A key with more is read in several, and may change in between.
const PAGE: usize = 1_000;

pub(crate) async fn inspect(
    shared: &Shared,
    group: &Group,
    key: &Key,
) -> Result<Option<KeyView>, StoreError> {
    let bucket = bucket_of(key.as_str(), shared.buckets);
    let mut view: Option<KeyView> = None;
    loop {
        let last = view.as_ref().and_then(|view| view.held.last());
        let arguments = vec![
            text(key.as_str()),
            number(last.map_or(0, |held| held.seq)),
            number(PAGE as u64),
            number(shared.given_time()),
        ];
        let call = shared.call(&INSPECT, group, bucket, arguments);
        let mut answer = Answer::new(shared.run_one(call).await?)?;
        if answer.is_empty() {
            return Ok(view);
        }
        let latest = answer.view()?;
        let page = answer.held()?;
        let is_last = page.len() < PAGE;
        view.get_or_insert(latest).held.extend(page);
        if is_last {
            return Ok(view);
        }
    }
}
