use super::bulk::{Bulk, KeyTask};
use super::{Admin, OperateOptions, state_of};
use crate::event::Key;
use crate::protocol::Verb;
use crate::store::{Group, KeyIndex, Operator, StoreError};

/// How far a key is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The key.
    pub key: Key,
    /// How often its numbering was started over. Where it is left out, the seq belongs to the present numbering.
    pub epoch: Option<u64>,
    /// The last seq that is done.
    pub last_seq: u64,
}

impl Admin {
    /// Sets how far these keys are, as another system has them: each goes on behind its `last_seq`. Positions only go
    /// upwards: a key that is there is refused with [`Refusal::Already`](crate::protocol::Refusal::Already), and one
    /// that is further with [`Refusal::NotAhead`](crate::protocol::Refusal::NotAhead), so that repeating it is
    /// harmless. What was held of a key up to its position becomes dead letters. Each key may be named once.
    ///
    /// The work begins with [`Bulk::advance`], and the audit log has one entry for each batch.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn import_positions<'a>(
        &'a self,
        group: &'a Group,
        positions: Vec<Position>,
        operator: &'a Operator,
        options: OperateOptions,
    ) -> Result<Bulk<'a>, StoreError> {
        let task = |position: Position| KeyTask {
            key: position.key,
            verbs: vec![Verb::Import {
                epoch: position.epoch,
                last: position.last_seq,
            }],
        };
        let tasks = positions.into_iter().map(task).collect();
        let bulk = self.bulk(group, tasks, operator, options).await?;
        Ok(bulk.summarised("import"))
    }

    /// How far some of the keys are. Begin without a cursor, and go on with the one that is returned until that is
    /// `None`. A key may be on two pages if it changes meanwhile. Keys of which nothing is done are left out.
    ///
    /// # Errors
    /// When the store is unavailable, or the state of a key cannot be read.
    pub async fn positions(
        &self,
        group: &Group,
        cursor: Option<String>,
    ) -> Result<(Vec<Position>, Option<String>), StoreError> {
        let page = self.store.page(group, KeyIndex::All, cursor).await?;
        let first = group.policy().first_seq;
        let mut positions = Vec::with_capacity(page.records.len());
        for record in page.records {
            let state =
                state_of(group, &record).map_err(|error| super::unreadable(&record.key, &error))?;
            if state.head() > first {
                positions.push(Position {
                    key: record.key,
                    epoch: (state.epoch > 0).then_some(state.epoch),
                    last_seq: state.last_seq,
                });
            }
        }
        Ok((positions, page.cursor))
    }
}
