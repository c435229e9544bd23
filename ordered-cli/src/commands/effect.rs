//! What a verb did, or would do, in words and as JSON.

use ordered_core::explain::{grouped, printable, ranges};
use ordered_core::protocol::{Effect, Verb};
use serde::Serialize;

/// What a verb did to a key, or would do.
#[derive(Debug, Serialize)]
pub(crate) struct Deed {
    group: String,
    key: String,
    verb: String,
    /// Nothing was changed.
    dry_run: bool,
    last_seq_before: u64,
    last_seq: u64,
    /// What may run now, in order; at most a thousand.
    released: Vec<u64>,
    /// What was put aside, or deleted.
    removed: Vec<u64>,
    /// Whether what was removed was put aside, or deleted for good.
    removal: Removal,
    #[serde(skip)]
    note: Option<String>,
}

/// What becomes of what a verb removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Removal {
    /// It can be replayed.
    PutAside,
    /// It is gone.
    Delete,
}

impl Deed {
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
            last_seq_before: effect.last_seq_before,
            last_seq: effect.last_seq,
            released: effect.released,
            removed: effect.removed,
            removal,
            note: None,
        }
    }

    /// Says more about what it does.
    pub(crate) fn with_note(mut self, note: String) -> Self {
        self.note = Some(note);
        self
    }

    pub(crate) fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// What to know of a move downwards.
    pub(crate) fn goes_back(&self) -> Option<String> {
        (self.last_seq < self.last_seq_before).then(|| {
            format!(
                "begin the numbering again, so that {} to {} are handled again if they come again",
                self.last_seq + 1,
                self.last_seq_before
            )
        })
    }

    /// It was done, with this effect.
    pub(crate) fn done(&mut self, effect: Effect) {
        self.dry_run = false;
        self.last_seq_before = effect.last_seq_before;
        self.last_seq = effect.last_seq;
        self.released = effect.released;
        self.removed = effect.removed;
    }

    /// `order-17: retry would release 51 events: 2–52`.
    pub(crate) fn text(&self) -> String {
        let verb = self.verb.split(' ').next().unwrap_or_default();
        let mut parts = Vec::new();
        parts.extend(self.note.clone());
        parts.extend(self.removal());
        parts.extend(self.passed());
        parts.extend(self.moved());
        parts.extend(self.release());
        let would = if self.dry_run { " would" } else { "" };
        format!(
            "{}: {verb}{would}: {}",
            printable(&self.key),
            parts.join("; ")
        )
    }

    fn removal(&self) -> Option<String> {
        let what = match self.removal {
            Removal::PutAside => "put aside",
            Removal::Delete => "delete for good",
        };
        (!self.removed.is_empty()).then(|| format!("{what} {}", every(&self.removed)))
    }

    /// What it goes past that is not there.
    fn passed(&self) -> Option<String> {
        let (from, to) = (self.last_seq_before + 1, self.last_seq);
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
                self.last_seq_before, self.last_seq
            )
        })
    }

    fn release(&self) -> Option<String> {
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
            // Where something else was said, nothing has to be said of this.
            return self.note.is_none().then(|| "release nothing".into());
        }
        if self.released.len() == Effect::MOST {
            parts.push("and more behind these".into());
        }
        Some(parts.join("; "))
    }

    fn up_to_last(&self, wanted: bool) -> Vec<u64> {
        let released = self.released.iter().copied();
        released
            .filter(|seq| (*seq <= self.last_seq) == wanted)
            .collect()
    }
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

    fn deed(removal: Removal, last_seq: u64, released: &[u64], removed: &[u64]) -> Deed {
        let effect = Effect {
            last_seq_before: 41,
            last_seq,
            released: released.into(),
            removed: removed.into(),
        };
        Deed::new("g", "k", &Verb::Skip { to: None }, removal, effect)
    }

    #[test]
    fn it_says_exactly_what_is_released_and_removed() {
        let mut skip = deed(Removal::PutAside, 44, &[45, 46, 48], &[43]);
        assert_eq!(
            skip.text(),
            "k: skip would: put aside 1 event (43); pass over 42, 44; move the last seq from 41 to 44; release 3 events \
             (45–46, 48)"
        );
        skip.done(Effect {
            last_seq_before: 41,
            last_seq: 44,
            released: Vec::new(),
            removed: Vec::new(),
        });
        assert_eq!(
            skip.text(),
            "k: skip: pass over 42–44; move the last seq from 41 to 44; release nothing"
        );
        let deleted = deed(Removal::Delete, 41, &[17, 42], &[20]);
        assert_eq!(
            deleted.text(),
            "k: skip would: delete for good 1 event (20); run again 1 event (17); release 1 event (42)"
        );
    }

    #[test]
    fn a_long_way_costs_nothing() {
        let far = deed(Removal::PutAside, (1 << 53) - 1, &[], &[]);
        assert!(far.text().contains("pass over 42–9007199254740991"));
    }
}
