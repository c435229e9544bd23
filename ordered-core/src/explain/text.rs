//! The paragraph about a key, sentence by sentence.

use super::SuggestedAction;
use super::explainer::{Explainer, FailedHead};
use super::status::KeyStatus;
use crate::protocol::{DeadView, Millis, Order};
use crate::readable::{events, excerpt, grouped, moment, printable, ranges, size, span, spans};

/// How many ranges, and how many dead letters a paragraph names.
pub(super) const NAMED: usize = 5;

impl Explainer<'_> {
    /// The paragraph.
    pub(super) fn text(&self, status: KeyStatus) -> String {
        let mut sentences = vec![self.opening(status)];
        if status != KeyStatus::Paused {
            sentences.extend(self.pause());
        }
        sentences.extend(self.wanted(status));
        sentences.extend(self.cause(status));
        if status != KeyStatus::Unreadable {
            sentences.push(self.progress());
        }
        sentences.extend(self.held());
        sentences.extend(self.waiting());
        sentences.extend(self.absent());
        sentences.extend(self.dead_letters());
        sentences.push(self.outlook(status));
        sentences.join(" ") + &you_can(&self.suggested_actions(status))
    }

    /// `12:01:07 UTC (3 min)`.
    pub(super) fn since_then(&self, at: Millis) -> String {
        let now = self.view.now;
        format!("{} ({})", moment(at, now), span(now.saturating_sub(at)))
    }

    /// `12:01:07 UTC (3 min ago)`.
    pub(super) fn ago(&self, at: Millis) -> String {
        let now = self.view.now;
        format!("{} ({} ago)", moment(at, now), span(now.saturating_sub(at)))
    }

    /// Who else waits for the key.
    fn wanted(&self, status: KeyStatus) -> Option<String> {
        let is_wanted = self
            .view
            .claim
            .as_ref()
            .is_some_and(|claim| claim.hand_over);
        (is_wanted && status == KeyStatus::Running)
            .then(|| "Another worker or an operator waits for it.".into())
    }

    fn pause(&self) -> Option<String> {
        match (self.view.paused, self.view.group_paused) {
            (false, false) => None,
            (true, false) => Some(format!("It is paused as well{}.", self.until())),
            (false, true) => Some("Its whole group is paused as well.".into()),
            (true, true) => Some(format!(
                "It is paused as well{}, and so is its whole group.",
                self.until()
            )),
        }
    }

    fn cause(&self, status: KeyStatus) -> Option<String> {
        if let Some(replay) = self.replay_backing_off() {
            let most = self.group.policy().replay_attempts();
            return Some(format!(
                "Attempt {} of {most} of the replay failed.",
                replay.replay_attempts
            ));
        }
        let failed_head = self.failed_head()?;
        if status == KeyStatus::Unreadable {
            return Some(format!("{}.", excerpt(failed_head.error)));
        }
        let is_gap = status == KeyStatus::Halted && !self.head_is_held() && !self.is_deadly();
        Some(if is_gap {
            format!(
                "It was halted at {} on worker {}: {}.",
                self.ago(failed_head.last_at),
                printable(failed_head.worker),
                excerpt(failed_head.error)
            )
        } else if self.view.deaths > 0 {
            self.deaths(&failed_head)
        } else {
            self.failure(&failed_head)
        })
    }

    fn failure(&self, failed_head: &FailedHead<'_>) -> String {
        let first = if failed_head.first_at == failed_head.last_at {
            String::new()
        } else {
            format!(" The first failed at {}.", self.ago(failed_head.first_at))
        };
        format!(
            "Attempt {}{} failed at {} on worker {}: {}.{first}",
            failed_head.failures,
            self.of_attempts(),
            self.ago(failed_head.last_at),
            printable(failed_head.worker),
            excerpt(failed_head.error),
        )
    }

    /// What went wrong where workers died.
    fn deaths(&self, failed_head: &FailedHead<'_>) -> String {
        let (view, most) = (self.view, self.group.policy().max_crashes);
        let times = if view.deaths == 1 { "time" } else { "times" };
        let alone = match view.crashes {
            0 => String::new(),
            crashes => format!(", {crashes} of {most} while they ran the event alone"),
        };
        let failures = match failed_head.failures {
            0 => String::new(),
            failures => format!("; {}{} failed", attempts(failures), self.of_attempts()),
        };
        format!(
            "Its workers died {} {times}{alone}{failures}. What went wrong last, at {} on worker {}: {}.",
            view.deaths,
            self.ago(failed_head.last_at),
            printable(failed_head.worker),
            excerpt(failed_head.error),
        )
    }

    fn progress(&self) -> String {
        let view = self.view;
        let fence = match (view.fence, view.epoch) {
            (0, 0) => String::new(),
            (fence, 0) => format!(" (fence {fence})"),
            (fence, epoch) => format!(" (fence {fence}, epoch {epoch})"),
        };
        let first = self.group.policy().first_seq;
        if self.head() <= first.min(1) || view.epoch == 0 && self.head() == first {
            return format!("Nothing of it is done yet{fence}.");
        }
        let last = view.last_seq;
        match self.group.policy().order {
            Order::Sequence => format!("It is done up to seq {last}{fence}."),
            Order::Arrival => {
                format!("It is done up to seq {last}, as it numbers what arrives{fence}.")
            }
            Order::Lamport | Order::Causal => format!(
                "It is done up to seq {last}, as it numbers what may run{fence}{}.",
                self.producers()
            ),
            // What is at the head is a newer one, and not done.
            Order::Monotonic { .. } if self.head_is_held() => {
                format!("Versions up to {last} are done or superseded{fence}.")
            }
            Order::Monotonic { .. } => format!("Its version is {last}{fence}."),
        }
    }

    /// `: ada is at 3, bob is at 7`.
    fn producers(&self) -> String {
        let known = &self.view.producers;
        if known.is_empty() {
            return String::new();
        }
        let mut named: Vec<String> = known
            .iter()
            .take(NAMED)
            .map(|known| {
                let gone = match known.gone.as_deref() {
                    Some("left") => " and has left",
                    Some(_) => " and is given up",
                    None => "",
                };
                format!("{} is at {}{gone}", printable(&known.producer), known.seq)
            })
            .collect();
        if known.len() > NAMED {
            named.push(format!("and {} more", known.len() - NAMED));
        }
        format!(": {}", named.join(", "))
    }

    /// The events that wait for their number.
    fn waiting(&self) -> Option<String> {
        let waiting = &self.view.waiting;
        let oldest = waiting.iter().min_by_key(|waiting| waiting.since)?;
        let mut named: Vec<String> = waiting
            .iter()
            .take(NAMED)
            .map(|waiting| format!("{} of {}", waiting.seq, printable(&waiting.producer)))
            .collect();
        if waiting.len() > NAMED {
            named.push(format!("and {} more", waiting.len() - NAMED));
        }
        let (waits, first) = match waiting.len() {
            1 => ("waits", ""),
            _ => ("wait", "the oldest "),
        };
        Some(format!(
            "{} {waits} for that: {}, {first}since {}.",
            events(waiting.len() as u64),
            named.join(", "),
            moment(oldest.since, self.view.now),
        ))
    }

    fn held(&self) -> Option<String> {
        let view = self.view;
        let oldest = view.held.iter().min_by_key(|held| held.since)?;
        // Those that wait for their number are told of apart.
        let held_events = view.held_events - view.held_events.min(view.waiting.len() as u64);
        let (are, one) = match held_events {
            1 => ("is", true),
            _ => ("are", false),
        };
        let seqs = ranges(view.held.iter().map(|held| held.seq), NAMED);
        let more = if held_events > view.held.len() as u64 {
            " and on"
        } else {
            ""
        };
        let coalesced = if self.group.policy().order.coalesces() && !one {
            " Only the newest of them will run."
        } else {
            ""
        };
        Some(format!(
            "{} {are} held: {seqs}{more} ({}), {}id {} since {}.{coalesced}",
            events(held_events),
            size(view.held_bytes),
            if one { "" } else { "the oldest with " },
            excerpt(&oldest.id),
            moment(oldest.since, view.now),
        ))
    }

    fn absent(&self) -> Option<String> {
        let absent = &self.view.absent;
        (!absent.is_empty()).then(|| {
            format!(
                "Of seq {} it is known that nothing will come.",
                spans(absent, NAMED)
            )
        })
    }

    fn dead_letters(&self) -> Option<String> {
        let view = self.view;
        if view.dead_events == 0 {
            return None;
        }
        let named: Vec<String> = view
            .dead
            .iter()
            .take(NAMED)
            .map(|dead| self.dead(dead))
            .collect();
        let rest = view.dead_events - named.len() as u64;
        let more = if rest > 0 {
            format!("; and {} more", grouped(rest))
        } else {
            String::new()
        };
        let were = if view.dead_events == 1 { "was" } else { "were" };
        Some(format!(
            "{} {were} dead-lettered: {}{more}.",
            events(view.dead_events),
            named.join("; ")
        ))
    }

    fn dead(&self, dead: &DeadView) -> String {
        let mut text = format!("seq {}", dead.seq);
        if dead.epoch != self.view.epoch {
            text += &format!(" of epoch {}", dead.epoch);
        }
        text += &format!(" ({} at {}", dead.cause, moment(dead.at, self.view.now));
        if dead.attempts > 0 {
            text += &format!(", {}", attempts(dead.attempts));
        }
        if !dead.error.is_empty() {
            text += &format!(": {}", excerpt(&dead.error));
        }
        if dead.replay {
            text += ", to be run again";
        }
        text + ")"
    }

    fn outlook(&self, status: KeyStatus) -> String {
        let Some(next_step) = self.next_step(status) else {
            let why = match status {
                KeyStatus::Gap => self.gap_policy(),
                KeyStatus::Halted => "a halted key stays so until an operator decides".into(),
                KeyStatus::Unreadable => "nobody can decide about a key that cannot be read".into(),
                _ => "nothing of it runs until it is resumed".into(),
            };
            return format!("Nothing will happen by itself: {why}.");
        };
        let what = printable(&next_step.what);
        let mut letters = what.chars();
        let first = letters.next().into_iter().flat_map(char::to_uppercase);
        let sentence: String = first.chain(letters).collect();
        let needs_worker = !matches!(status, KeyStatus::Running);
        let nobody = if needs_worker {
            no_worker(self.alive)
        } else {
            ""
        };
        match status {
            KeyStatus::Gap | KeyStatus::BackingOff => format!("By itself {what}.{nobody}"),
            _ => format!("{sentence}.{nobody}"),
        }
    }
}

fn attempts(count: u32) -> String {
    format!("{count} attempt{}", if count == 1 { "" } else { "s" })
}

/// What is said where nobody is there to do what would happen by itself.
pub(super) fn no_worker(alive: Option<usize>) -> &'static str {
    match alive {
        Some(0) => " But no worker of the group is alive.",
        _ => "",
    }
}

pub(super) fn you_can(suggested_actions: &[SuggestedAction]) -> String {
    if suggested_actions.is_empty() {
        return String::new();
    }
    let each = suggested_actions
        .iter()
        .map(|action| match &action.command {
            Some(command) => format!("`{command}` {}", action.effect),
            None => action.effect.clone(),
        });
    format!(" You can: {}.", each.collect::<Vec<_>>().join("; "))
}
