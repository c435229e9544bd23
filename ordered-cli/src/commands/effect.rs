//! What a verb did, or would do, in words and as JSON.

use ordered_core::internal::readable::{grouped, printable, ranges};
use ordered_core::internal::{KeyState, last_seq_text};
use ordered_core::protocol::{Effect, Verb};
use serde::{Serialize, Serializer};

/// What a verb did to a key, or would do.
#[derive(Debug, Serialize)]
pub(crate) struct VerbEffect {
    group: String,
    key: String,
    verb: String,
    /// Nothing was changed.
    dry_run: bool,
    #[serde(flatten)]
    outcome: Outcome,
    #[serde(skip)]
    note: Option<String>,
}

/// What it brought about.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Outcome {
    #[serde(serialize_with = "maybe_last_seq")]
    last_seq_before: u64,
    #[serde(serialize_with = "maybe_last_seq")]
    last_seq: u64,
    /// What may run now, in order; at most a thousand.
    released: Vec<u64>,
    /// What was dead-lettered, or deleted.
    removed: Vec<u64>,
    /// Which dead letters are to be run again.
    marked: Vec<u64>,
    /// Whether what was removed was dead-lettered, or deleted permanently.
    removal: Removal,
}

impl Outcome {
    pub(super) fn new(effect: Effect, removal: Removal) -> Self {
        Self {
            last_seq_before: effect.last_seq_before,
            last_seq: effect.last_seq,
            released: effect.released,
            removed: effect.removed,
            marked: effect.marked,
            removal,
        }
    }
}

/// What happens to what a verb removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Removal {
    /// It can be replayed.
    DeadLetter,
    /// It is gone.
    Delete,
}

impl VerbEffect {
    pub(crate) fn new(
        group: &str,
        key: &str,
        verb: &Verb,
        removal: Removal,
        effect: Effect,
    ) -> Self {
        Self {
            group: group.to_owned(),
            key: key.to_owned(),
            verb: verb.to_string(),
            dry_run: true,
            outcome: Outcome::new(effect, removal),
            note: None,
        }
    }

    /// Says more about what it does.
    pub(crate) fn with_note(mut self, note: String) -> Self {
        self.note = Some(note);
        self
    }

    pub(crate) fn last_seq(&self) -> u64 {
        self.outcome.last_seq
    }

    /// What to know of a move downwards.
    pub(crate) fn goes_back(&self) -> Option<String> {
        let (before, last) = (self.outcome.last_seq_before, self.outcome.last_seq);
        let head = head(last);
        (head < self::head(before)).then(|| {
            format!(
                "begin the numbering again, so that {head} to {before} are handled again if they come again"
            )
        })
    }

    /// It was done, with this effect.
    pub(crate) fn done(&mut self, effect: Effect) {
        self.dry_run = false;
        self.outcome = Outcome::new(effect, self.outcome.removal);
    }

    /// `order-17: retry would: release 51 events (2–52)`.
    pub(crate) fn text(&self) -> String {
        let verb = self.verb.split(' ').next().unwrap_or_default();
        let would = if self.dry_run { " would" } else { "" };
        let what = self.outcome.text(verb, self.note.as_deref());
        format!("{}: {verb}{would}: {what}", printable(&self.key))
    }
}

impl Outcome {
    /// How many events were removed, released, and marked to be run again.
    pub(super) fn counts(&self) -> (u64, u64, u64) {
        let is_later = |seq: &&u64| **seq >= head(self.last_seq);
        let released = self.released.iter().filter(is_later).count();
        let removed = self.removed.len();
        (removed as u64, released as u64, self.marked.len() as u64)
    }

    /// `release 51 events (2–52)`.
    pub(super) fn text(&self, verb: &str, note: Option<&str>) -> String {
        let mut parts = Vec::new();
        parts.extend(note.map(ToOwned::to_owned));
        parts.extend(self.removal());
        parts.extend(self.passed());
        parts.extend(self.moved());
        parts.extend(self.marks());
        parts.extend(self.release(verb, parts.is_empty()));
        parts.join("; ")
    }

    fn removal(&self) -> Option<String> {
        let what = match self.removal {
            Removal::DeadLetter => "dead-letter",
            Removal::Delete => "delete permanently",
        };
        (!self.removed.is_empty()).then(|| format!("{what} {}", every(&self.removed)))
    }

    /// What it goes past that is not there.
    fn passed(&self) -> Option<String> {
        let (from, end) = (head(self.last_seq_before), head(self.last_seq));
        let to = end.checked_sub(1)?;
        // A range may be as long as seqs go; only its ends, and what is there within, are looked at.
        let mut passed = Vec::new();
        let mut next = from;
        for removed in self.removed.iter().filter(|seq| (from..=to).contains(seq)) {
            if next < *removed {
                passed.push((next, removed - 1));
            }
            next = removed + 1;
        }
        if next <= to {
            passed.push((next, to));
        }
        let ends = passed.iter().map(|(from, to)| match from == to {
            true => from.to_string(),
            false => format!("{from}–{to}"),
        });
        (!passed.is_empty()).then(|| format!("pass over {}", ends.collect::<Vec<_>>().join(", ")))
    }

    fn moved(&self) -> Option<String> {
        (self.last_seq != self.last_seq_before).then(|| {
            format!(
                "move the last seq from {} to {}",
                last_seq_text(self.last_seq_before),
                last_seq_text(self.last_seq)
            )
        })
    }

