//! What is recorded of a group as a whole.

use ordered_core::store::{Group, StoreError};
use redis::cmd;

use crate::answer::Answer;
use crate::shared::Shared;

/// How the names and values of this version are laid out in Redis. Another number is another version's.
const LAYOUT: &str = "1";

/// Records the number of buckets at the first use of a group, and refuses another one from then on.
pub(crate) async fn agree(shared: &Shared, group: &Group) -> Result<(), StoreError> {
    let name = shared.names.meta(group);
    let ours = shared.buckets.to_string();
    for (field, value) in [("buckets", ours.as_str()), ("layout", LAYOUT)] {
        let mut record = cmd("HSETNX");
        record.arg(&name).arg(field).arg(value);
        shared.ask(record).await?;
    }
    let mut read = cmd("HMGET");
    read.arg(&name).arg("buckets").arg("layout");
    let mut answer = Answer::new(shared.ask(read).await?)?;
    let (buckets, layout) = (answer.text()?, answer.text()?);
    if layout != LAYOUT {
        return Err(StoreError::refused(format!(
            "the group `{}` was written to Redis by another version of this store (layout {layout}, and this is \
             {LAYOUT}): run the same version in all workers",
            group.name()
        )));
    }
    if buckets != ours {
        return Err(StoreError::refused(format!(
            "the group `{}` is spread over {buckets} buckets in Redis, and this worker is set to {ours}: set \
             `.buckets({buckets})`, or use another group",
            group.name()
        )));
    }
    Ok(())
}
