//! What an onlooker knows who sees every save: which events were committed, and how.

use std::collections::{HashMap, HashSet};

use super::scenario::What;
use crate::event::{EventId, Key};
use crate::protocol::KeyState;
use crate::protocol::{GapPolicy, Policy};
use crate::store::{Record, Save};
use crate::worker::Control;

/// An event by its place.
pub(super) type Place = (Key, u64, u64);

/// What happened to the events, as the saves say.
#[derive(Default)]
pub(super) struct Ghost {
    /// The ids that were published for each place.
    ids: HashMap<Place, Vec<EventId>>,
    /// What may be passed over because a producer or an operator said so.
    pub(super) may_skip: HashSet<Place>,
    /// What was committed, with the id.
    pub(super) committed: HashMap<Place, EventId>,
    /// What was skipped.
    pub(super) skipped: HashSet<Place>,
    /// What was dead-lettered in the store.
    pub(super) dead: HashSet<Place>,
    /// The ids that were ever remembered, by key.
    pub(super) remembered: HashSet<(Key, EventId)>,
    /// The runs that ended well, by worker.
    pub(super) handled: HashSet<(String, Key, EventId)>,
    /// Ids of events that an operator took away.
    pub(super) taken_away: HashSet<(Key, EventId)>,
    /// The state was lost at some time.
    pub(super) lost: bool,
}

/// A save that was accepted.
pub(super) struct Accepted<'a> {
    pub(super) worker: &'a str,
    pub(super) save: &'a Save,
    pub(super) before: KeyState,
    pub(super) after: KeyState,
    pub(super) policy: &'a Policy,
}

pub(super) fn state_of(record: Option<&Record>, first_seq: u64) -> KeyState {
    match record.and_then(|record| Some((record.body.as_ref()?, record.body_fence))) {
        Some((body, fence)) => KeyState::decode(body, fence).expect("it is of this version"),
        None => KeyState::new(first_seq),
    }
}

impl Ghost {
    pub(super) fn publish(&mut self, key: &Key, what: &What) {
        match what {
            What::Event { seq, epoch, id } => {
                let place = (key.clone(), epoch.unwrap_or(0), *seq);
                self.ids.entry(place).or_default().push(id.clone());
            }
            What::Control(Control::GapFill { from, to }) => {
                for epoch in 0..3 {
                    let seqs = from.get()..=to.get();
                    self.may_skip
                        .extend(seqs.map(|seq| (key.clone(), epoch, seq)));
                }
            }
            What::Control(
                Control::Reset { .. }
                | Control::Lost { .. }
                | Control::GapFillOf { .. }
                | Control::LostOf { .. }
                | Control::Clock { .. }
                | Control::Leave { .. },
            ) => {}
        }
    }

    pub(super) fn ids_at(&self, place: &Place) -> &[EventId] {
        self.ids.get(place).map_or(&[], |ids| ids)
    }

    pub(super) fn places(&self) -> impl Iterator<Item = &Place> {
        self.ids.keys()
    }

    /// Sees a save, and says what is wrong with it.
    pub(super) fn see(&mut self, seen: &Accepted<'_>) -> Result<(), String> {
        let Accepted {
            save,
            before,
            after,
            ..
        } = seen;
        let key = &save.key;
        if after.epoch < before.epoch || after.epoch == before.epoch && after.head() < before.head()
        {
            return self.unless_lost(format!("the key went back: {before:?} to {after:?}"));
        }
        if seen.worker.starts_with("operator:") {
            let discarded = after.absent.iter();
            self.may_skip
                .extend(discarded.map(|seq| (key.clone(), after.epoch, seq)));
        }
        let epoch = before.epoch;
        let mut seq = before.head();
        loop {
            let place = (key.clone(), epoch, seq);
            let ids = self.ids_at(&place).to_vec();
            let id = ids.iter().find(|id| save.remember.contains(id)).cloned();
            let is_past = epoch < after.epoch || !after.is_past(seq);
            if is_past && (epoch == after.epoch || id.is_none()) {
                break;
            }
            let is_dead = |state: &KeyState| {
                let seqs = state.dead.get(&epoch);
                seqs.is_some_and(|seqs| seqs.contains(seq))
            };
            match id {
                _ if is_dead(after) && !is_dead(before) => drop(self.dead.insert(place)),
                Some(id) => self.commit(seen, place, id)?,
                None => self.skip(seen, place)?,
            }
            seq += 1;
        }
        for (dead_epoch, seq) in after.dead_letters() {
            self.dead.insert((key.clone(), dead_epoch, seq));
        }
        for id in &save.remember {
            self.remembered.insert((key.clone(), id.clone()));
        }
        Ok(())
    }

    fn commit(&mut self, seen: &Accepted<'_>, place: Place, id: EventId) -> Result<(), String> {
        let key = &place.0;
        let handled = (seen.worker.to_owned(), key.clone(), id.clone());
        let is_repeat = self.remembered.contains(&(key.clone(), id.clone()));
        if !self.handled.contains(&handled) && !is_repeat {
            self.unless_lost(format!("{place:?} is committed and was not handled"))?;
        }
        if let Some(before) = self.committed.insert(place.clone(), id) {
            self.unless_lost(format!("{place:?} is committed again, before as {before}"))?;
        }
        Ok(())
    }

    fn skip(&mut self, seen: &Accepted<'_>, place: Place) -> Result<(), String> {
        let may = self.may_skip.contains(&place)
            || matches!(seen.policy.on_gap, GapPolicy::Skip { .. })
            || seen.worker.starts_with("operator:");
        if !may {
            self.unless_lost(format!("{place:?} is skipped"))?;
        }
        self.may_skip.insert(place.clone());
        self.skipped.insert(place);
        Ok(())
    }

    pub(super) fn unless_lost(&self, wrong: String) -> Result<(), String> {
        if self.lost { Ok(()) } else { Err(wrong) }
    }
}
