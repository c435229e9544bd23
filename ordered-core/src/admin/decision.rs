use bytes::Bytes;

use super::{Admin, unreadable};
use crate::event::Key;
use crate::protocol::{Effect, Fence, Millis, Refusal, Verb, WorkerId};
use crate::protocol::{KeyState, Transition};
use crate::store::{Change, ListingChange, Save};
use crate::store::{Group, StoreError};

/// What a verb is decided on.
#[derive(Debug)]
pub(super) struct Situation<'a> {
    pub(super) body: Option<&'a Bytes>,
    pub(super) body_fence: Fence,
    pub(super) mail: &'a [u64],
    /// The owner that died with the key.
    pub(super) died: Option<&'a WorkerId>,
    pub(super) now: Millis,
    pub(super) group_paused: bool,
}

/// What was decided, and what is to be saved.
#[derive(Debug)]
pub(super) struct Decision {
    pub(super) outcome: Result<Effect, Refusal>,
    pub(super) state: KeyState,
    changes: Vec<Change>,
    /// Whether the body is to be written.
    changed: bool,
    /// How much mail the state accounts for.
    taken: usize,
}

impl Admin {
    /// Takes in what has happened to the key, and decides the verb.
    pub(super) async fn decide(
        &self,
        group: &Group,
        key: &Key,
        situation: Situation<'_>,
        verb: &Verb,
    ) -> Result<Decision, StoreError> {
        let (before, policy) = (situation.state(group, key)?, group.policy());
        let mut state = before.clone();
        let mut transition = Transition::new(&mut state, policy, situation.now);
        situation.take_in(&mut transition);
        let slot = match verb {
            Verb::Edit { seq, .. } => transition.slot_to_edit(seq.get()),
            _ => None,
        };
        let letter = match slot {
            Some(slot) => {
                let letters = self.store.letters(group, key, &[slot]).await?;
                letters.into_iter().next().flatten()
            }
            None => None,
        };
        let mut outcome = transition.operate(verb, letter.as_ref());
        if let Ok(effect) = &mut outcome
            && situation.group_paused
        {
            effect.released.clear();
        }
        let changes = transition.changes;
        Ok(Decision {
            changed: outcome.is_ok() || state != before,
            outcome,
            state,
            changes,
            taken: situation.mail.len(),
        })
    }
}

impl Situation<'_> {
    fn state(&self, group: &Group, key: &Key) -> Result<KeyState, StoreError> {
        match self.body {
            Some(body) => {
                KeyState::decode(body, self.body_fence).map_err(|error| unreadable(key, &error))
            }
            None => Ok(KeyState::new(group.policy().first_seq)),
        }
    }

    /// What every new owner does first.
    fn take_in(&self, transition: &mut Transition<'_>) {
        for seq in self.mail {
            transition.posted(*seq);
        }
        match self.died {
            Some(worker) if !worker.is_operator() => transition.owner_died(worker.as_str()),
            _ => transition.cancel_trial(),
        }
        transition.wake();
        transition.watch_gap(false);
        transition.end_gap_if_over("operator");
        transition.watch_gap(false);
    }
}

impl Decision {
    /// The request that saves it, and gives the key up.
    pub(super) fn save(&self, group: &Group, key: &Key, fence: Fence, now: Millis) -> Save {
        let mut save = release(&self.state, group, key, fence, now);
        save.changes.clone_from(&self.changes);
        save.taken = self.taken;
        if !self.changed {
            save.body = None;
        }
        save
    }
}

/// The request that saves a state, and gives the key up. It lists the key anew, wherever it is listed now.
pub(super) fn release(
    state: &KeyState,
    group: &Group,
    key: &Key,
    fence: Fence,
    now: Millis,
) -> Save {
    let mut save = Save::new(key.clone(), fence);
    let listing = state.listing(group.policy(), crate::store::Listing::default(), now);
    save.listing = ListingChange {
        due: Some(listing.due),
        gap: Some(listing.gap),
        halted: Some(listing.halted),
    };
    save.body = Some(state.encode(fence));
    save.release = true;
    save
}
