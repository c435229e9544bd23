use super::status::KeyStatus;
use crate::protocol::{CauseView, DeadView, HolderView, KeyView, Millis, WorkerId};
use crate::readable::{moment, printable, spans};
use crate::store::Group;

/// How many ranges, and how many events of producers a paragraph names.
const NAMED: usize = 5;

fn cause(cause: &CauseView) -> String {
    let CauseView { producer, from, to } = cause;
    let producer = printable(producer);
    if from == to {
        format!("event {from} of {producer}")
    } else {
        format!("events {from} to {to} of {producer}")
    }
}

/// Works out from the view of a key what it does, why, and what will happen.
#[derive(Clone, Copy)]
pub(super) struct Explainer<'a> {
    pub(super) view: &'a KeyView,
    pub(super) group: &'a Group,
    /// How many workers are alive, if that is known.
    pub(super) alive: Option<usize>,
}

/// The event at the head, which failed and is not done.
pub(super) struct FailedHead<'a> {
    /// How often it failed, without the deaths of its workers.
    pub(super) failures: u32,
    pub(super) error: &'a str,
    pub(super) first_at: Millis,
    pub(super) last_at: Millis,
    pub(super) worker: &'a str,
}

impl<'a> Explainer<'a> {
    /// The seq whose turn it is.
    pub(super) fn head(&self) -> u64 {
        self.view.next_seq
    }

    pub(super) fn first_held(&self) -> Option<u64> {
        self.view.held.first().map(|held| held.seq)
    }

    pub(super) fn head_is_held(&self) -> bool {
        self.first_held() == Some(self.head())
    }

    pub(super) fn is_halted(&self) -> bool {
        self.view.phase == "halted"
    }

    /// The ranges before the first held event that have not come, and may still.
    pub(super) fn missing(&self) -> Vec<(u64, u64)> {
        let Some(first) = self.first_held() else {
            return Vec::new();
        };
        let (mut from, mut missing) = (self.head(), Vec::new());
        for (absent, to) in &self.view.absent {
            if *absent >= first {
                break;
            }
            if *absent > from {
                missing.push((from, absent - 1));
            }
            from = from.max(to + 1);
        }
        if from < first {
            missing.push((from, first - 1));
        }
        missing
    }

    /// Whether the first event that waits does so for what other producers may still send, and for no event that is
    /// missing.
    pub(super) fn waits_for_producers(&self) -> bool {
        self.view.causes.is_empty() && !self.view.holders.is_empty()
    }

    /// Whether the order of the group comes from the producers.
    pub(super) fn has_producers(&self) -> bool {
        self.group.policy().order.has_producers()
    }

    /// What has not come and is waited for: `event 3 of ada, events 2 to 5 of bob`, or seqs of the key.
    pub(super) fn missing_text(&self) -> String {
        if !self.has_producers() {
            return format!("seq {}", spans(&self.missing(), NAMED));
        }
        let mut causes: Vec<String> = self.view.causes.iter().take(NAMED).map(cause).collect();
        if self.view.causes.len() > NAMED {
            causes.push(format!("{} others", self.view.causes.len() - NAMED));
        }
        if self.waits_for_producers() {
            return self.holders_text();
        }
        if causes.is_empty() {
            return "a worker that reads what was posted".to_owned();
        }
        causes.join(", ")
    }

    /// `bob (its clock is at 7, silent since 11:57:00 UTC)`.
    fn holders_text(&self) -> String {
        let now = self.view.now;
        let silent = |holder: &HolderView| {
            let (producer, since) = (printable(&holder.producer), moment(holder.since, now));
            format!(
                "{producer} (its clock is at {}, silent since {since})",
                holder.time
            )
        };
        let mut named: Vec<String> = self.view.holders.iter().take(NAMED).map(silent).collect();
        if self.view.holders.len() > NAMED {
            named.push(format!("{} others", self.view.holders.len() - NAMED));
        }
        named.join(", ")
    }

    /// The events that were dead-lettered and are to be run again.
    pub(super) fn replays(&self) -> impl Iterator<Item = &'a DeadView> + use<'a> {
        let (epoch, head) = (self.view.epoch, self.view.next_seq);
        let here = move |dead: &&DeadView| dead.epoch == epoch && dead.seq < head && dead.replay;
        self.view.dead.iter().filter(here)
    }

