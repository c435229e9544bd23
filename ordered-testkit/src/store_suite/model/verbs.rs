use fastrand::Rng;
use ordered_core::event::Seq;
use ordered_core::protocol::{KeyState, Verb};

/// What an operator might do to a key in this state.
pub(super) fn some(rng: &mut Rng, key: &KeyState) -> Verb {
    let seq = seq_near(rng, key);
    let maybe = rng.bool().then_some(seq);
    match rng.u32(0..16) {
        0..3 => Verb::Retry,
        3..5 => Verb::Skip { to: maybe },
        5..8 => Verb::Discard { seq },
        8..10 => Verb::Edit {
            seq,
            body: vec![b'e'; rng.usize(0..30)].into(),
        },
        10 => Verb::SetLast {
            to: seq.get() - u64::from(rng.bool()),
        },
        11 => Verb::Pause,
        12..14 => Verb::Resume,
        _ => Verb::Replay { seq: maybe },
    }
}

/// The seq of something that the store keeps, or one around the head.
pub(super) fn seq_near(rng: &mut Rng, key: &KeyState) -> Seq {
    let held = key.held.keys().copied();
    let kept: Vec<u64> = held.chain(key.dead.keys().map(|(_, seq)| *seq)).collect();
    let seq = if kept.is_empty() || rng.u8(..) < 80 {
        (key.last_seq + rng.u64(0..7)).saturating_sub(2)
    } else {
        kept[rng.usize(..kept.len())]
    };
    Seq::new(seq.clamp(1, Seq::MAX.get())).expect("it is in bounds")
}
