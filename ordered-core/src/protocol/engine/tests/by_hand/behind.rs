//! Events behind a queue that is as deep as it may be, and mailboxes without room.

use super::*;
use crate::protocol::QuotaLimit;
use crate::protocol::engine::DeferReason;

fn deep(lane_depth: u32) -> Bench {
    Bench::with(|rules| rules.policy.lane_depth = lane_depth)
}

#[test]
fn they_follow_when_there_is_room_and_are_never_held() {
    let mut bench = deep(2);
    let mut w = bench.worker("w");
    bench.deliver_all(&mut w, 1..=6);
    let one_by_one = [1, 2, 3, 4, 5, 6].map(|seq| (seq, seq));
    assert_eq!(bench.run_all(&mut w), one_by_one);
    assert_eq!(
        w.settled(),
        [1, 2, 3, 4, 5, 6].map(|seq| (seq, EventOutcome::Committed))
    );
}

#[test]
fn what_waits_too_long_is_held() {
    let mut bench = deep(2);
    let mut w = bench.worker("w");
    bench.deliver_all(&mut w, 1..=5);
    bench.settle(&mut w);
    assert_eq!(w.begin(), Some((1, 1)));
    for _ in 0..2 {
        w.engine.tick();
        assert_eq!(
            bench.exchange(&mut w),
            [],
            "half of the time may be over at once"
        );
    }
    w.engine.tick();
    w.engine.tick();
    bench.settle(&mut w);
    assert_eq!(w.settled(), [3, 4, 5].map(|seq| (seq, EventOutcome::Held)));
    w.run = None;
    assert_eq!(bench.held(), 3);
}

#[test]
fn what_has_no_room_stays_with_the_broker_and_holds_nothing_up() {
    let mut bench = Bench::with(|rules| rules.policy.key_quota.events = 2);
    let mut w = bench.worker("w");
    bench.deliver_all(&mut w, 3..=4);
    bench.settle(&mut w);
    assert_eq!(bench.held(), 2);
    bench.deliver_all(&mut w, 6..=7);
    bench.deliver(&mut w, 1);
    // More comes after each refusal.
    bench.exchange(&mut w);
    bench.exchange(&mut w);
    bench.deliver(&mut w, 8);
    bench.exchange(&mut w);
    assert_eq!(w.begin(), Some((1, 1)));
    w.end(Ok(()));
    bench.settle(&mut w);
    let full = EventOutcome::Deferred(DeferReason::Full(QuotaLimit::KeyEvents));
    let settled = w.settled();
    for seq in 6..=8 {
        assert!(settled.contains(&(seq, full.clone())), "{settled:?}");
    }
    assert_eq!(bench.state().last_seq, 1);
}

#[test]
fn the_event_at_the_head_is_never_refused() {
    let mut bench = Bench::with(|rules| rules.policy.key_quota.events = 1);
    let mut w = bench.worker("w");
    bench.deliver(&mut w, 3);
    bench.settle(&mut w);
    bench.deliver(&mut w, 1);
    bench.settle(&mut w);
    assert_eq!(w.begin(), Some((1, 1)));
    w.end(failed());
    bench.settle(&mut w);
    assert_eq!(
        w.settled(),
        [(3, EventOutcome::Held), (1, EventOutcome::Postponed)]
    );
    assert_eq!(bench.held(), 2);
}

#[test]
fn what_is_next_is_read_although_later_events_are_in_memory() {
    let mut bench = Bench::with(|rules| rules.policy.next_events = 1);
    let mut w = bench.worker("w");
    bench.deliver_all(&mut w, 2..=3);
    bench.settle(&mut w);
    bench.deliver(&mut w, 1);
    bench.deliver(&mut w, 4);
    assert_eq!(bench.run_all(&mut w), [1, 2, 3, 4].map(|seq| (seq, seq)));
    assert!(w.engine.is_idle());
    assert_eq!(bench.held(), 0);
}
