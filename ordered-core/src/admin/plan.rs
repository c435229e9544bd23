//! What a verb to many keys would do to each of them.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::bulk::KeyTask;
use super::decision::{DecisionInput, decide};
use super::selection::{BulkVerb, Selection, is_halted, is_in_gap, stands_since};
use super::{Admin, state_of};
use crate::event::{Key, Seq};
use crate::protocol::{DeadNote, Effect, Fence, KeyState, Millis, Phase, Refusal, Verb};
use crate::store::{Group, KeyIndex, Record, StoreError};

/// How many keys are read at a time.
const AT_A_TIME: usize = 32;

/// What a verb would do to one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedTask {
    /// What is to be done.
    pub task: KeyTask,
    /// What that would do now.
    pub effect: Effect,
}

/// What a verb to many keys would do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// To which keys what, sorted by key.
    pub tasks: Vec<PlannedTask>,
    /// The keys that were named, and to which it cannot be done.
    pub refused: Vec<(Key, Refusal)>,
    /// The keys that were named and are not known.
    pub unknown: Vec<Key>,
    /// The keys whose state cannot be read.
    pub unreadable: Vec<Key>,
    /// The limit left some keys out, or a key has more dead letters than are worked on at a time: repeat it.
    pub more: bool,
}

/// A dead letter, with what is noted beside it.
pub(super) struct DeadLetter {
    pub(super) epoch: u64,
    pub(super) seq: u64,
    pub(super) id: String,
    pub(super) note: Option<DeadNote>,
}

impl Admin {
    /// What the verb would do to the keys that are selected. Reads, and changes nothing.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn plan(
        &self,
        group: &Group,
        selection: &Selection,
        verb: BulkVerb,
    ) -> Result<Plan, StoreError> {
        let mut plan = Plan::default();
        let paused = self.store.totals(group).await?.paused;
        let records = if selection.keys.is_empty() {
            self.busy_records(group).await?
        } else {
            let (records, unknown) = self.named_records(group, &selection.keys).await?;
            plan.unknown = unknown;
            records
        };
        let mut found = Vec::new();
        for (key, record) in records {
            if !selection.names(&key) {
                continue;
            }
            match state_of(group, &record) {
                Ok(state) if selection.stands(&state) => found.push((key, record, state)),
                Ok(_) => {}
                Err(_) => plan.unreadable.push(key),
            }
        }
        let tasks = found.into_iter().map(async |(key, record, state)| {
            let verbs = self.verbs(group, selection, verb, &record, &state).await?;
            Ok::<_, StoreError>((key, record, verbs))
        });
        let mut tasks = stream::iter(tasks).buffered(AT_A_TIME);
        while let Some((key, record, (verbs, has_more))) = tasks.try_next().await? {
            if verbs.is_empty() {
                if selection.is_by_name() {
                    plan.refused.push((key, nothing_to_do(verb)));
                }
                continue;
            }
            if selection
                .limit
                .is_some_and(|limit| plan.tasks.len() >= limit)
            {
                plan.more = true;
                break;
            }
            let input = decision_input(&record, paused);
            match decide(group, &key, &input, &verbs, None)?.outcome {
                Ok(effect) => {
                    let verbs = pinned(verbs, &effect);
                    let task = KeyTask { key, verbs };
                    plan.tasks.push(PlannedTask { task, effect });
                    plan.more |= has_more;
                }
                Err(refusal) if !selection.keys.is_empty() => plan.refused.push((key, refusal)),
                // It has gone on meanwhile.
                Err(_) => {}
            }
        }
        Ok(plan)
    }

    /// The records of the keys that are not idle, or that a worker has.
    pub(super) async fn busy_records(
        &self,
        group: &Group,
    ) -> Result<BTreeMap<Key, Record>, StoreError> {
        let mut records = BTreeMap::new();
        for index in [KeyIndex::Listed, KeyIndex::Owned] {
            let mut cursor = None;
            loop {
                let page = self.store.page(group, index, cursor).await?;
                let keyed = page.records.into_iter();
                records.extend(keyed.map(|record| (record.key.clone(), record)));
                cursor = page.cursor;
                if cursor.is_none() {
                    break;
                }
            }
        }
        Ok(records)
    }

    async fn named_records(
        &self,
        group: &Group,
        keys: &[Key],
    ) -> Result<(BTreeMap<Key, Record>, Vec<Key>), StoreError> {
        let reads = keys
            .iter()
            .map(async |key| Ok::<_, StoreError>((key, self.store.read(group, key).await?)));
        let reads: Vec<_> = stream::iter(reads)
            .buffered(AT_A_TIME)
            .try_collect()
            .await?;
        let (mut records, mut unknown) = (BTreeMap::new(), Vec::new());
        for (key, record) in reads {
            match record {
                Some(record) => drop(records.insert(key.clone(), record)),
                None => unknown.push(key.clone()),
            }
        }
        Ok((records, unknown))
    }

    /// The dead letters of a key with what is noted beside them, the first of them.
    pub(super) async fn dead_letters(
        &self,
        group: &Group,
        key: &Key,
        state: &KeyState,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        let slots = state.dead_letters().take(Effect::MAX_EVENTS);
        let slot = |(epoch, seq)| crate::store::Slot::Dead { epoch, seq };
        let slots: Vec<_> = slots.map(slot).collect();
        if slots.is_empty() {
            return Ok(Vec::new());
        }
        let sized = self.sizes(group, key, &slots).await?;
        self.read(group, key, &sized, |slot, _, letter| {
            let (epoch, seq) = super::view::place_of(slot);
            DeadLetter {
                epoch,
                seq,
                id: letter.id.as_str().to_owned(),
                note: DeadNote::decode(&letter.note),
            }
        })
        .await
    }

    /// What is to be done to a key, and whether there is more of it than is done at a time.
    async fn verbs(
        &self,
        group: &Group,
        selection: &Selection,
        verb: BulkVerb,
        record: &Record,
        state: &KeyState,
    ) -> Result<(Vec<Verb>, bool), StoreError> {
        if !verb.is_for_dead_letters() {
            let verbs = verb_of_key(selection, verb, record, state);
            return Ok((verbs.into_iter().collect(), false));
        }
        let now = record.now;
        let mut dead: Vec<(u64, u64)> = if selection.is_of_events() {
            let letters = self.dead_letters(group, &record.key, state).await?;
            let is_meant = |letter: &DeadLetter| {
                let (error, at) = match &letter.note {
                    Some(note) => (note.error.as_str(), Some(note.at)),
                    None => ("", None),
                };
                let names = [record.key.as_str(), letter.id.as_str()];
                selection.means(error, &names) && selection.is_old(at, now)
            };
            let meant = letters.iter().filter(|letter| is_meant(letter));
            meant.map(|letter| (letter.epoch, letter.seq)).collect()
        } else {
            state.dead_letters().collect()
        };
        let is_replay = verb == BulkVerb::Replay;
        if is_replay {
            let is_new = |seq: &u64| !state.replays.contains_key(seq);
            dead.retain(|(epoch, seq)| *epoch == state.epoch && is_new(seq));
        }
        let beyond = state.dead_letters().count() > Effect::MAX_EVENTS;
        if is_replay && !selection.is_of_events() {
            let rounds = dead.len().div_ceil(Effect::MAX_EVENTS);
            return Ok((vec![Verb::Replay { seq: None }; rounds], false));
        }
        if !is_replay {
            dead = discardable(state, dead);
        }
        let more = beyond && (selection.is_of_events() || dead.len() > Effect::MAX_EVENTS);
        let seqs = dead.into_iter().take(Effect::MAX_EVENTS);
        let seqs = seqs.filter_map(|(_, seq)| Seq::new(seq).ok());
        let verbs = seqs.map(|seq| match is_replay {
            true => Verb::Replay { seq: Some(seq) },
            false => Verb::Discard { seq },
        });
        Ok((verbs.collect(), more))
    }
}

