//! What workers say to the store and what it answers, small enough for a million states; the store itself is
//! `ordered_core`'s `decide`.

use ordered_core::protocol::{Action, Attempt, Fence, Next as RealNext, Verdict};

use crate::bounds::{Bounds, TICK};
use crate::event::Which;
use crate::worker::Item;

/// An [`Action`] of a worker.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Ask {
    Offer(Item),
    Hold(Item),
    Commit { event: Which, fence: u64, have: u64 },
    Retry(Tried),
    Postpone(Tried),
    Halt(Tried),
    DeadLetter { tried: Tried, have: u64 },
    Control(Item),
    Release { fence: u64 },
    Claim,
}

/// An [`Attempt`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Tried {
    pub(crate) event: Which,
    pub(crate) fence: u64,
    pub(crate) number: u32,
}

/// A [`Verdict`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Answer {
    Run {
        fence: u64,
        front: u64,
        attempt: u32,
        repeat: bool,
    },
    Early,
    Held,
    HoldFull,
    Duplicate,
    Stale,
    Conflict,
    Committed {
        next: Vec<Next>,
        front: Option<u64>,
    },
    Postponed,
    Halted,
    Released,
    Claimed {
        fence: u64,
        attempt: u32,
        next: Vec<Next>,
    },
    Idle,
    Fenced,
    Late,
    NotYet,
    Noted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Next {
    pub(crate) event: Which,
    pub(crate) repeat: bool,
}

impl Ask {
    pub(crate) fn item(&self) -> Option<&Item> {
        match self {
            Self::Offer(item) | Self::Hold(item) | Self::Control(item) => Some(item),
            _ => None,
        }
    }

    pub(crate) fn item_mut(&mut self) -> Option<&mut Item> {
        match self {
            Self::Offer(item) | Self::Hold(item) | Self::Control(item) => Some(item),
            _ => None,
        }
    }

    pub(crate) fn fence_mut(&mut self) -> Option<&mut u64> {
        match self {
            Self::Commit { fence, .. } | Self::Release { fence } => Some(fence),
            Self::Retry(tried)
            | Self::Postpone(tried)
            | Self::Halt(tried)
            | Self::DeadLetter { tried, .. } => Some(&mut tried.fence),
            Self::Offer(_) | Self::Hold(_) | Self::Control(_) | Self::Claim => None,
        }
    }

    pub(crate) fn action(&self, bounds: &Bounds) -> Action {
        match self {
            Self::Offer(item) => Action::Offer(item.event(bounds)),
            Self::Hold(item) => Action::Hold(item.event(bounds), bounds.envelope(item.event)),
            Self::Commit { event, fence, have } => Action::Commit {
                event: bounds.event(*event),
                fence: Fence(*fence),
                have: *have,
            },
            Self::Retry(tried) => Action::Retry(tried.attempt(bounds)),
            Self::Postpone(tried) => {
                Action::Postpone(tried.attempt(bounds), bounds.envelope(tried.event), TICK)
            }
            Self::Halt(tried) => Action::Halt(tried.attempt(bounds), bounds.envelope(tried.event)),
            Self::DeadLetter { tried, have } => Action::DeadLetter {
                attempt: tried.attempt(bounds),
                envelope: bounds.envelope(tried.event),
                have: *have,
            },
            Self::Control(item) => bounds.said(item.event).expect("it is no event").action(),
            Self::Release { fence } => Action::Release {
                fence: Fence(*fence),
            },
            Self::Claim => Action::Claim,
        }
    }
}

impl Tried {
    fn attempt(&self, bounds: &Bounds) -> Attempt {
        Attempt {
            event: bounds.event(self.event),
            fence: Fence(self.fence),
            number: self.number,
            error: String::new(),
        }
    }
}

impl Answer {
    pub(crate) fn of(verdict: Verdict, bounds: &Bounds) -> Self {
        let small = |next: Vec<RealNext>| -> Vec<Next> {
            let small = |next: RealNext| Next {
                event: bounds.which(next.seq.get(), &next.id),
                repeat: next.repeat,
            };
            next.into_iter().map(small).collect()
        };
        match verdict {
            Verdict::Run(grant) => Self::Run {
                fence: grant.fence.0,
                front: grant.front,
                attempt: grant.attempt,
                repeat: grant.repeat,
            },
            Verdict::Early(_) => Self::Early,
            Verdict::Held(_) => Self::Held,
            Verdict::HoldFull(_) => Self::HoldFull,
            Verdict::Duplicate => Self::Duplicate,
            Verdict::Stale => Self::Stale,
            Verdict::Conflict { .. } => Self::Conflict,
            Verdict::Committed { next, front } => Self::Committed {
                next: small(next),
                front,
            },
            Verdict::Postponed { .. } => Self::Postponed,
            Verdict::Halted => Self::Halted,
            Verdict::Released => Self::Released,
            Verdict::Claimed {
                fence,
                attempt,
                next,
            } => Self::Claimed {
                fence: fence.0,
                attempt,
                next: small(next),
            },
            Verdict::Idle => Self::Idle,
            Verdict::Fenced => Self::Fenced,
            Verdict::Late => Self::Late,
            Verdict::NotYet => Self::NotYet,
            Verdict::Noted => Self::Noted,
            Verdict::Operated(_) | Verdict::Refused(_) => {
                unreachable!("no worker is answered like this")
            }
        }
    }

    pub(crate) fn fence_mut(&mut self) -> Option<&mut u64> {
        match self {
            Self::Run { fence, .. } | Self::Claimed { fence, .. } => Some(fence),
            _ => None,
        }
    }
}
