//! Events without a number.

use super::*;
use crate::protocol::Order;
use crate::store::{Change, Slot};

fn bench() -> Bench {
    Bench::with(|rules| rules.policy.order = Order::Arrival)
}

fn deliver(bench: &mut Bench, w: &mut Worker, id: &str) {
    bench.deliver_as(w, u64::MAX, id);
}

#[test]
fn an_event_costs_one_acquisition_and_one_save() {
    let mut bench = bench();
    let mut w = bench.worker("w");
    deliver(&mut bench, &mut w, "a");
    runs_at_the_least_cost(&bench, &mut w, 1);
}

#[test]
fn what_comes_while_an_event_runs_is_looked_up_with_its_commit() {
    let mut bench = bench();
    let mut w = bench.worker("w");
    deliver(&mut bench, &mut w, "a");
    bench.settle(&mut w);
    assert!(w.begin().is_some());
    deliver(&mut bench, &mut w, "b");
    assert_eq!(bench.exchange(&mut w), [], "there is nothing to say");
    w.end(Ok(()));
    assert_eq!(committed(&bench.exchange(&mut w)), ["a"]);
    assert_eq!(w.begin(), Some((2, 2)), "at once");
}

#[test]
fn a_worker_that_does_not_own_the_key_posts_in_order() {
    let mut bench = bench();
    let (mut owner, mut other) = (bench.worker("owner"), bench.worker("other"));
    deliver(&mut bench, &mut owner, "a");
    bench.settle(&mut owner);
    assert!(owner.begin().is_some());
    for id in ["b", "c", "d"] {
        deliver(&mut bench, &mut other, id);
    }
    bench.settle(&mut other);
    assert_eq!(other.dispositions(), [const { EventOutcome::Held }; 3]);
    owner.end(Ok(()));
    assert_eq!(bench.run_ids(&mut owner), ["a", "b", "c", "d"]);
    assert_eq!((bench.held(), bench.owner()), (0, None));
}

#[test]
fn the_owner_moves_what_was_posted_and_fetches_it_in_one_call() {
    let mut bench = bench();
    let (mut owner, mut other) = (bench.worker("owner"), bench.worker("other"));
    deliver(&mut bench, &mut owner, "a");
    bench.settle(&mut owner);
    assert!(owner.begin().is_some());
    deliver(&mut bench, &mut other, "b");
    bench.settle(&mut other);
    owner.end(Ok(()));
    bench.exchange(&mut owner);
    let said = bench.exchange(&mut owner);
    let [Request::Save(save)] = &said[..] else {
        panic!("{said:?}");
    };
    assert!(matches!(
        save.changes[..],
        [Change::Move {
            to: Slot::Held(2),
            ..
        }]
    ));
    assert_eq!((save.taken, &save.fetch[..]), (1, &[Slot::Held(2)][..]));
}

#[test]
fn a_repetition_that_is_posted_is_known_and_one_that_comes_later_is_dropped_in_its_turn() {
    let mut bench = bench();
    let (mut owner, mut other) = (bench.worker("owner"), bench.worker("other"));
    deliver(&mut bench, &mut owner, "a");
    bench.settle(&mut owner);
    assert!(owner.begin().is_some());
    for id in ["b", "b", "a"] {
        deliver(&mut bench, &mut other, id);
    }
    bench.settle(&mut other);
    assert_eq!(
        other.dispositions(),
        [
            EventOutcome::Held,
            EventOutcome::Duplicate,
            EventOutcome::Held
        ]
    );
    owner.end(Ok(()));
    let runs = bench.run_ids(&mut owner);
    assert_eq!(
        runs,
        ["a", "b", "a"],
        "the last one only says that it is over"
    );
    let starts = owner.says(|what| matches!(what, EventChange::Started { .. }));
    let duplicates = owner.says(|what| matches!(what, EventChange::Duplicate));
    assert_eq!((starts, duplicates), (2, 1));
    assert_eq!(bench.held(), 0);
}

#[test]
fn a_repetition_of_a_key_at_rest_is_dropped_without_a_number() {
    let mut bench = bench();
    let mut w = bench.worker("w");
    deliver(&mut bench, &mut w, "a");
    bench.run_all(&mut w);
    deliver(&mut bench, &mut w, "a");
    assert_eq!(bench.run_all(&mut w), []);
    assert_eq!(bench.state().last_seq, 1);
}