    /// What is to be run again, and not at once.
    fn marks(&self) -> Option<String> {
        let is_later = |seq: &u64| !self.released.contains(seq);
        let later = self.marked.iter().copied().filter(is_later);
        let (behind, ahead): (Vec<u64>, Vec<u64>) =
            later.partition(|seq| *seq < head(self.last_seq));
        let mut parts = Vec::new();
        if !behind.is_empty() {
            parts.push(format!("run again {} once the key goes on", every(&behind)));
        }
        if !ahead.is_empty() {
            let seqs = ranges(ahead, usize::MAX);
            parts.push(format!("run {seqs} again once the key has come to it"));
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    fn release(&self, verb: &str, is_all: bool) -> Option<String> {
        let again: Vec<u64> = self.up_to_last(true);
        let next: Vec<u64> = self.up_to_last(false);
        let mut parts = Vec::new();
        if !again.is_empty() {
            parts.push(format!("run again {}", every(&again)));
        }
        if !next.is_empty() {
            parts.push(format!("release {}", every(&next)));
        }
        if parts.is_empty() {
            let head = head(self.last_seq);
            // Where something else was said, nothing has to be said of this.
            return match verb {
                "retry" => Some(format!("let seq {head} run again; release nothing yet")),
                "resume" => Some("end the pause; release nothing".into()),
                _ => (is_all || self.is_past_something()).then(|| "release nothing".into()),
            };
        }
        if self.released.len() == Effect::MAX_EVENTS {
            parts.push("and more behind these".into());
        }
        Some(parts.join("; "))
    }

    /// Something was removed, or passed over: whether others go on because of it has to be said.
    fn is_past_something(&self) -> bool {
        !self.removed.is_empty() || head(self.last_seq) > head(self.last_seq_before)
    }

    fn up_to_last(&self, wanted: bool) -> Vec<u64> {
        let released = self.released.iter().copied();
        released
            .filter(|seq| (*seq < head(self.last_seq)) == wanted)
            .collect()
    }
}

/// The seq behind the last one.
fn head(last_seq: u64) -> u64 {
    last_seq.wrapping_add(1)
}

/// `null` before the beginning of a key that begins with 0.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn maybe_last_seq<S: Serializer>(last_seq: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    let last = Some(*last_seq).filter(|last| *last != KeyState::BEFORE_ZERO);
    last.serialize(serializer)
}

/// `51 events: 2–52`.
fn every(seqs: &[u64]) -> String {
    let count = grouped(seqs.len() as u64);
    let ranges = ranges(seqs.iter().copied(), usize::MAX);
    let plural = if seqs.len() == 1 { "" } else { "s" };
    format!("{count} event{plural} ({ranges})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effect(removal: Removal, last_seq: u64, released: &[u64], removed: &[u64]) -> VerbEffect {
        let effect = Effect {
            last_seq_before: 41,
            last_seq,
            released: released.into(),
            removed: removed.into(),
            marked: Vec::new(),
        };
        VerbEffect::new("g", "k", &Verb::Skip { to: None }, removal, effect)
    }

    #[test]
    fn it_says_exactly_what_is_released_and_removed() {
        let mut skip = effect(Removal::DeadLetter, 44, &[45, 46, 48], &[43]);
        assert_eq!(
            skip.text(),
            "k: skip would: dead-letter 1 event (43); pass over 42, 44; move the last seq from 41 to 44; release 3 \
             events (45–46, 48)"
        );
        skip.done(Effect {
            last_seq_before: 41,
            last_seq: 44,
            released: Vec::new(),
            removed: Vec::new(),
            marked: Vec::new(),
        });
        assert_eq!(
            skip.text(),
            "k: skip: pass over 42–44; move the last seq from 41 to 44; release nothing"
        );
        let deleted = effect(Removal::Delete, 41, &[17, 42], &[20]);
        assert_eq!(
            deleted.text(),
            "k: skip would: delete permanently 1 event (20); run again 1 event (17); release 1 event (42)"
        );
    }

    #[test]
    fn what_is_marked_is_said_although_nothing_is_released() {
        let effect = |last_seq, marked: &[u64], released: &[u64]| Effect {
            last_seq_before: last_seq,
            last_seq,
            released: released.into(),
            removed: Vec::new(),
            marked: marked.into(),
        };
        let replay = Verb::Replay { seq: None };
        let said = |effect| VerbEffect::new("g", "k", &replay, Removal::DeadLetter, effect).text();
        assert_eq!(
            said(effect(4, &[1, 2], &[])),
            "k: replay would: run again 2 events (1–2) once the key goes on"
        );
        assert_eq!(
            said(effect(4, &[1, 6], &[1])),
            "k: replay would: run 6 again once the key has come to it; run again 1 event (1)"
        );
        let retry = VerbEffect::new(
            "g",
            "k",
            &Verb::Retry,
            Removal::DeadLetter,
            effect(4, &[], &[]),
        );
        assert_eq!(
            retry.text(),
            "k: retry would: let seq 5 run again; release nothing yet"
        );
    }

    #[test]
    fn a_long_way_costs_nothing() {
        let far = effect(Removal::DeadLetter, (1 << 53) - 1, &[], &[]);
        assert!(far.text().contains("pass over 42–9007199254740991"));
    }
}
