use bytes::Bytes;
use ordered_core::event::Key;
use ordered_core::protocol::DeadCause;
use ordered_core::store::{Aside, Group, Place, Shelf, StoreError, StoredEvent};

use super::{RedisStore, number, text};
use crate::answer::{Answer, misshaped};
use crate::script::STORED;

impl RedisStore {
    pub(super) async fn page_of_stored(
        &self,
        group: &Group,
        key: &Key,
        shelf: Shelf,
        after: Option<Place>,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let (epoch, seq) = after.map_or((0, 0), |(epoch, seq)| (epoch, seq + 1));
        let arguments: Vec<Bytes> = vec![
            text(key.as_str()),
            number(u64::from(shelf == Shelf::Dead)),
            number(epoch),
            number(seq),
            number(StoredEvent::MOST as u64),
            number(StoredEvent::BYTES),
        ];
        let mut answer = self.call_of(&STORED, group, key, arguments).await?;
        let mut events = Vec::new();
        while !answer.is_empty() {
            events.push(event(&mut answer, shelf)?);
        }
        Ok(events)
    }
}

fn event(answer: &mut Answer, shelf: Shelf) -> Result<StoredEvent, StoreError> {
    Ok(StoredEvent {
        place: (answer.number()?, answer.number()?),
        id: answer.id()?.as_str().to_owned(),
        since: answer.number()?,
        envelope: answer.envelope()?,
        aside: match shelf {
            Shelf::Held => None,
            Shelf::Dead => Some(Aside {
                cause: cause(answer)?,
                error: answer.text()?,
                attempts: answer.small()?,
                replay: answer.flag()?,
            }),
        },
    })
}

pub(crate) fn cause(answer: &mut Answer) -> Result<DeadCause, StoreError> {
    Ok(match answer.number()? {
        1 => DeadCause::Failed,
        2 => DeadCause::Skipped,
        3 => DeadCause::Discarded,
        4 => DeadCause::Superseded,
        _ => return Err(misshaped("cause")),
    })
}
