//! Events of a key that wait in the worker, behind a lane that is as deep as it may be.

use super::*;
use crate::store::Admin;

/// A worker whose lanes take so many events.
fn deep(lane_depth: u32) -> Bench {
    let mut options = HandlerOptions::new("test");
    options.policy.lane_depth = lane_depth;
    let bench = Bench::with(options);
    bench.lease("w", Duration::from_secs(60));
    bench
}

impl Bench {
    fn deliver_all(&mut self, seqs: std::ops::RangeInclusive<u64>) {
        seqs.for_each(|seq| self.deliver(seq));
    }

    /// Which tokens are acknowledged, by and by.
    fn acknowledged(&mut self) -> Vec<u64> {
        let settlements = self.engine.take_settlements();
        let acks = settlements.into_iter().map(|settlement| {
            assert!(matches!(settlement.fate, Fate::Ack), "{settlement:?}");
            settlement.token.0
        });
        acks.collect()
    }

    /// Runs what may run until nothing is left, which begins with this event.
    fn run_from(&mut self, first: u64) -> u64 {
        let mut next = first;
        while !self.engine.is_idle() || self.engine.has_behind() {
            self.exchange();
            while let Some(seq) = self.starts() {
                assert_eq!(seq, next, "in order");
                self.finish(seq);
                next += 1;
            }
        }
        next - 1
    }

    fn held(&self) -> usize {
        let key = Key::new("k").unwrap();
        let view = self.store.inspect(&self.group, &key);
        let view = view.now_or_never().unwrap().unwrap();
        view.map_or(0, |view| view.held.len())
    }
}

/// What is said to the store next, as the name of the command and its seq.
fn told(bench: &Bench) -> Vec<(&'static str, u64)> {
    let name = |command: &Command| match &command.action {
        Action::Offer(event) => ("offer", event.seq.get()),
        Action::Hold(event, _) => ("hold", event.seq.get()),
        Action::Commit { event, .. } => ("commit", event.seq.get()),
        _ => ("other", 0),
    };
    bench.engine.outbox.iter().map(|(c, _)| name(c)).collect()
}

#[test]
fn they_follow_when_the_lane_has_room_and_are_never_held() {
    let mut bench = deep(2);
    bench.deliver_all(1..=6);
    bench.exchange();
    assert_eq!(told(&bench), [], "3 to 6 wait, and nothing is said of them");
    assert_eq!(bench.starts(), Some(1));
    bench.finish(1);
    assert_eq!(told(&bench), [("commit", 1), ("offer", 3)]);
    // What comes now is not offered either: it would be early.
    bench.deliver(7);
    assert_eq!(told(&bench), [("commit", 1), ("offer", 3)]);
    assert_eq!(bench.run_from(2), 7);
    assert_eq!(bench.held(), 0);
    assert_eq!(bench.acknowledged(), [1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn one_that_is_delivered_again_waits_once() {
    let mut bench = deep(2);
    bench.deliver_all(1..=4);
    bench.exchange();
    bench.deliver(4);
    bench.deliver(3);
    assert_eq!(told(&bench), []);
    assert_eq!(bench.run_from(1), 4);
    let mut acknowledged = bench.acknowledged();
    acknowledged.sort_unstable();
    assert_eq!(acknowledged, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn another_event_with_the_seq_of_one_that_waits_is_for_the_store() {
    let mut bench = deep(2);
    bench.deliver_all(1..=4);
    bench.exchange();
    bench.deliver_this(Envelope::new("4 another"));
    assert_eq!(told(&bench), [("offer", 4)]);
    // The store has seen this one first, so the one that waits is the conflict.
    bench.exchange();
    bench.exchange();
    assert_eq!(bench.held(), 1);
    assert_eq!(bench.run_from(1), 4);
    let fates = bench.engine.take_settlements();
    let dead = fates
        .iter()
        .filter(|s| matches!(s.fate, Fate::DeadLetter(_)));
    assert_eq!(dead.map(|s| s.token.0).collect::<Vec<_>>(), [4]);
    assert_eq!(fates.len(), 5);
}

#[test]
fn one_that_leaves_a_gap_is_held() {
    let mut bench = deep(2);
    bench.deliver_all(1..=4);
    bench.deliver(6);
    bench.exchange();
    assert_eq!(told(&bench), [("hold", 6)]);
    bench.deliver(5);
    assert_eq!(told(&bench), [("hold", 6)], "5 comes behind 4");
    assert_eq!(bench.run_from(1), 6);
    assert_eq!(bench.acknowledged().len(), 6);
}

#[test]
fn what_waits_too_long_is_held() {
    let mut bench = deep(2);
    bench.deliver_all(1..=5);
    bench.exchange();
    bench.engine.on_tick();
    bench.engine.on_tick();
    assert_eq!(told(&bench), [], "half of the time may be over at once");
    bench.engine.on_tick();
    assert_eq!(told(&bench), [("hold", 3), ("hold", 4), ("hold", 5)]);
    assert!(!bench.engine.has_behind());
    bench.exchange();
    assert_eq!((bench.held(), bench.acknowledged()), (3, vec![3, 4, 5]));
    assert_eq!(bench.run_from(1), 5, "the commits hand them back");
    assert_eq!(bench.acknowledged(), [1, 2]);
}

#[test]
fn what_waits_is_not_held_while_nothing_else_comes() {
    let mut bench = deep(2);
    bench.deliver_all(1..=5);
    bench.exchange();
    bench.engine.on_tick();
    for seq in 6..=9 {
        bench.deliver(seq);
        bench.engine.on_tick();
    }
    assert_eq!(told(&bench), [], "it would only bring more of the same");
    // Another event of the broker's, and then none.
    bench.deliver(11);
    bench.exchange();
    bench.engine.on_tick();
    assert_eq!(bench.held(), 0);
    bench.exchange();
    assert_eq!(bench.held(), 8, "3 to 9, and 11");
    bench.deliver(10);
    assert_eq!(bench.run_from(1), 11);
}

#[test]
fn nothing_waits_where_it_may_not() {
    let mut bench = deep(2);
    bench.engine.parts.settings.hold_after = Duration::ZERO;
    bench.deliver_all(1..=4);
    bench.exchange();
    assert_eq!(told(&bench), [("hold", 3), ("hold", 4)]);
}

#[test]
fn when_the_key_is_lost_what_waits_is_asked_about_again() {
    let mut bench = deep(2);
    bench.deliver_all(1..=6);
    bench.exchange();
    bench.lapse();
    for _ in 0..8 {
        bench.exchange();
    }
    assert_eq!(bench.starts(), None);
    assert!(bench.engine.is_idle() && !bench.engine.has_behind());
    assert_eq!(
        bench.held(),
        6,
        "1 too: the other worker may be gone before it is done"
    );
    assert_eq!(bench.acknowledged().len(), 6);
}

#[test]
fn a_worker_that_drains_leaves_what_waits_to_the_broker() {
    let mut bench = deep(2);
    bench.deliver_all(1..=4);
    bench.exchange();
    assert_eq!(bench.starts(), Some(1));
    bench.engine.begin_drain();
    bench.finish(1);
    for _ in 0..3 {
        bench.exchange();
    }
    assert!(bench.engine.is_idle());
    assert_eq!((bench.held(), bench.acknowledged()), (0, vec![1]));
}

#[test]
fn lanes_of_one_event_have_room_when_it_is_done() {
    let mut bench = deep(1);
    bench.deliver_all(1..=3);
    assert_eq!(bench.run_from(1), 3);
    assert_eq!(bench.held(), 0);
}
