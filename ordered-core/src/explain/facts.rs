use super::standing::Standing;
use crate::protocol::{DeadView, KeyView, Millis};
use crate::store::Group;

/// What is known of a key, and what follows from it.
#[derive(Clone, Copy)]
pub(super) struct Facts<'a> {
    pub(super) view: &'a KeyView,
    pub(super) group: &'a Group,
    /// How many workers are alive, if that is known.
    pub(super) alive: Option<usize>,
}

/// An event that failed and is not done.
pub(super) struct Failing<'a> {
    pub(super) seq: u64,
    pub(super) attempts: u32,
    pub(super) error: &'a str,
    pub(super) first_at: Option<Millis>,
    pub(super) last_at: Millis,
    pub(super) worker: Option<&'a str>,
}

impl<'a> Facts<'a> {
    /// The seq whose turn it is.
    pub(super) fn head(&self) -> u64 {
        self.view.last_seq + 1
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

    /// The events that were put aside and are to be run again.
    pub(super) fn replays(&self) -> impl Iterator<Item = &'a DeadView> + use<'a> {
        let (epoch, last) = (self.view.epoch, self.view.last_seq);
        let here = move |dead: &&DeadView| dead.epoch == epoch && dead.seq <= last && dead.replay;
        self.view.dead.iter().filter(here)
    }

    /// The event at work, where a worker has the key.
    pub(super) fn front(&self) -> Option<u64> {
        self.view.claim.as_ref()?.granted.first().copied()
    }

    /// The replay that is at work, or that backs off: while one does, the head is in no trouble.
    fn replay_at_work(&self) -> Option<&'a DeadView> {
        let first = self.replays().next()?;
        let backs_off = self.view.due.is_some() && self.view.trouble.is_none();
        let runs = self.front().is_some_and(|front| front == first.seq);
        (backs_off || runs).then_some(first)
    }

    pub(super) fn failing(&self) -> Option<Failing<'a>> {
        let view = self.view;
        if let Some(dead) = self.replay_at_work() {
            let failed_again = dead.attempts > u32::from(self.front().is_some());
            return failed_again.then_some(Failing {
                seq: dead.seq,
                attempts: dead.attempts,
                error: &dead.error,
                first_at: None,
                last_at: dead.at,
                worker: None,
            });
        }
        view.trouble.as_ref().map(|trouble| Failing {
            seq: self.head(),
            attempts: view.attempts,
            error: &trouble.error,
            first_at: Some(trouble.first_at),
            last_at: trouble.last_at,
            worker: Some(&trouble.worker),
        })
    }

    /// How often the event at work, or at the head, was started.
    pub(super) fn attempts(&self) -> u32 {
        self.replay_at_work()
            .map_or(self.view.attempts, |dead| dead.attempts)
    }

    pub(super) fn pauses(&self) -> Vec<String> {
        let both = [("key", self.view.paused), ("group", self.view.group_paused)];
        let set = both.into_iter().filter(|(_, paused)| *paused);
        set.map(|(name, _)| name.to_owned()).collect()
    }

    pub(super) fn seq(&self, standing: Standing) -> Option<u64> {
        match standing {
            Standing::NeverSeen => None,
            Standing::Running | Standing::Abandoned => self.front(),
            Standing::Ready => self
                .replays()
                .next()
                .map_or(Some(self.head()), |replay| Some(replay.seq)),
            Standing::BackingOff => self
                .failing()
                .map_or(Some(self.head()), |failing| Some(failing.seq)),
            Standing::Idle | Standing::Gap | Standing::Halted | Standing::Paused => {
                Some(self.head())
            }
        }
    }

    pub(super) fn since(&self, standing: Standing) -> Option<Millis> {
        let view = self.view;
        let claim = view.claim.as_ref();
        match standing {
            Standing::NeverSeen | Standing::Idle | Standing::Paused => None,
            Standing::Running => claim.map(|claim| claim.since),
            Standing::Abandoned => claim.and_then(|claim| claim.lease_until),
            Standing::Gap => view.gap_since,
            Standing::BackingOff | Standing::Halted => {
                self.failing().map(|failing| failing.last_at)
            }
            Standing::Ready => view.due,
        }
    }
}
