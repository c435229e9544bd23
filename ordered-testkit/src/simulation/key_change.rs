//! What a save has done to its key, as the store shows it before and after. A line says only what the store shows: an
//! event that it does not keep is no dead letter, and a seq that nobody gave up is not skipped.

use std::collections::BTreeMap;

use ordered_core::event::Key;
use ordered_core::internal::{DeadNote, KeyState};
use ordered_core::protocol::GapPolicy;
use ordered_core::store::{Group, Inspect, Letter, MemoryStore, Save, Session, Slot};

use super::recorder::Recorder;
use crate::history::{Event, What};

/// A key at one moment.
pub(super) struct Snapshot {
    state: KeyState,
    /// The dead letters that are in the mailbox, by epoch and seq.
    dead: BTreeMap<(u64, u64), Letter>,
    /// The held events from behind the head, by seq: they came late, or twice.
    past: BTreeMap<u64, Letter>,
}

impl Snapshot {
    /// Reads the key; `None` where its state cannot be read.
    pub(super) async fn take(store: &MemoryStore, group: &Group, key: &Key) -> Option<Self> {
        let record = store.read(group, key).await.ok()?;
        let state = match record.and_then(|record| Some((record.body?, record.body_fence))) {
            Some((body, fence)) => KeyState::decode(&body, fence).ok()?,
            None => KeyState::new(group.policy().first_seq),
        };
        let places: Vec<(u64, u64)> = state.dead_letters().collect();
        let slot = |&(epoch, seq): &(u64, u64)| Slot::Dead { epoch, seq };
        let slots: Vec<Slot> = places.iter().map(slot).collect();
        let letters = store.letters(group, key, &slots).await.ok()?;
        let dead = places.into_iter().zip(letters);
        let dead = dead.filter_map(|(place, letter)| Some((place, letter?)));
        let past = state.held.iter().take_while(|seq| state.is_past(*seq));
        let past: Vec<u64> = past.collect();
        let slots: Vec<Slot> = past.iter().copied().map(Slot::Held).collect();
        let letters = store.letters(group, key, &slots).await.ok()?;
        let past = past.into_iter().zip(letters);
        let past = past.filter_map(|(seq, letter)| Some((seq, letter?)));
        Some(Self {
            dead: dead.collect(),
            past: past.collect(),
            state,
        })
    }
}

/// A save with its key before and after it.
pub(super) struct KeyChange<'a> {
    pub(super) group: &'a Group,
    pub(super) session: &'a Session,
    pub(super) save: &'a Save,
    pub(super) before: Snapshot,
    pub(super) after: Snapshot,
    pub(super) recorder: &'a Recorder,
}