#[test]
fn what_failed_holds_up_what_arrived_after_it() {
    let mut bench = bench();
    let mut w = bench.worker("w");
    for id in ["a", "b", "c"] {
        deliver(&mut bench, &mut w, id);
    }
    bench.settle(&mut w);
    assert!(w.begin().is_some());
    w.end(failed());
    bench.settle(&mut w);
    assert_eq!((w.begin(), bench.held(), bench.owner()), (None, 3, None));
    deliver(&mut bench, &mut w, "d");
    bench.settle(&mut w);
    assert_eq!(w.begin(), None);
    bench.clock.advance(1_000);
    bench.beat(&mut w);
    bench.claim_swept(&mut w);
    assert_eq!(bench.run_ids(&mut w), ["a", "b", "c", "d"]);
}

#[test]
fn what_was_redelivered_is_stored_with_what_is_before_it() {
    let mut bench = bench();
    let mut w = bench.worker("w");
    deliver(&mut bench, &mut w, "a");
    bench.settle(&mut w);
    assert!(w.begin().is_some(), "a runs");
    deliver(&mut bench, &mut w, "b");
    bench.deliver_with(&mut w, u64::MAX, "c", |event| event.redelivered = true);
    w.end(Ok(()));
    bench.exchange(&mut w);
    assert_eq!(w.begin(), Some((2, 2)), "b runs");
    bench.settle(&mut w);
    let stored: Vec<u64> = bench.state().held.iter().collect();
    assert_eq!(stored, [2, 3], "otherwise c overtakes b if the worker dies");
}

#[test]
fn what_was_posted_before_an_event_came_runs_before_it() {
    let mut bench = bench();
    let (mut owner, mut other) = (bench.worker("owner"), bench.worker("other"));
    deliver(&mut bench, &mut owner, "a");
    bench.settle(&mut owner);
    assert!(owner.begin().is_some());
    // The partition goes to another worker, and comes back.
    deliver(&mut bench, &mut other, "b");
    bench.settle(&mut other);
    deliver(&mut bench, &mut owner, "c");
    bench.settle(&mut owner);
    owner.end(Ok(()));
    assert_eq!(bench.run_ids(&mut owner), ["a", "b", "c"]);
}

#[test]
fn what_has_no_room_in_memory_is_numbered_and_held_while_an_event_runs() {
    let mut bench = Bench::with(|rules| {
        rules.policy.order = Order::Arrival;
        rules.policy.lane_depth = 1;
    });
    let mut w = bench.worker("w");
    deliver(&mut bench, &mut w, "a");
    bench.settle(&mut w);
    assert!(w.begin().is_some(), "a runs");
    for id in ["b", "c", "d"] {
        deliver(&mut bench, &mut w, id);
    }
    for _ in 0..6 {
        // Nothing else comes in meanwhile.
        w.engine.tick();
        bench.settle(&mut w);
    }
    let stored: Vec<u64> = bench.state().held.iter().collect();
    assert_eq!(
        stored,
        [1, 2, 3, 4],
        "a, which runs, is stored before the others"
    );
    w.end(Ok(()));
    assert_eq!(bench.run_ids(&mut w), ["a", "b", "c", "d"]);
}

#[test]
fn a_takeover_goes_on_in_the_order_of_arrival() {
    let mut bench = bench();
    let (mut dies, mut other) = (bench.worker("dies"), bench.worker("other"));
    for id in ["a", "b"] {
        deliver(&mut bench, &mut dies, id);
    }
    bench.settle(&mut dies);
    assert!(dies.begin().is_some());
    // The broker has noticed before the store does.
    for id in ["a", "b", "c"] {
        deliver(&mut bench, &mut other, id);
    }
    bench.settle(&mut other);
    bench.die(dies, &mut [&mut other]);
    deliver(&mut bench, &mut other, "d");
    assert_eq!(bench.run_ids(&mut other), ["a", "b", "c", "d"]);
}

#[test]
fn a_lost_answer_changes_no_order() {
    for carried_out in [true, false] {
        let mut bench = bench();
        let (mut owner, mut other) = (bench.worker("owner"), bench.worker("other"));
        deliver(&mut bench, &mut owner, "a");
        bench.settle(&mut owner);
        assert!(owner.begin().is_some());
        for id in ["b", "c"] {
            deliver(&mut bench, &mut other, id);
        }
        bench.settle(&mut other);
        owner.end(Ok(()));
        bench.exchange(&mut owner);
        // That of the save which moves what was posted.
        deliver(&mut bench, &mut owner, "d");
        bench.lose_answer(&mut owner, carried_out);
        let mut runs = bench.run_ids(&mut owner);
        runs.retain(|id| id != "a");
        assert_eq!(runs, ["b", "c", "d"], "{carried_out}");
    }
}
