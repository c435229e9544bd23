use super::NextStep;
use super::explainer::Explainer;
use super::status::KeyStatus;
use crate::protocol::{GapPolicy, Millis, Order, Start};
use crate::readable::{exactly, moment, span};

const SWEEP: &str =
    "at the next sweep of a living worker, which is every second unless set otherwise";

const TAKEOVER: &str =
    "another worker takes it over within two sweeps, which are a second apart unless set otherwise";

impl Explainer<'_> {
    pub(super) fn next_step(&self, status: KeyStatus) -> Option<NextStep> {
        let soon = |what: String| Some(NextStep { what, at: None });
        match status {
            KeyStatus::Paused => self.end_of_pause(),
            KeyStatus::NeverSeen | KeyStatus::Halted | KeyStatus::Unreadable => None,
            KeyStatus::Idle => soon(self.next_to_come()),
            KeyStatus::Running => self.handover(),
            KeyStatus::Abandoned if self.is_paused() => None,
            KeyStatus::Abandoned => soon(TAKEOVER.to_owned()),
            KeyStatus::Suspect => soon(
                "a worker runs it alone when no other suspect is on trial there; if it dies again, that counts against \
                 the event, and otherwise the key goes on"
                    .to_owned(),
            ),
            KeyStatus::Ready => soon(format!("a worker takes it {SWEEP}")),
            KeyStatus::Gap => self.end_of_gap(),
            KeyStatus::BackingOff => self.view.due.map(|due| NextStep {
                what: self.next_attempt(due),
                at: Some(due),
            }),
        }
    }

    fn next_to_come(&self) -> String {
        match self.group.policy().order {
            Order::Sequence => format!("it goes on when seq {} comes", self.head()),
            Order::Arrival => "it goes on with the next event that comes".to_owned(),
            Order::Lamport => {
                "it goes on with the next event that comes, once nothing of another producer can come \
                 before it".to_owned()
            }
            Order::Causal => {
                "it goes on with the next event that comes of any producer, and whose causes have run".to_owned()
            }
            Order::Monotonic { .. } => {
                format!(
                    "it goes on when a version above {} comes",
                    self.view.last_seq
                )
            }
        }
    }

    fn end_of_pause(&self) -> Option<NextStep> {
        let at = self.view.paused_until.filter(|_| !self.view.group_paused)?;
        let when = if at > self.view.now {
            self.when(at)
        } else {
            SWEEP.to_owned()
        };
        Some(NextStep {
            what: format!("the pause ends {when}, and the key goes on"),
            at: Some(at),
        })
    }

    /// ` until 12:01:17 UTC`, where the key's pause ends by itself.
    pub(super) fn until(&self) -> String {
        let end = self.view.paused_until.map(|at| moment(at, self.view.now));
        end.map(|end| format!(" until {end}")).unwrap_or_default()
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

    fn next_attempt(&self, due: Millis) -> String {
        let again = format!("it is tried again {}", self.when(due));
        if self.replay_backing_off().is_some() {
            let most = self.group.policy().replay_attempts();
            return format!("{again}, attempt {} of {most}", self.failures() + 1);
        }
        let attempt = format!("attempt {}{}", self.failures() + 1, self.of_attempts());
        match self.give_up_at() {
            Some(at) if at > due => {
                let now = self.view.now;
                format!(
                    "{again}, {attempt}; if it still fails at {}, it is given up",
                    moment(at, now)
                )
            }
            Some(_) => format!("{again}, {attempt}, the last"),
            None => format!("{again}, {attempt}"),
        }
    }

    fn handover(&self) -> Option<NextStep> {
        let claim = self.view.claim.as_ref()?;
        let until = claim.lease_until?;
        let ends = moment(until, self.view.now);
        let what = if self.is_operators() {
            format!(
                "it is given up when the verb is done, after {ends} at the latest, the end of the operator's lease"
            )
        } else if self.is_paused() {
            "the worker finishes the event that it runs, and gives the key back".to_owned()
        } else if claim.hand_over {
            format!(
                "the worker hands it over at the end of the event at work; if {} dies, another worker takes the key \
                 over after {ends}, the end of its lease",
                claim.worker
            )
        } else if self.view.on_trial {
            format!(
                "it goes on when the handler is done; if {} dies, that is death {} of {} of a worker that runs it \
                 alone",
                claim.worker,
                self.view.crashes + 1,
                self.group.policy().max_crashes
            )
        } else {
            format!(
                "it goes on when the handler is done; if {} dies, another worker takes the key over after {ends}, the \
                 end of its lease",
                claim.worker
            )
        };
        Some(NextStep { what, at: None })
    }

    fn end_of_gap(&self) -> Option<NextStep> {
        if let Some(beginning) = self.beginning() {
            return beginning;
        }
        if self.waits_for_producers() {
            return self.end_of_silence();
        }
        let policy = self.group.policy().on_gap;
        let asked = self.view.repair.map(|asked| (asked.asked_at, asked.times));
        let then = match policy {
            GapPolicy::Wait => return None,
            GapPolicy::Skip { .. } if self.has_producers() => {
                "it is passed over {}, and what waits for it runs".to_owned()
            }
            GapPolicy::Skip { .. } => {
                let next = self.first_held()?;
                format!("it is passed over {{}}, and the key goes on with seq {next}")
            }
            GapPolicy::Halt { .. } => "the key is halted {}".to_owned(),
            GapPolicy::Repair { .. } if asked.is_some() => "it is asked for again {}".to_owned(),
            GapPolicy::Repair { .. } => "it is asked for {}".to_owned(),
        };
        let at = policy.deadline(self.view.gap_since?, asked)?;
        let when = if at > self.view.now {
            self.when(at)
        } else {
            format!(
                "{SWEEP}: its time was over at {}",
                moment(at, self.view.now)
            )
        };
        Some(NextStep {
            what: format!("{} ({})", then.replace("{}", &when), self.gap_policy()),
            at: Some(at),
        })
    }

    /// When an event runs that waits for what other producers may still send.
    fn end_of_silence(&self) -> Option<NextStep> {
        let policy = self.group.policy();
        let lease = format!("producer_lease = {}", exactly(policy.producer_lease));
        let why = match policy.max_delay {
            Some(delay) => format!("{lease}, max_delay = {}", exactly(delay)),
            None => lease,
        };
        let at = self.view.release_at;
        let otherwise = match at {
            Some(at) if at > self.view.now => format!("; otherwise {}", self.when(at)),
            Some(_) => format!("; otherwise {SWEEP}"),
            None => String::new(),
        };
        Some(NextStep {
            what: format!(
                "it goes on when each of them sends an event or shows its clock{otherwise} ({why})"
            ),
            at,
        })
    }

    /// When a key begins whose beginning is the smallest seq that comes; nothing of another one.
    fn beginning(&self) -> Option<Option<NextStep>> {
        let Start::FirstSeen { settle } = self.group.policy().start else {
            return None;
        };
        if !self.is_at_its_beginning() {
            return None;
        }
        let (Some(since), Some(first)) = (self.view.gap_since, self.first_held()) else {
            return Some(None);
        };
        let settle_millis = Millis::try_from(settle.as_millis()).unwrap_or(Millis::MAX);
        let at = since.saturating_add(settle_millis);
        let when = if at > self.view.now {
            self.when(at)
        } else {
            SWEEP.to_owned()
        };
        Some(Some(NextStep {
            what: format!(
                "it begins with seq {first} {when}, unless a smaller one comes first (start = first_seen, settle = {})",
                exactly(settle)
            ),
            at: Some(at),
        }))
    }

    pub(super) fn gap_policy(&self) -> String {
        match self.group.policy().on_gap {
            GapPolicy::Wait => "on_gap = wait".into(),
            GapPolicy::Skip { after } => format!("on_gap = skip after {}", exactly(after)),
            GapPolicy::Halt { after } => format!("on_gap = halt after {}", exactly(after)),
            GapPolicy::Repair { after } => format!("on_gap = repair after {}", exactly(after)),
        }
    }
}
