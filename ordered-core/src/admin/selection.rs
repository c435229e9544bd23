use std::time::Duration;

use crate::event::Key;
use crate::protocol::{KeyState, Millis, Phase};
use crate::words::cause_of;

/// Which keys, or which of their dead letters, a verb to many is about. All conditions must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// These keys; all of the group where there are none.
    pub keys: Vec<Key>,
    /// Keys that look like this: `*` stands for any letters, and `?` for one.
    pub pattern: Option<String>,
    /// An error, or its cause, with this text in it.
    pub error: Option<String>,
    /// Since this long: the key is halted, or backs off or waits since then; the dead letter was made then.
    pub older_than: Option<Duration>,
    /// Keys that are halted; with `gap`, also such as wait in a gap.
    pub halted: bool,
    /// Keys that wait for an event that has not come, or were halted because of it.
    pub gap: bool,
    /// Not more keys than so many, the first by name.
    pub limit: Option<usize>,
}

/// What is done to many keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BulkVerb {
    /// Try the event that failed again: of keys that are halted, back off or are suspect.
    Retry,
    /// Pass over what stands in the way: of keys that are halted, or wait in a gap.
    Skip,
    /// End a pause: of keys that are paused.
    Resume,
    /// Delete dead letters permanently.
    Discard,
    /// Run dead letters of the present epoch again.
    Replay,
}

impl BulkVerb {
    /// The word on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Skip => "skip",
            Self::Resume => "resume",
            Self::Discard => "discard",
            Self::Replay => "replay",
        }
    }

    /// Whether it is about dead letters, and not about where the key stands.
    #[must_use]
    pub const fn is_for_dead_letters(self) -> bool {
        matches!(self, Self::Discard | Self::Replay)
    }
}

impl Selection {
    /// Whether the key is meant, as far as its name says.
    pub(super) fn names(&self, key: &Key) -> bool {
        let pattern = self.pattern.as_deref();
        pattern.is_none_or(|pattern| matches_pattern(key.as_str(), pattern))
    }

    /// Whether it is meant, as far as its state says.
    pub(super) fn stands(&self, state: &KeyState) -> bool {
        let is_any = !self.halted && !self.gap;
        is_any || self.halted && is_halted(state) || self.gap && is_in_gap(state)
    }

    /// Whether this is an error that is meant. Ids and numbers stand out of its cause.
    pub(super) fn means(&self, error: &str, names: &[&str]) -> bool {
        let Some(wanted) = &self.error else {
            return true;
        };
        error.contains(wanted.as_str()) || cause_of(error, names).contains(wanted.as_str())
    }

    pub(super) fn is_old(&self, since: Option<Millis>, now: Millis) -> bool {
        let Some(age) = self.older_than else {
            return true;
        };
        let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        since.is_some_and(|since| now.saturating_sub(since) >= age)
    }

    /// Whether dead letters have to be read to tell which are meant.
    pub(super) fn is_of_events(&self) -> bool {
        self.error.is_some() || self.older_than.is_some()
    }

    /// Whether nothing but the names of keys was given.
    pub(super) fn is_by_name(&self) -> bool {
        let rest = Self {
            keys: Vec::new(),
            limit: None,
            ..self.clone()
        };
        !self.keys.is_empty() && rest == Self::default()
    }
}

pub(super) fn is_halted(state: &KeyState) -> bool {
    matches!(state.phase, Phase::Halted { .. })
}

/// Whether the key waits for an event that has not come, or was halted because of it.
pub(super) fn is_in_gap(state: &KeyState) -> bool {
    let is_behind = state.held_events() > 0 && !state.held.contains(state.head());
    let misses = state.is_halted_by_producers() && !state.producers.missing().is_empty();
    state.gap_since.is_some() || is_halted(state) && is_behind || misses
}

/// Since when the key stands as it does.
pub(super) fn stands_since(state: &KeyState) -> Option<Millis> {
    match state.phase {
        Phase::Halted { since } => Some(since),
        _ => state
            .gap_since
            .or_else(|| state.last_error.as_ref().map(|last| last.first_at)),
    }
}

/// Whether a text looks like a pattern, in which `*` stands for any letters, and `?` for one.
#[must_use]
pub fn matches_pattern(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) =
        (text.chars().collect(), pattern.chars().collect());
    let (mut at, mut of) = (0, 0);
    // Where the last star stands, and up to where it reaches.
    let mut star: Option<(usize, usize)> = None;
    while at < text.len() {
        match pattern.get(of) {
            Some('*') => {
                star = Some((of, at));
                of += 1;
            }
            Some(letter) if *letter == '?' || *letter == text[at] => {
                at += 1;
                of += 1;
            }
            _ => {
                let Some((place, reached)) = star else {
                    return false;
                };
                star = Some((place, reached + 1));
                (of, at) = (place + 1, reached + 1);
            }
        }
    }
    pattern[of..].iter().all(|letter| *letter == '*')
}

#[cfg(test)]
mod tests {
    use super::matches_pattern;

    #[test]
    fn a_star_is_any_letters_and_a_question_mark_one() {
        for (text, pattern) in [
            ("order-17", "order-*"),
            ("order-17", "*"),
            ("order-17", "*17"),
            ("order-17", "o*r-?7"),
            ("order-17", "order-17"),
            ("größe-1", "gr??e-*"),
            ("aab", "*ab"),
            ("", "*"),
            ("", ""),
        ] {
            assert!(matches_pattern(text, pattern), "{text} {pattern}");
        }
        for (text, pattern) in [
            ("order-17", "order"),
            ("order-17", "order-?"),
            ("order-17", ""),
            ("xorder-17", "order-*"),
            ("aaa", "*ab"),
        ] {
            assert!(!matches_pattern(text, pattern), "{text} {pattern}");
        }
    }
}
