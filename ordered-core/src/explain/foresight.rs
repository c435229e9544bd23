use std::time::Duration;

use super::Foreseen;
use super::facts::Facts;
use super::standing::Standing;
use super::words::{exactly, moment, span};
use crate::protocol::{GapPolicy, Millis};

const SWEEP: &str =
    "at the next sweep of a living worker, which is every second unless set otherwise";

impl Facts<'_> {
    pub(super) fn foreseen(&self, standing: Standing) -> Option<Foreseen> {
        let soon = |what: String| Some(Foreseen { what, at: None });
        match standing {
            Standing::NeverSeen | Standing::Halted | Standing::Paused => None,
            Standing::Idle => soon(format!("it goes on when seq {} comes", self.head())),
            Standing::Running => self.handover(),
            Standing::Abandoned if self.is_paused() => None,
            Standing::Abandoned => soon(self.takeover()),
            Standing::Ready => soon(format!("a worker takes it {SWEEP}")),
            Standing::Gap => self.end_of_gap(),
            Standing::BackingOff => self.view.due.map(|due| Foreseen {
                what: format!(
                    "it is tried again {}, attempt {} of {}",
                    self.when(due),
                    self.attempts() + 1,
                    self.group.policy().max_attempts
                ),
                at: Some(due),
            }),
        }
    }

    pub(super) fn is_paused(&self) -> bool {
        self.view.paused || self.view.group_paused
    }

    /// `at 12:01:17 UTC (in 10 s)`.
    pub(super) fn when(&self, at: Millis) -> String {
        let now = self.view.now;
        format!(
            "at {} (in {})",
            moment(at, now),
            span(at.saturating_sub(now))
        )
    }

    fn handover(&self) -> Option<Foreseen> {
        let claim = self.view.claim.as_ref()?;
        let until = claim.lease_until?;
        let what = if self.is_paused() {
            "the worker finishes the event that it runs, and gives the key back".to_owned()
        } else {
            format!(
                "it goes on when the handler is done; if {} dies, another worker takes the key over after {}, the end of \
                 its lease",
                claim.worker,
                moment(until, self.view.now)
            )
        };
        Some(Foreseen { what, at: None })
    }

    fn takeover(&self) -> String {
        if self.head_is_held() || self.replays().next().is_some() {
            format!("another worker takes it over {SWEEP}")
        } else {
            format!(
                "another worker takes it over when the broker delivers seq {} again",
                self.head()
            )
        }
    }

    fn end_of_gap(&self) -> Option<Foreseen> {
        let (then, after) = match self.group.policy().on_gap {
            GapPolicy::Wait => return None,
            GapPolicy::Skip { after } => {
                let next = self.first_held()?;
                (
                    format!("it is passed over {{}}, and the key goes on with seq {next}"),
                    after,
                )
            }
            GapPolicy::Halt { after } => ("the key is halted {}".to_owned(), after),
        };
        let at = self.view.gap_since?.saturating_add(millis(after));
        let when = if at > self.view.now {
            self.when(at)
        } else {
            format!(
                "{SWEEP}: its time was over at {}",
                moment(at, self.view.now)
            )
        };
        Some(Foreseen {
            what: format!("{} ({})", then.replace("{}", &when), self.gap_policy()),
            at: Some(at),
        })
    }

    pub(super) fn gap_policy(&self) -> String {
        match self.group.policy().on_gap {
            GapPolicy::Wait => "on_gap = wait".into(),
            GapPolicy::Skip { after } => format!("on_gap = skip after {}", exactly(after)),
            GapPolicy::Halt { after } => format!("on_gap = halt after {}", exactly(after)),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
