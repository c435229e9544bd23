use super::view::{is_replayed, place_of};
use super::{Admin, state_of, unreadable};
use crate::admin::{DeadLetter, EpochSeq, StoredEvent, StoredKind};
use crate::event::{Envelope, EnvelopeError, Key, Seq};
use crate::protocol::DeadCause;
use crate::protocol::{DeadNote, HeldNote, KeyState, stored_event};
use crate::store::{Group, StoreError};
use crate::store::{Letter, Slot};

impl Admin {
    /// A held event, or a dead letter, whole; of an earlier epoch of the key where this one has none.
    ///
    /// # Errors
    /// When the store is unavailable, or what it has stored cannot be read.
    pub async fn event(
        &self,
        group: &Group,
        key: &Key,
        seq: Seq,
    ) -> Result<Option<Envelope>, StoreError> {
        let Some(state) = self.state(group, key).await? else {
            return Ok(None);
        };
        let held = state
            .held
            .contains(seq.get())
            .then_some(Slot::Held(seq.get()));
        let dead = || {
            let epochs = state
                .dead
                .iter()
                .rev()
                .filter(|(_, seqs)| seqs.contains(seq.get()));
            let mut slots = epochs.map(|(epoch, _)| Slot::Dead {
                epoch: *epoch,
                seq: seq.get(),
            });
            slots.next()
        };
        let Some(slot) = held.or_else(dead) else {
            return Ok(None);
        };
        let letters = self.store.letters(group, key, &[slot]).await?;
        let letter = letters.into_iter().next().flatten();
        let event = letter.map(|letter| stored_event(&letter)).transpose();
        event.map_err(|error| damaged(key, slot, &error))
    }

    /// The events that are kept of a key, whole and in order: the first page of those behind the place `after`. A page
    /// has at most [`StoredEvent::MAX_PER_PAGE`] events, and ends after [`StoredEvent::MAX_PAGE_BYTES`]; an empty one
    /// is the end.
    ///
    /// # Errors
    /// When the store is unavailable, or what it has stored cannot be read.
    pub async fn stored(
        &self,
        group: &Group,
        key: &Key,
        kind: StoredKind,
        after: Option<EpochSeq>,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let Some(state) = self.state(group, key).await? else {
            return Ok(Vec::new());
        };
        let slots: Vec<Slot> = match kind {
            StoredKind::Held => state.held.iter().map(Slot::Held).collect(),
            StoredKind::Dead => {
                let slot = |(epoch, seq)| Slot::Dead { epoch, seq };
                state.dead_letters().map(slot).collect()
            }
        };
        let is_behind = |slot: &&Slot| after.is_none_or(|after| place_of(**slot) > after);
        let slots: Vec<Slot> = slots.iter().filter(is_behind).copied().collect();
        let mut rest = &slots[..];
        while !rest.is_empty() {
            let (slots, beyond) = rest.split_at(rest.len().min(StoredEvent::MAX_PER_PAGE));
            let sized = self.sizes(group, key, slots).await?;
            let page = &sized[..super::letters::page_length(&sized)];
            let event = |slot, _, letter: &Letter| stored(&state, key, slot, letter);
            let events = self.read(group, key, page, event).await?;
            if !events.is_empty() {
                return events.into_iter().collect();
            }
            // All of it is gone meanwhile. An empty page would be the end.
            rest = match page.last() {
                Some((last, _)) if page.len() < sized.len() => {
                    &rest[rest.partition_point(|slot| slot <= last)..]
                }
                _ => beyond,
            };
        }
        Ok(Vec::new())
    }

    async fn state(&self, group: &Group, key: &Key) -> Result<Option<KeyState>, StoreError> {
        let record = self.store.read(group, key).await?;
        let state = record.map(|record| state_of(group, &record)).transpose();
        state.map_err(|error| unreadable(key, &error))
    }
}

fn stored(
    state: &KeyState,
    key: &Key,
    slot: Slot,
    letter: &Letter,
) -> Result<StoredEvent, StoreError> {
    let (since, dead_letter) = match slot {
        Slot::Held(_) => (HeldNote::decode(&letter.note).since, None),
        Slot::Dead { epoch, seq } => {
            let note = DeadNote::decode(&letter.note);
            let dead_letter = DeadLetter {
                cause: note.as_ref().map_or(DeadCause::Failed, |note| note.cause),
                attempts: note.as_ref().map_or(0, |note| note.attempts),
                replay: is_replayed(state, epoch, seq),
                error: note
                    .as_ref()
                    .map(|note| note.error.clone())
                    .unwrap_or_default(),
            };
            (note.map_or(0, |note| note.at), Some(dead_letter))
        }
    };
    Ok(StoredEvent {
        place: place_of(slot),
        id: letter.id.as_str().to_owned(),
        since,
        dead_letter,
        envelope: stored_event(letter).map_err(|error| damaged(key, slot, &error))?,
    })
}

fn damaged(key: &Key, slot: Slot, error: &EnvelopeError) -> StoreError {
    let (_, seq) = place_of(slot);
    StoreError::refused(format!("key {key:?}, seq {seq}: {error}"))
}
