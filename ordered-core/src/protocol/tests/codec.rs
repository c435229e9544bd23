//! The body of a record.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::event::EventId;
use crate::logical::VectorClock;
use crate::protocol::Fence;
use crate::protocol::{
    Anchor, CorruptBody, KeyState, LastError, Pause, Phase, Producers, RepairAsked, SeqSet,
    Skipped, Stamp,
};

/// A moment as fences have it, in milliseconds.
const NOW: u64 = 1_764_000_000_123;

fn fence(millis: u64) -> Fence {
    Fence(millis * 1_000 + 456)
}

fn idle(last_seq: u64, below: u64, at: u64) -> KeyState {
    let seq = last_seq - below;
    KeyState {
        last_seq,
        anchors: vec![Anchor { seq, at }],
        ..KeyState::default()
    }
}

#[test]
fn the_body_of_an_idle_key_is_small() {
    let bare = KeyState::new(1);
    assert_eq!(bare.encode(fence(NOW)).len(), 3);
    for (below, before) in [(1, 0), (100, 30_000), (127, 63_000)] {
        let state = idle(16_383, below, NOW - before);
        assert!(state.encode(fence(NOW)).len() <= 6);
    }
    let old = idle(16_383, 16_383, NOW - 2 * 60 * 60 * 1_000);
    assert!(old.encode(fence(NOW)).len() <= 8);
}

#[test]
fn an_anchor_stays_where_it_is_however_often_it_is_saved() {
    let mut state = idle(5, 1, NOW);
    for save in 0..1_000 {
        let fence = fence(NOW + save * 77);
        state = KeyState::decode(&state.encode(fence), fence).unwrap();
    }
    assert_eq!(state.anchors[0].at, NOW / 1_000 * 1_000);
}

#[test]
fn a_later_version_is_refused_with_what_to_do() {
    let error = KeyState::decode(&[9, 1, 2], Fence(0)).unwrap_err();
    assert_eq!(error, CorruptBody::Version(9));
    let text = error.to_string();
    assert!(
        text.contains("later version") && text.contains("update"),
        "{text}"
    );
}

#[test]
fn damage_is_told() {
    let whole = KeyState {
        paused: Pause::UntilResumed,
        ..KeyState::new(7)
    };
    let body = whole.encode(Fence(0));
    for damaged in [&b""[..], &body[..body.len() - 1], &[1], &[1, 0x80]] {
        let error = KeyState::decode(damaged, Fence(0)).unwrap_err();
        assert!(matches!(error, CorruptBody::Damaged(_)), "{error}");
    }
}

fn seqs() -> impl Strategy<Value = SeqSet> {
    prop::collection::vec(1..500_u64, 0..20).prop_map(|seqs| seqs.into_iter().collect())
}

fn phase() -> impl Strategy<Value = Phase> {
    prop_oneof![
        Just(Phase::Open),
        any::<(u64, u64)>().prop_map(|(until, wait)| Phase::BackingOff { until, wait }),
        any::<u64>().prop_map(|since| Phase::Halted { since }),
    ]
}

prop_compose! {
    fn last_error()(text in ".{0,40}", worker in "[a-z]{0,8}", first_at: u64, last_at: u64) -> LastError {
        LastError { error: text, first_at, last_at, worker }
    }
}

fn pause() -> impl Strategy<Value = Pause> {
    prop_oneof![
        Just(Pause::No),
        Just(Pause::UntilResumed),
        any::<(u64, u64)>().prop_map(|(at, length)| Pause::Until { at, length }),
    ]
}

#[test]
fn a_pause_is_written_as_the_flag_that_it_was() {
    for (pause, flag) in [(Pause::No, false), (Pause::UntilResumed, true)] {
        let bytes = postcard::to_extend(&flag, Vec::new()).unwrap();
        assert_eq!(postcard::from_bytes(&bytes), Ok(pause));
        assert_eq!(postcard::to_extend(&pause, Vec::new()), Ok(bytes));
    }
}

