//! The first sentence about a key: what it is doing.

use super::explainer::Explainer;
use super::status::KeyStatus;
use super::text::NAMED;
use crate::protocol::RepairView;
use crate::readable::{printable, ranges};

impl Explainer<'_> {
    pub(super) fn opening(&self, status: KeyStatus) -> String {
        let key = printable(&self.view.key);
        match status {
            KeyStatus::NeverSeen | KeyStatus::Idle => {
                format!("{key} is idle: nothing of it waits.")
            }
            KeyStatus::Running => self.running(&key),
            KeyStatus::Abandoned => self.abandoned(&key),
            KeyStatus::Ready => self.ready(&key),
            KeyStatus::Gap => {
                let missing = self.missing_text();
                let since = self.view.gap_since.map(|since| self.since_then(since));
                let since = since.map_or(String::new(), |since| format!(" since {since}"));
                let asked = self
                    .view
                    .repair
                    .map_or(String::new(), |asked| self.asked(asked));
                format!("{key} waits for {missing}{since}.{asked}")
            }
            KeyStatus::BackingOff => {
                let seq = self.seq(status).unwrap_or(self.head());
                let again = if seq < self.head() {
                    ", which is replayed,"
                } else {
                    ""
                };
                format!("{key} backs off: seq {seq}{again} failed and will be tried again.")
            }
            KeyStatus::Suspect => format!(
                "{key} waits to run seq {} alone, because its workers died and that event may be the cause.",
                self.head()
            ),
            KeyStatus::Halted if self.is_deadly() => format!(
                "{key} is halted at seq {}: the workers that ran it alone died.",
                self.head()
            ),
            KeyStatus::Halted if self.head_is_held() => format!(
                "{key} is halted at seq {}, which failed permanently.",
                self.head()
            ),
            KeyStatus::Halted if self.has_producers() && self.view.causes.is_empty() => {
                format!("{key} is halted: it has as many producers as it may have.")
            }
            KeyStatus::Halted if self.has_producers() => format!(
                "{key} is halted: {} did not come in time.",
                self.missing_text()
            ),
            KeyStatus::Halted => format!(
                "{key} is halted before seq {}, which has not come in time.",
                self.head()
            ),
            KeyStatus::Paused => self.paused(&key),
            KeyStatus::Unreadable => match &self.view.claim {
                Some(claim) => format!(
                    "{key} cannot be read; {} has it since {}.",
                    self.owner().unwrap_or_default(),
                    self.since_then(claim.since)
                ),
                None => format!("{key} cannot be read."),
            },
        }
    }

    fn asked(&self, asked: RepairView) -> String {
        let at = self.ago(asked.asked_at);
        match asked.times {
            1 => format!(" It was asked for at {at}, and has not come."),
            times => format!(" It was asked for {times} times, last at {at}, and has not come."),
        }
    }

    fn running(&self, key: &str) -> String {
        let Some(claim) = &self.view.claim else {
            return format!("{key} is at work.");
        };
        let (owner, since) = (
            self.owner().unwrap_or_default(),
            self.since_then(claim.since),
        );
        if self.is_operators() {
            return format!("{key} is in the hands of {owner} since {since}, for one verb.");
        }
        if self.view.on_trial {
            return format!(
                "{key} is on trial: {owner} has it since {since} and runs seq {} alone, because workers died and that \
                 event may be the cause.",
                self.head()
            );
        }
        format!("{key} is running: {owner} has it since {since}.")
    }

    fn abandoned(&self, key: &str) -> String {
        let Some(claim) = &self.view.claim else {
            return format!("{key} is at work.");
        };
        let lease = match claim.lease_until {
            Some(until) => format!("whose lease ended at {}", self.ago(until)),
            None => "which has no lease any more".into(),
        };
        let who = if self.is_operators() {
            "an operator who did not come to an end"
        } else {
            "a dead worker"
        };
        let trial = if self.view.on_trial && !self.is_operators() {
            format!("; it ran seq {} alone", self.head())
        } else {
            String::new()
        };
        format!(
            "{key} is behind {who}: {} has it since {}, {lease}{trial}.",
            self.owner().unwrap_or_default(),
            self.since_then(claim.since),
        )
    }

    fn ready(&self, key: &str) -> String {
        let replays: Vec<u64> = self.replays().map(|dead| dead.seq).collect();
        if !replays.is_empty() {
            let seqs = ranges(replays, NAMED);
            return format!("{key} is about to run seq {seqs} again, which an operator replays.");
        }
        let head = self.head();
        match self.view.due {
            Some(due) => format!(
                "{key} is about to run seq {head} again, which failed and is due since {}.",
                self.since_then(due)
            ),
            None => {
                format!("{key} is about to run seq {head}: it is held, and no worker has the key.")
            }
        }
    }

    fn paused(&self, key: &str) -> String {
        let who = match (self.view.paused, self.view.group_paused) {
            (true, false) => format!("{key} is paused{}.", self.until()),
            (true, true) => format!(
                "{key} is paused{}, and so is its whole group.",
                self.until()
            ),
            _ => format!(
                "{key} is paused with its whole group `{}`.",
                printable(self.group.name())
            ),
        };
        let replays: Vec<u64> = self.replays().map(|dead| dead.seq).collect();
        let else_it = if let Some(due) = self.view.due.filter(|due| *due > self.view.now) {
            format!(
                " Else seq {} would be tried again {}.",
                self.seq(KeyStatus::BackingOff).unwrap_or(self.head()),
                self.when(due)
            )
        } else if !replays.is_empty() {
            format!(" Else seq {} would run again.", ranges(replays, NAMED))
        } else if self.head_is_held() {
            format!(" Else seq {} could run.", self.head())
        } else if self.view.held_events > 0 {
            format!(" It also waits for {}.", self.missing_text())
        } else {
            " Nothing of it waits.".into()
        };
        who + &else_it
    }
}
