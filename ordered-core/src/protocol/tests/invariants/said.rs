use std::time::Duration;

use proptest::prelude::*;

use crate::event::{Envelope, Seq};
use crate::protocol::tests::scene::{Scene, event, id_of};
use crate::protocol::{Action, Attempt, Fence, Verb};

/// A command, with places relative to where the key is.
#[derive(Debug, Clone)]
pub(super) enum Said {
    Offer(u64, bool, Option<u64>),
    Hold(u64, usize),
    Commit {
        ahead: u64,
        fence_back: u64,
        have: u64,
    },
    Retry(u32),
    Postpone(u64),
    Halt,
    DeadLetter(u64),
    Release,
    Claim,
    Fill(u64, u64),
    Reset(u64, Option<u64>),
    Operate(Wish),
}

#[derive(Debug, Clone)]
pub(super) enum Wish {
    Retry,
    Skip(Option<u64>),
    Discard(u64),
    Edit(u64, usize),
    SetLast(u64),
    Pause,
    Resume,
    Replay(Option<u64>),
}

fn wish() -> impl Strategy<Value = Wish> {
    prop_oneof![
        2 => Just(Wish::Retry),
        1 => prop::option::of(0..5_u64).prop_map(Wish::Skip),
        2 => (0..6_u64).prop_map(Wish::Discard),
        1 => (0..6_u64, 0..40_usize).prop_map(|(at, bytes)| Wish::Edit(at, bytes)),
        1 => (0..6_u64).prop_map(Wish::SetLast),
        1 => Just(Wish::Pause),
        2 => Just(Wish::Resume),
        2 => prop::option::of(0..6_u64).prop_map(Wish::Replay),
    ]
}

pub(super) fn said() -> impl Strategy<Value = Said> {
    let odd = prop::bool::weighted(0.1);
    let epoch = prop::option::weighted(0.1, 0..3_u64);
    prop_oneof![
        10 => (0..8_u64, odd, epoch).prop_map(|(at, odd, epoch)| Said::Offer(at, odd, epoch)),
        10 => (0..8_u64, 0..40_usize).prop_map(|(at, bytes)| Said::Hold(at, bytes)),
        16 => (0..3_u64, prop::bool::weighted(0.1), 0..5_u64).prop_map(|(ahead, old, have)| {
            Said::Commit { ahead, fence_back: u64::from(old), have }
        }),
        2 => (0..3_u32).prop_map(Said::Retry),
        3 => (0..400_u64).prop_map(Said::Postpone),
        2 => Just(Said::Halt),
        4 => (0..5_u64).prop_map(Said::DeadLetter),
        2 => Just(Said::Release),
        5 => Just(Said::Claim),
        4 => (0..6_u64, 0..4_u64).prop_map(|(at, more)| Said::Fill(at, more)),
        1 => (0..8_u64, prop::option::of(0..4_u64)).prop_map(|(at, epoch)| Said::Reset(at, epoch)),
        8 => wish().prop_map(Said::Operate),
    ]
}

fn seq(number: u64) -> Seq {
    Seq::new(number.max(1)).expect("it is in bounds")
}

impl Wish {
    fn verb(&self, last: u64) -> Verb {
        let at = |ahead: &u64| seq((last + ahead).saturating_sub(2));
        match self {
            Self::Retry => Verb::Retry,
            Self::Skip(to) => Verb::Skip {
                to: to.as_ref().map(at),
            },
            Self::Discard(place) => Verb::Discard { seq: at(place) },
            Self::Edit(place, bytes) => Verb::Edit {
                seq: at(place),
                body: vec![0; *bytes].into(),
            },
            Self::SetLast(to) => Verb::SetLast { to: at(to).get() },
            Self::Pause => Verb::Pause,
            Self::Resume => Verb::Resume,
            Self::Replay(only) => Verb::Replay {
                seq: only.as_ref().map(at),
            },
        }
    }
}

impl Said {
    pub(super) fn action(&self, scene: &Scene) -> Action {
        let key = &scene.key;
        let at = |ahead: u64| (key.last_seq + ahead).saturating_sub(1).max(1);
        let front = key.claim.as_ref().and_then(|claim| claim.granted.front());
        let front = front.map_or_else(
            || event(key.head(), &id_of(key.head())),
            |front| event(front.seq, front.id.as_str()),
        );
        let attempt = |more: u32| Attempt {
            event: front.clone(),
            fence: key.fence,
            number: key.attempts + more,
            error: "no".into(),
        };
        let have = |have: u64| (key.last_seq + have).min(key.granted_upto());
        match self {
            Self::Offer(ahead, odd, epoch) => {
                let id = if *odd {
                    "odd".into()
                } else {
                    id_of(at(*ahead))
                };
                let mut event = event(at(*ahead), &id);
                event.epoch = *epoch;
                Action::Offer(event)
            }
            Self::Hold(ahead, bytes) => {
                let envelope = Envelope::new(vec![0; *bytes]);
                Action::Hold(event(at(*ahead), &id_of(at(*ahead))), envelope)
            }
            Self::Commit {
                ahead,
                fence_back,
                have: more,
            } => {
                let other = (key.last_seq + ahead).max(1);
                Action::Commit {
                    event: if *ahead == 1 {
                        front
                    } else {
                        event(other, &id_of(other))
                    },
                    fence: Fence(key.fence.0.saturating_sub(*fence_back)),
                    have: have(*more),
                }
            }
            Self::Retry(more) => Action::Retry(attempt(*more)),
            Self::Postpone(millis) => Action::Postpone(
                attempt(0),
                Envelope::new("late"),
                Duration::from_millis(*millis),
            ),
            Self::Halt => Action::Halt(attempt(0), Envelope::new("bad")),
            Self::DeadLetter(more) => Action::DeadLetter {
                attempt: attempt(0),
                envelope: Envelope::new("dead"),
                have: have(*more),
            },
            Self::Release => Action::Release { fence: key.fence },
            Self::Claim => Action::Claim,
            Self::Fill(ahead, more) => Action::Fill {
                from: seq(at(*ahead)),
                to: seq(at(*ahead) + more),
            },
            Self::Reset(ahead, epoch) => Action::Reset {
                at: seq(at(*ahead)),
                epoch: *epoch,
            },
            Self::Operate(wish) => Action::Operate(wish.verb(key.last_seq)),
        }
    }
}