prop_compose! {
    fn counters()(
        last_seq in prop_oneof![0..100_u64, any::<u64>()],
        epoch: u64,
        attempts: u32,
        crashes: u32,
        unfinished: u32,
        on_trial: bool,
        tried_at: u64,
        paused in pause(),
        gap_since: Option<u64>,
        repair in prop::option::of(any::<(u64, u64, u32)>()),
    ) -> KeyState {
        KeyState {
            last_seq, epoch, attempts, crashes, unfinished, on_trial, tried_at, paused, gap_since,
            repair: repair.map(|(seq, at, times)| RepairAsked { seq, at, times }),
            ..KeyState::default()
        }
    }
}

fn anchors() -> impl Strategy<Value = Vec<Anchor>> {
    let anchor = (any::<u64>(), any::<u64>()).prop_map(|(seq, at)| Anchor { seq, at });
    prop::collection::vec(anchor, 0..4)
}

prop_compose! {
    fn state()(
        counters in counters(),
        phase in phase(),
        last_error in prop::option::of(last_error()),
        (held, absent) in (seqs(), seqs()),
        skipped in prop::collection::vec(any::<(u64, u64, u64)>(), 0..4),
        dead in prop::collection::btree_map(any::<u64>(), seqs(), 0..3),
        replays in prop::collection::btree_map(any::<u64>(), any::<u32>(), 0..3),
        anchors in anchors(),
    ) -> KeyState {
        let skipped = skipped.into_iter().map(|(from, to, until)| Skipped { from, to, until });
        let dead: BTreeMap<u64, SeqSet> = dead;
        KeyState {
            phase, last_error, held, absent, skipped: skipped.collect(), dead, replays, anchors,
            ..counters
        }
    }
}

fn producers() -> impl Strategy<Value = Producers> {
    let event = (
        0..3_usize,
        1..9_u64,
        prop::collection::btree_map("[a-c]", 1..9_u64, 0..3),
    );
    let event = (event, any::<bool>());
    prop::collection::vec(event, 0..8).prop_map(|events| {
        let mut producers = Producers::default();
        for ((producer, seq, mut counts), waits) in events {
            let name = ["a", "b", "c"][producer];
            counts.insert(name.to_owned(), seq);
            let clock = VectorClock::try_from(counts).unwrap();
            let stamp = Stamp::causal(name, clock).unwrap();
            let id = EventId::new("x").unwrap();
            let timed = Stamp::lamport(name, seq, seq + 7).unwrap();
            if waits {
                producers.wait(&stamp, &id, seq, 9).unwrap();
                producers.wait(&timed, &id, seq, 9).unwrap();
            } else {
                producers.count(&stamp, &id, (seq, 3), seq);
                producers.count(&timed, &id, (seq, 3), seq);
                producers.show("a", (seq, 7), seq, 9).unwrap();
                producers.leave("b", (seq, seq + 7), 9).unwrap();
                producers.posted(stamp.slot() ^ 1);
            }
        }
        producers
    })
}

proptest! {
    #[test]
    fn what_is_known_of_producers_is_read_again(
        state in state(),
        producers in producers(),
        fence: u64,
    ) {
        let fence = Fence(fence);
        let state = KeyState { producers, ..state };
        let body = state.encode(fence);
        prop_assert_eq!(KeyState::decode(&body, fence), Ok(state.clone()));
        if !state.producers.is_empty() {
            let cut = KeyState::decode(&body[..body.len() - 1], fence);
            prop_assert!(matches!(cut, Err(CorruptBody::Damaged(_))));
        }
    }

    #[test]
    fn what_is_saved_is_read_again(state in state(), fence: u64) {
        let fence = Fence(fence);
        let again = KeyState::decode(&state.encode(fence), fence);
        prop_assert_eq!(again, Ok(state));
    }

    #[test]
    fn of_an_idle_key_too_but_for_the_milliseconds_of_its_anchor(
        last_seq: u64,
        below: u64,
        at in prop_oneof![0..10_000_u64, 0..4 * NOW],
        fence: u64,
    ) {
        let state = idle(last_seq, below % last_seq.saturating_add(1).max(1), at);
        let fence = Fence(fence);
        let again = KeyState::decode(&state.encode(fence), fence).unwrap();
        let rounded = idle(last_seq, last_seq - state.anchors[0].seq, at / 1_000 * 1_000);
        prop_assert_eq!(again, rounded);
    }

    #[test]
    fn arbitrary_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = KeyState::decode(&body, Fence(0));
    }
}
