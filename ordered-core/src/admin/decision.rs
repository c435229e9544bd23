use bytes::Bytes;

use super::bulk::TaskOutcome;
use super::{Admin, unreadable};
use crate::event::Key;
use crate::protocol::{Effect, Fence, Millis, Refusal, Verb, WorkerId};
use crate::protocol::{KeyState, Transition, stored_event};
use crate::store::{Change, Letter, ListingChange, Save, Slot};
use crate::store::{Group, StoreError};

/// What a verb is decided on.
#[derive(Debug)]
pub(super) struct DecisionInput<'a> {
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
        input: DecisionInput<'_>,
        verb: &Verb,
    ) -> Result<Decision, StoreError> {
        let slot = match verb {
            Verb::Edit { seq, .. } => input.slot_to_edit(group, key, seq.get())?,
            _ => None,
        };
        let letter = match slot {
            Some(slot) => {
                let letters = self.store.letters(group, key, &[slot]).await?;
                letters.into_iter().next().flatten()
            }
            None => None,
        };
        let refused = match (verb, &letter) {
            (Verb::Edit { seq, body }, Some(letter)) => {
                other_event(group, (key, seq.get()), letter, body)
            }
            _ => None,
        };
        let verbs: &[Verb] = if refused.is_some() {
            &[]
        } else {
            std::slice::from_ref(verb)
        };
        let mut decision = decide(group, key, &input, verbs, letter.as_ref())?;
        if let Some(refusal) = refused {
            decision.outcome = Err(refusal);
        }
        Ok(decision)
    }
}

/// Whether an event would be another one with this body, as far as that can be known without its handler.
fn other_event(
    group: &Group,
    (key, seq): (&Key, u64),
    letter: &Letter,
    body: &Bytes,
) -> Option<Refusal> {
    let places = group.places()?;
    let before = stored_event(letter).ok()?;
    let mut after = before.clone();
    after.body = body.clone();
    let whole = after.forget_excerpt();
    let id = whole.as_ref().unwrap_or(&letter.id);
    places.contradiction((key, seq, id), &before, &after)
}

/// Takes in what has happened to the key, and decides the verbs one after the other, all for one save. It is refused
/// only where each of them is; `letter` is that of an event which is edited.
pub(super) fn decide(
    group: &Group,
    key: &Key,
    input: &DecisionInput<'_>,
    verbs: &[Verb],
    letter: Option<&Letter>,
) -> Result<Decision, StoreError> {
    let (before, policy) = (input.state(group, key)?, group.policy());
    let mut state = before.clone();
    let mut transition = Transition::new(&mut state, policy, input.now);
    input.take_in(&mut transition);
    let mut outcome: Result<Effect, Refusal> = Err(Refusal::NoSuchEvent);
    for verb in verbs {
        outcome = match (outcome, transition.operate(verb, letter)) {
            (Ok(before), Ok(next)) => Ok(before.and_then(next)),
            (Ok(before), Err(_)) => Ok(before),
            (Err(_), next) => next,
        };
    }
    if let Ok(effect) = &mut outcome
        && input.group_paused
    {
        effect.released.clear();
    }
    let changes = transition.changes;
    Ok(Decision {
        changed: outcome.is_ok() || state != before,
        outcome,
        state,
        changes,
        taken: input.mail.len(),
    })
}

impl DecisionInput<'_> {
    fn state(&self, group: &Group, key: &Key) -> Result<KeyState, StoreError> {
        match self.body {
            Some(body) => {
                KeyState::decode(body, self.body_fence).map_err(|error| unreadable(key, &error))
            }
            None => Ok(KeyState::new(group.policy().first_seq)),
        }
    }

    /// The slot of the event that is to be edited.
    fn slot_to_edit(&self, group: &Group, key: &Key, seq: u64) -> Result<Option<Slot>, StoreError> {
        let mut state = self.state(group, key)?;
        let mut transition = Transition::new(&mut state, group.policy(), self.now);
        self.take_in(&mut transition);
        Ok(transition.slot_to_edit(seq))
    }

    /// What every new owner does first.
    fn take_in(&self, transition: &mut Transition<'_>) {
        transition.take_mail(self.mail);
        match self.died {
            Some(worker) if !worker.is_operator() => transition.owner_died(worker.as_str()),
            _ => transition.cancel_trial(),
        }
        transition.wake();
        transition.watch_gap(false);
        transition.end_gap_as_operator();
        transition.watch_gap(false);
    }
}

impl Decision {
    pub(super) fn task_outcome(&self) -> TaskOutcome {
        match &self.outcome {
            Ok(effect) => TaskOutcome::Done(effect.clone()),
            Err(refusal) => TaskOutcome::Refused(*refusal),
        }
    }

    /// It was saved before. What is left to save is the mail that has come since.
    pub(super) fn saved_before(&mut self, group: &Group, mail: &[u64], now: Millis) {
        let mut transition = Transition::new(&mut self.state, group.policy(), now);
        transition.take_mail(mail);
        transition.watch_gap(false);
        self.changes = std::mem::take(&mut transition.changes);
        self.changed = true;
        self.taken = mail.len();
    }

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