    /// The replay that failed and backs off.
    pub(super) fn replay_backing_off(&self) -> Option<&'a DeadView> {
        let first = self.replays().next()?;
        let backs_off = self.view.phase == "backing_off" && first.replay_attempts > 0;
        backs_off.then_some(first)
    }

    /// What went wrong with the event at the head.
    pub(super) fn failed_head(&self) -> Option<FailedHead<'a>> {
        let view = self.view;
        view.last_error.as_ref().map(|last| FailedHead {
            failures: view.attempts.saturating_sub(view.deaths),
            error: &last.error,
            first_at: last.first_at,
            last_at: last.last_at,
            worker: &last.worker,
        })
    }

    /// How often the event that backs off, or is at the head, failed.
    pub(super) fn failures(&self) -> u32 {
        let head = || self.view.attempts.saturating_sub(self.view.deaths);
        self.replay_backing_off()
            .map_or_else(head, |dead| dead.replay_attempts)
    }

    /// ` of 5`, where attempts are counted.
    pub(super) fn of_attempts(&self) -> String {
        let most = self.group.policy().max_attempts;
        most.map(|most| format!(" of {most}")).unwrap_or_default()
    }

    /// When the event that backs off is given up, if it still fails then.
    pub(super) fn give_up_at(&self) -> Option<Millis> {
        if self.replay_backing_off().is_some() {
            return None;
        }
        let after = self.group.policy().give_up_after?;
        let after = Millis::try_from(after.as_millis()).unwrap_or(Millis::MAX);
        Some(self.failed_head()?.first_at.saturating_add(after))
    }

    /// Whether the key is halted because its workers died of the event at the head.
    pub(super) fn is_deadly(&self) -> bool {
        self.is_halted() && self.view.crashes >= self.group.policy().max_crashes
    }

    /// The worker or the operator that has the key, alive or dead, as a name.
    pub(super) fn owner(&self) -> Option<String> {
        let worker = WorkerId::new(&self.view.claim.as_ref()?.worker);
        Some(match worker.operator_name() {
            Some(operator) => format!("operator {}", printable(operator)),
            None => format!("worker {}", printable(worker.as_str())),
        })
    }

    /// Whether it is an operator that has the key.
    pub(super) fn is_operators(&self) -> bool {
        let claim = self.view.claim.as_ref();
        claim.is_some_and(|claim| WorkerId::new(&claim.worker).is_operator())
    }

    pub(super) fn pauses(&self) -> Vec<String> {
        let both = [("key", self.view.paused), ("group", self.view.group_paused)];
        let set = both.into_iter().filter(|(_, paused)| *paused);
        set.map(|(name, _)| name.to_owned()).collect()
    }

    pub(super) fn seq(&self, status: KeyStatus) -> Option<u64> {
        match status {
            KeyStatus::NeverSeen | KeyStatus::Unreadable => None,
            // What runs is known to the owner only, unless it is on trial.
            KeyStatus::Running | KeyStatus::Abandoned => self.view.on_trial.then_some(self.head()),
            KeyStatus::Ready => self
                .replays()
                .next()
                .map_or(Some(self.head()), |replay| Some(replay.seq)),
            KeyStatus::BackingOff => self
                .replay_backing_off()
                .map_or(Some(self.head()), |replay| Some(replay.seq)),
            KeyStatus::Idle
            | KeyStatus::Suspect
            | KeyStatus::Gap
            | KeyStatus::Halted
            | KeyStatus::Paused => Some(self.head()),
        }
    }

    pub(super) fn since(&self, status: KeyStatus) -> Option<Millis> {
        let view = self.view;
        let claim = view.claim.as_ref();
        match status {
            KeyStatus::NeverSeen | KeyStatus::Idle | KeyStatus::Paused | KeyStatus::Unreadable => {
                None
            }
            KeyStatus::Running => claim.map(|claim| claim.since),
            KeyStatus::Abandoned => claim.and_then(|claim| claim.lease_until),
            KeyStatus::Gap => view.gap_since,
            // A replay that fails leaves no time behind.
            KeyStatus::BackingOff if self.replay_backing_off().is_some() => None,
            KeyStatus::BackingOff | KeyStatus::Suspect | KeyStatus::Halted => {
                self.failed_head().map(|failed_head| failed_head.last_at)
            }
            KeyStatus::Ready => view.due,
        }
    }
}
