use super::Admin;
use crate::admin::StoredEvent;
use crate::event::Key;
use crate::store::{Group, StoreError};
use crate::store::{Letter, Slot};

/// How many slots are asked about at a time.
const SLOTS: usize = 1_000;

impl Admin {
    /// The sizes of what is in the slots; empty slots are left out.
    pub(super) async fn sizes(
        &self,
        group: &Group,
        key: &Key,
        slots: &[Slot],
    ) -> Result<Vec<(Slot, u64)>, StoreError> {
        let mut sized = Vec::with_capacity(slots.len());
        for slots in slots.chunks(SLOTS) {
            let sizes = self.store.sizes(group, key, slots).await?;
            let pairs = slots.iter().copied().zip(sizes);
            sized.extend(pairs.filter_map(|(slot, size)| Some((slot, size?))));
        }
        Ok(sized)
    }

    /// Reads the letters in pages, and keeps of each what `view` makes of it. What has left its slot meanwhile is left
    /// out.
    pub(super) async fn read<T>(
        &self,
        group: &Group,
        key: &Key,
        mut sized: &[(Slot, u64)],
        view: impl Fn(Slot, u64, &Letter) -> T,
    ) -> Result<Vec<T>, StoreError> {
        let mut views = Vec::with_capacity(sized.len());
        while !sized.is_empty() {
            let (page, rest) = sized.split_at(page_length(sized));
            let slots: Vec<Slot> = page.iter().map(|(slot, _)| *slot).collect();
            let letters = self.store.letters(group, key, &slots).await?;
            for ((slot, size), letter) in page.iter().zip(letters) {
                views.extend(letter.map(|letter| view(*slot, *size, &letter)));
            }
            sized = rest;
        }
        Ok(views)
    }
}

/// How many of the letters are read at once: at least one, at most [`StoredEvent::MAX_PER_PAGE`], and no more after
/// [`StoredEvent::MAX_PAGE_BYTES`].
pub(super) fn page_length(sized: &[(Slot, u64)]) -> usize {
    let mut bytes = 0_u64;
    let has_room = |(_, size): &&(Slot, u64)| {
        let room = bytes < StoredEvent::MAX_PAGE_BYTES;
        bytes = bytes.saturating_add(*size);
        room
    };
    sized
        .iter()
        .take(StoredEvent::MAX_PER_PAGE)
        .take_while(has_room)
        .count()
}