impl KeyChange<'_> {
    /// Writes down what has happened to the key.
    pub(super) fn record(&self) {
        self.record_replays();
        let [was, is] = [&self.before.state, &self.after.state];
        if was.epoch == is.epoch {
            self.record_progress(was.last_seq, is.last_seq);
        } else {
            self.record_new_epoch();
        }
        self.record_dead_letters();
        self.record_dropped();
    }

    /// Dead letters that were run again, and are done.
    fn record_replays(&self) {
        for (&(epoch, seq), letter) in &self.before.dead {
            let gone = !self.after.dead.contains_key(&(epoch, seq));
            if gone && self.save.remember.contains(&letter.id) {
                self.write_commit(seq, letter.id.as_str());
            }
        }
    }

    /// The key moved on within its epoch.
    fn record_progress(&self, was: u64, is: u64) {
        let epoch = self.after.state.epoch;
        let mut seq = was + 1;
        while seq <= is {
            if let Some(letter) = self.after.dead.get(&(epoch, seq)) {
                let note = DeadNote::decode(&letter.note);
                self.recorder.write(What::DeadLetteredInStore {
                    event: self.event(seq, letter.id.as_str()),
                    reason: note.map_or_else(String::new, |note| note.error),
                });
            } else if let Some(to) = self.skipped_to(seq) {
                if let Some(reason) = self.why_skipped(seq, to) {
                    self.recorder.write(What::Skipped {
                        key: self.key(),
                        from: seq,
                        to,
                        reason: reason.to_owned(),
                    });
                }
                seq = to;
            } else {
                let id = self.committed_id(seq);
                self.write_commit(seq, &id);
            }
            seq += 1;
        }
    }

    /// What was committed with the save before the numbering began again is told by the ids.
    fn record_new_epoch(&self) {
        let ids = &self.save.remember;
        for (seq, id) in self
            .recorder
            .published_above(&self.key(), self.before.state.last_seq)
        {
            if ids.iter().any(|known| known.as_str() == id) {
                self.write_commit(seq, &id);
            }
        }
        self.recorder.write(What::Renumbered {
            key: self.key(),
            last_seq: self.after.state.last_seq,
        });
    }

    /// Dead letters other than those that the key has moved past just now.
    fn record_dead_letters(&self) {
        let [was, is] = [&self.before.state, &self.after.state];
        let moved = was.last_seq + 1..=is.last_seq;
        for (&(epoch, seq), letter) in &self.after.dead {
            let is_new = !self.before.dead.contains_key(&(epoch, seq));
            let is_progress = was.epoch == is.epoch && epoch == is.epoch && moved.contains(&seq);
            if is_new && !is_progress {
                let note = DeadNote::decode(&letter.note);
                let cause = note.map_or("unknown", |note| note.cause.as_str());
                self.recorder.write(What::DeadLettered {
                    event: self.event(seq, letter.id.as_str()),
                    reason: cause.to_owned(),
                });
            }
        }
    }

    /// Held events that were taken out of the mailbox because they came after their seq was skipped.
    fn record_dropped(&self) {
        let epoch = self.after.state.epoch;
        for (&seq, letter) in &self.before.past {
            let stays = self.after.state.held.contains(seq);
            let is_dead = self.after.dead.contains_key(&(epoch, seq));
            if !stays && !is_dead && self.skipped_to(seq).is_some() {
                self.recorder.write(What::Late {
                    event: self.event(seq, letter.id.as_str()),
                });
            }
        }
    }

    /// The end of the range of skipped seqs that has this one in it.
    fn skipped_to(&self, seq: u64) -> Option<u64> {
        let mut skipped = self.after.state.skipped.iter();
        skipped
            .find(|range| (range.from..=range.to).contains(&seq))
            .map(|range| range.to)
    }

    /// Who gave the seqs up, if somebody did.
    fn why_skipped(&self, from: u64, to: u64) -> Option<&'static str> {
        let absent = &self.before.state.absent;
        if self.session.worker.is_operator() {
            Some("an operator said so")
        } else if (from..=to).all(|seq| absent.contains(seq)) {
            Some("its producer, or an operator, had said so")
        } else if matches!(self.group.policy().on_gap, GapPolicy::Skip { .. }) {
            Some("its gap had lasted too long")
        } else {
            self.recorder
                .has_control_messages()
                .then_some("its producer said so")
        }
    }

    /// The id under which a seq was committed: one that was published under the seq, and is remembered with the save.
    fn committed_id(&self, seq: u64) -> String {
        let ids = &self.save.remember;
        let published = self.recorder.published_at(&self.key(), seq);
        let id = published
            .into_iter()
            .find(|id| ids.iter().any(|known| known.as_str() == id));
        id.unwrap_or_else(|| "an id that is not remembered".to_owned())
    }

    fn write_commit(&self, seq: u64, id: &str) {
        self.recorder.write(What::Committed {
            event: self.event(seq, id),
            worker: self.session.worker.to_string(),
        });
    }

    fn key(&self) -> String {
        self.save.key.to_string()
    }

    fn event(&self, seq: u64, id: &str) -> Event {
        Event {
            key: self.key(),
            seq,
            id: id.to_owned(),
        }
    }
}
