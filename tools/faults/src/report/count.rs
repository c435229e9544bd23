use std::collections::{HashMap, HashSet};
use std::time::Duration;

use ordered_testkit::history::{Event, History, Outcome, What};

/// What a history says in numbers.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) run_again: usize,
    pub(super) failed: usize,
    pub(super) dead_lettered: usize,
    /// What was dead-lettered although nobody else claimed its place.
    pub(super) wrong_dead_letters: Vec<String>,
    pub(super) longest_stall: Duration,
    pub(super) longest_stall_of_a_key: Duration,
}

impl Counts {
    pub(super) fn of(history: &History) -> Self {
        let mut counts = Self::default();
        let mut claims = HashMap::<(&str, u64), HashSet<&str>>::new();
        let mut done = HashSet::<&Event>::new();
        let mut dead = HashSet::<&Event>::new();
        // When something committed last; before that, when there was something to commit first.
        let mut last = None;
        let mut last_of_keys = HashMap::<&str, u64>::new();
        for line in &history.lines {
            match &line.what {
                What::Published { event } => {
                    let place = (event.key.as_str(), event.seq);
                    claims.entry(place).or_default().insert(&event.id);
                    last.get_or_insert(line.at);
                    last_of_keys.entry(&event.key).or_insert(line.at);
                }
                What::Handled { event, outcome, .. } => match outcome {
                    Outcome::Done if !done.insert(event) => counts.run_again += 1,
                    Outcome::Done => {}
                    Outcome::Failed | Outcome::Stopped => counts.failed += 1,
                },
                What::Committed { event, .. } => {
                    let stall = |before: u64| Duration::from_millis(line.at.saturating_sub(before));
                    let of_key = last_of_keys.insert(&event.key, line.at);
                    let of_key = of_key.map(stall).unwrap_or_default();
                    let of_all = last.replace(line.at).map(stall).unwrap_or_default();
                    counts.longest_stall = counts.longest_stall.max(of_all);
                    counts.longest_stall_of_a_key = counts.longest_stall_of_a_key.max(of_key);
                }
                What::DeadLettered { event, reason } => {
                    let claims = claims.get(&(event.key.as_str(), event.seq));
                    if claims.is_none_or(|ids| ids.len() < 2) {
                        let Event { key, seq, id } = event;
                        let words = format!("{key} {seq} ({id}) was dead-lettered: {reason}");
                        counts.wrong_dead_letters.push(words);
                    }
                    dead.insert(event);
                }
                _ => {}
            }
        }
        counts.dead_lettered = dead.len();
        counts
    }
}
