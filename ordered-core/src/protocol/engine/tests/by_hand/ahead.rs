//! Events of a key that run together, or before those before them are committed.

use super::*;

fn batch(events: u32) -> Bench {
    Bench::with(|rules| rules.batch = events)
}

fn window(events: u32) -> Bench {
    Bench::with(|rules| rules.commit_window = events)
}

#[test]
fn a_run_takes_what_is_there_up_to_the_batch_and_commits_it_in_one_call() {
    let mut bench = batch(4);
    let mut w = bench.worker("w");
    bench.deliver_all(&mut w, 1..=6);
    bench.settle(&mut w);
    assert_eq!(w.begin(), Some((1, 4)));
    assert_eq!(w.engine.next_run().map(|run| run.attempt), None);
    w.end(Ok(()));
    assert_eq!(w.begin(), None, "strict: not before they are committed");
    bench.exchange(&mut w);
    assert_eq!(bench.state().last_seq, 4);
    assert_eq!(w.begin(), Some((5, 6)));
    w.end(Ok(()));
    bench.settle(&mut w);
    assert!(w.engine.is_idle());
    assert_eq!(w.settled().len(), 6);
}

#[test]
fn an_id_runs_once_in_a_batch_or_ahead() {
    for mut bench in [batch(10), window(10)] {
        let mut w = bench.worker("w");
        bench.deliver(&mut w, 1);
        bench.deliver_as(&mut w, 2, "1");
        bench.deliver(&mut w, 3);
        bench.settle(&mut w);
        assert_eq!(w.begin(), Some((1, 1)));
        w.end(Ok(()));
        assert_eq!(bench.run_all(&mut w), [(3, 3)]);
        assert_eq!(bench.state().last_seq, 3);
        assert!(w.engine.is_idle());
    }
}

#[test]
fn a_run_of_several_that_fails_is_no_attempt_and_runs_again_one_by_one() {
    let mut bench = batch(10);
    let mut w = bench.worker("w");
    bench.deliver_all(&mut w, 1..=5);
    bench.settle(&mut w);
    assert_eq!(w.begin(), Some((1, 5)));
    w.end(never());
    assert_eq!(bench.exchange(&mut w), []);
    for seq in 1..=2 {
        assert_eq!((w.begin(), w.attempt()), (Some((seq, seq)), 1));
        w.end(Ok(()));
        assert_eq!(w.begin(), None, "strictly");
        bench.settle(&mut w);
    }
    assert_eq!((w.begin(), w.attempt()), (Some((3, 3)), 1));
    w.end(never());
    bench.settle(&mut w);
    let state = bench.state();
    assert_eq!((state.last_seq, state.attempts), (2, 1));
    assert!(state.is_blocked() && state.held.len() == 3);
}

#[test]
fn with_a_window_events_run_while_those_before_them_are_on_their_way() {
    let mut bench = window(2);
    let mut w = bench.worker("w");
    bench.deliver_all(&mut w, 1..=5);
    bench.settle(&mut w);
    for seq in 1..=3 {
        assert_eq!(w.begin(), Some((seq, seq)));
        w.end(Ok(()));
    }
    assert_eq!(w.begin(), None, "three are not committed yet");
    let (requests, pending) = w.engine.take_requests(10, 1 << 20);
    assert_eq!(w.begin(), None, "nor when they are on their way");
    bench.carry_out(&mut w, &requests, Some(pending));
    assert_eq!(bench.run_all(&mut w), [(4, 4), (5, 5)]);
    assert_eq!(w.settled().len(), 5);
}

#[test]
fn a_failure_ahead_of_a_commit_counts_for_its_own_event() {
    let mut bench = window(5);
    let mut w = bench.worker("w");
    bench.deliver_all(&mut w, 1..=3);
    bench.settle(&mut w);
    w.begin();
    w.end(Ok(()));
    assert_eq!(w.begin(), Some((2, 2)));
    w.end(failed());
    bench.exchange(&mut w);
    let state = bench.state();
    assert_eq!((state.last_seq, state.attempts), (1, 1));
}

#[test]
fn a_save_that_is_lost_while_a_run_is_under_way_stops_it() {
    let mut bench = window(5);
    let (mut w, mut other) = (bench.worker("w"), bench.worker("other"));
    bench.deliver_all(&mut w, 1..=3);
    bench.settle(&mut w);
    w.begin();
    w.end(Ok(()));
    let (requests, pending) = w.engine.take_requests(10, 1 << 20);
    assert_eq!(w.begin(), Some((2, 2)));
    // The lease ends unnoticed, and another worker takes the key over.
    for _ in 0..2 {
        bench.clock.advance(35_000);
        bench.beat(&mut other);
        other.engine.claim([key()]);
        bench.exchange(&mut other);
    }
    bench.carry_out(&mut w, &requests, Some(pending));
    let aborts = |effect: &&Effect| matches!(effect, Effect::Abort(_));
    assert_eq!(w.effects.iter().filter(aborts).count(), 1);
    assert_eq!(w.says(|what| *what == EventChange::Fenced), 1);
    w.end(Ok(()));
    assert_eq!(bench.state().last_seq, 0);
    // What the broker waits for is asked about again, once the worker has a lease again.
    bench.beat(&mut w);
    w.engine.on_lapse();
    w.engine.wake(&key());
    bench.settle(&mut w);
    assert_eq!(w.settled(), [1, 2, 3].map(|seq| (seq, EventOutcome::Held)));
}