/// What a verb about where the key stands is to do to it.
fn verb_of_key(
    selection: &Selection,
    verb: BulkVerb,
    record: &Record,
    state: &KeyState,
) -> Option<Verb> {
    let has_stopped = state.phase != Phase::Open || state.is_suspect();
    let (is_meant, made) = match verb {
        BulkVerb::Retry => (has_stopped, Verb::Retry),
        BulkVerb::Skip => (
            is_halted(state) || is_in_gap(state),
            Verb::Skip { to: None },
        ),
        BulkVerb::Resume => (state.paused.is_on(), Verb::Resume),
        BulkVerb::Discard | BulkVerb::Replay => return None,
    };
    if selection.is_by_name() {
        return Some(made);
    }
    let error = state.last_error.as_ref().map_or("", |last| &last.error);
    let is_meant = is_meant
        && selection.means(error, &[record.key.as_str()])
        && selection.is_old(stands_since(state), record.now);
    is_meant.then_some(made)
}

/// What [`Verb::Discard`] would take for one of these, and not for something else with the same seq.
fn discardable(state: &KeyState, mut dead: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    dead.sort_unstable_by(|one, other| other.cmp(one));
    let mut kept: Vec<(u64, u64)> = Vec::with_capacity(dead.len());
    for (epoch, seq) in dead {
        let newer = state.dead.range(epoch + 1..);
        let mut newer = newer.filter(|(_, seqs)| seqs.contains(seq));
        let are_kept = newer.all(|(newer, _)| kept.contains(&(*newer, seq)));
        if are_kept && !state.held.contains(seq) {
            kept.push((epoch, seq));
        }
    }
    kept.reverse();
    kept
}

/// The key may go on while the operator thinks: nothing is skipped that was not in the plan.
fn pinned(verbs: Vec<Verb>, effect: &Effect) -> Vec<Verb> {
    let pin = |verb| match verb {
        Verb::Skip { to: None } => Verb::Skip {
            to: Seq::new(effect.last_seq).ok(),
        },
        other => other,
    };
    verbs.into_iter().map(pin).collect()
}

fn nothing_to_do(verb: BulkVerb) -> Refusal {
    match verb {
        BulkVerb::Retry => Refusal::NotStopped,
        BulkVerb::Skip => Refusal::NothingToSkip,
        BulkVerb::Resume => Refusal::Already,
        BulkVerb::Discard | BulkVerb::Replay => Refusal::NoSuchEvent,
    }
}

fn decision_input(record: &Record, group_paused: bool) -> DecisionInput<'_> {
    let owner = record.owner.as_ref();
    let is_over = |until: Option<Millis>| until.is_some_and(|until| until <= record.now);
    DecisionInput {
        body: record.body.as_ref(),
        body_fence: if record.body.is_some() {
            record.body_fence
        } else {
            Fence(0)
        },
        mail: owner.map_or(&[], |owner| &owner.mail),
        died: owner
            .filter(|owner| is_over(owner.lease_until))
            .map(|owner| &owner.worker),
        now: record.now,
        group_paused,
    }
}
