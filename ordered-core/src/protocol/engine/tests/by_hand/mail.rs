//! Keys that another worker has: what is posted, and what has to wait for the owner.

use super::*;
use crate::event::Seq;
use crate::transport::REWOUND;
use crate::worker::Control;

#[test]
fn what_is_posted_runs_with_the_owner_in_its_place() {
    let mut bench = Bench::new();
    let (mut w, mut other) = (bench.worker("w"), bench.worker("other"));
    bench.deliver(&mut w, 1);
    bench.settle(&mut w);
    w.begin();
    bench.deliver(&mut other, 2);
    bench.deliver_as(&mut other, 3, "1");
    bench.settle(&mut other);
    assert_eq!(other.settled(), [2, 3].map(|seq| (seq, EventOutcome::Held)));
    assert!(other.engine.is_idle());
    w.end(Ok(()));
    assert_eq!(bench.run_all(&mut w), [(2, 2)], "3 is a repeat of 1");
    assert_eq!((bench.state().last_seq, bench.held()), (3, 0));
    assert!(w.engine.is_idle());
}

#[test]
fn a_repeat_is_committed_without_a_run_wherever_it_waited() {
    // 5 was looked up when 1 was not committed yet, and is held since.
    let mut bench = Bench::new();
    let mut w = bench.worker("w");
    bench.deliver_as(&mut w, 5, "1");
    bench.settle(&mut w);
    bench.deliver_all(&mut w, 1..=4);
    assert_eq!(bench.run_all(&mut w), [1, 2, 3, 4].map(|seq| (seq, seq)));
    assert_eq!((bench.state().last_seq, bench.held()), (5, 0));
}

#[test]
fn an_event_of_another_id_that_was_posted_first_is_not_passed_over() {
    let mut bench = Bench::new();
    let (mut w, mut other) = (bench.worker("w"), bench.worker("other"));
    bench.deliver_as(&mut w, 1, "one");
    bench.settle(&mut w);
    w.begin();
    bench.deliver_as(&mut other, 1, "another");
    bench.settle(&mut other);
    w.end(failed());
    bench.settle(&mut w);
    let settled = w.settled();
    assert!(
        matches!(settled[..], [(1, EventOutcome::Conflict(Some(_)))]),
        "{settled:?}"
    );
    assert_eq!(bench.held(), 1);
}

/// Whoever has the key finds them in the mailbox when their ids are forgotten.
#[test]
fn what_was_posted_and_is_stale_by_then_is_a_dead_letter_unless_it_was_made_to_come_again() {
    for (header, change, letters) in [
        (None, EventChange::Stale, vec![(0, 1)]),
        (Some(REWOUND), EventChange::Rewound, vec![]),
    ] {
        let mut bench = Bench::with(|rules| rules.policy.dedup_ttl = Duration::from_secs(10));
        let (mut w, mut other) = (bench.worker("w"), bench.worker("other"));
        bench.deliver(&mut w, 1);
        assert_eq!(bench.run_all(&mut w), [(1, 1)]);
        bench.clock.advance(60_000);
        bench.beat(&mut w);
        bench.beat(&mut other);
        bench.deliver(&mut w, 2);
        bench.settle(&mut w);
        assert_eq!(w.begin(), Some((2, 2)));
        bench.deliver_with(&mut other, 1, "1", |event| {
            let header = header.map(|name| (name.to_owned(), String::new()));
            event.envelope.headers.extend(header);
        });
        bench.settle(&mut other);
        assert_eq!(other.settled(), [(1, EventOutcome::Held)]);
        w.end(Ok(()));
        bench.settle(&mut w);
        assert_eq!(w.says(|what| *what == change), 1);
        let state = bench.state();
        assert_eq!((state.last_seq, bench.held()), (2, 0));
        assert_eq!(state.dead_letters().collect::<Vec<_>>(), letters);
    }
}

#[test]
fn a_control_message_waits_for_the_owner_who_gives_the_key_up_after_the_event_at_work() {
    let mut bench = Bench::new();
    let (mut w, mut other) = (bench.worker("w"), bench.worker("other"));
    bench.deliver_all(&mut w, 1..=2);
    bench.settle(&mut w);
    w.begin();
    let at = Seq::new(1).expect("it is positive");
    let reset = Control::Reset { at, epoch: Some(1) };
    other.engine.control(&key(), reset.clone(), Token(99));
    bench.exchange(&mut other);
    other.engine.wake(&key());
    // It asks for the key, and then waits.
    bench.exchange(&mut other);
    other.engine.wake(&key());
    bench.exchange(&mut other);
    assert_eq!(bench.state().epoch, 0);
    w.end(Ok(()));
    bench.settle(&mut w);
    assert!(w.engine.is_idle(), "2 waits in the mailbox");
    other.engine.wake(&key());
    bench.settle(&mut other);
    let state = bench.state();
    assert_eq!((state.epoch, state.last_seq), (1, 0));
    assert_eq!(state.dead_letters().collect::<Vec<_>>(), [(0, 2)]);
}

#[test]
fn an_event_of_an_old_numbering_is_not_taken_for_one_of_the_new() {
    let mut bench = Bench::new();
    let mut w = bench.worker("w");
    bench.deliver_with(&mut w, 1, "old", |event| event.epoch = Some(0));
    let at = Seq::new(1).expect("it is positive");
    let reset = Control::Reset { at, epoch: Some(1) };
    w.engine.control(&key(), reset, Token(99));
    bench.settle(&mut w);
    assert_eq!(w.begin(), None);
    assert_eq!(w.settled(), [(1, EventOutcome::Late)]);
    bench.deliver_with(&mut w, 1, "new", |event| event.epoch = Some(1));
    assert_eq!(bench.run_all(&mut w), [(1, 1)]);
}

#[test]
fn a_redelivered_event_is_stored_and_settled_before_it_runs() {
    let mut bench = Bench::new();
    let mut w = bench.worker("w");
    bench.deliver_with(&mut w, 1, "1", |event| event.redelivered = true);
    bench.exchange(&mut w);
    assert_eq!(w.begin(), None);
    bench.exchange(&mut w);
    assert_eq!(w.settled(), [(1, EventOutcome::Held)]);
    assert_eq!(w.begin(), Some((1, 1)));
    w.end(Ok(()));
    bench.settle(&mut w);
    assert_eq!((bench.state().last_seq, bench.held()), (1, 0));
    assert_eq!(w.settled(), []);
}

#[test]
fn a_fill_spares_what_is_here_all_the_same() {
    let mut bench = Bench::with(|rules| rules.batch = 4);
    let mut w = bench.worker("w");
    let seq = |seq| Seq::new(seq).expect("it is positive");
    let fill = Control::GapFill {
        from: seq(2),
        to: seq(4),
    };
    bench.deliver(&mut w, 1);
    w.engine.control(&key(), fill, Token(99));
    bench.settle(&mut w);
    bench.deliver(&mut w, 2);
    bench.settle(&mut w);
    bench.deliver(&mut w, 5);
    bench.run_all(&mut w);
    assert_eq!(bench.state().last_seq, 5);
    assert!(w.engine.is_idle());
}
