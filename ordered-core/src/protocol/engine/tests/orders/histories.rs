//! Every permutation, repetition and interleaving of small histories gives an order that the rule allows, the same on
//! every run.

mod crew;

use std::collections::HashMap;

use proptest::prelude::*;

use self::crew::{Step, play, play_filled, play_joined, play_stamped};
use crate::logical::{LamportClock, VectorClock};
use crate::protocol::{Order, Stamp};

/// The stamps of events of three producers by their ids, and how many each has sent. Of each event it is said who sends
/// it, and whose clock that one has seen.
fn timed(knows: &[(usize, usize, bool)]) -> (HashMap<&'static str, Stamp>, [u64; 3]) {
    let mut clocks = [LamportClock::default(); 3];
    let (mut seqs, mut stamps) = ([0; 3], HashMap::new());
    for (id, (producer, other, received)) in IDS.iter().zip(knows) {
        if *received {
            let known = clocks[*other].time();
            clocks[*producer].receive(known);
        }
        seqs[*producer] += 1;
        let (name, time) = (["ada", "bob", "eve"][*producer], clocks[*producer].send());
        let stamp = Stamp::lamport(name, seqs[*producer], time);
        stamps.insert(*id, stamp.expect("it is one"));
    }
    (stamps, seqs)
}

/// The stamps of events with vector clocks: of each it is said who sends it, and whether its sender has received what
/// the other two have sent so far.
fn known(knows: &[(usize, bool, bool)]) -> HashMap<&'static str, Stamp> {
    let mut clocks = [
        VectorClock::default(),
        VectorClock::default(),
        VectorClock::default(),
    ];
    let mut stamps = HashMap::new();
    for (id, (producer, one, two)) in IDS.iter().zip(knows) {
        for (other, received) in [((producer + 1) % 3, one), ((producer + 2) % 3, two)] {
            let known = clocks[other].clone();
            if *received {
                clocks[*producer].merge(&known).expect("they are few");
            }
        }
        let name = ["ada", "bob", "eve"][*producer];
        let clock = clocks[*producer].send(name).expect("they are few");
        stamps.insert(*id, Stamp::causal(name, clock).expect("it counts itself"));
    }
    stamps
}

/// The first event that ran before one that its producer knew.
fn before_its_cause<'a>(ran: &'a [String], stamps: &HashMap<&str, Stamp>) -> Option<&'a String> {
    ran.iter().enumerate().find_map(|(place, id)| {
        let known = stamps[id.as_str()].vector();
        let later = ran[place + 1..].iter().map(|later| &stamps[later.as_str()]);
        let mut causes = later.filter(|other| known.of(other.producer()) >= other.seq());
        causes.next().map(|_| id)
    })
}

fn steps(workers: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = (0..3_u8, 0..workers).prop_map(|(what, worker)| match what {
        0 => Step::Deliver(worker),
        1 => Step::Exchange(worker),
        _ => Step::Run(worker),
    });
    prop::collection::vec(step, 0..40)
}

const IDS: [&str; 5] = ["a", "b", "c", "d", "e"];

/// Places of `IDS` in any order, some of them more than once.
fn history() -> impl Strategy<Value = Vec<usize>> {
    let again = prop::collection::vec(0..IDS.len(), 0..4);
    again.prop_flat_map(|again| {
        let all: Vec<usize> = (0..IDS.len()).chain(again).collect();
        Just(all).prop_shuffle()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn by_arrival_one_worker_runs_each_id_once_in_the_order_of_its_first_arrival(
        history in history(),
        steps in steps(1),
    ) {
        let events: Vec<(u64, &str)> = history.iter().map(|at| (u64::MAX, IDS[*at])).collect();
        let ran = play(Order::Arrival, &events, &steps);
        let mut first: Vec<&str> = Vec::new();
        for (_, id) in &events {
            if !first.contains(id) {
                first.push(*id);
            }
        }
        prop_assert_eq!(&ran, &first);
        prop_assert_eq!(play(Order::Arrival, &events, &steps), ran, "the same on every run");
    }

    #[test]
    fn by_arrival_two_workers_run_each_id_once_and_what_each_was_handed_in_its_order(
        history in history(),
        steps in steps(2),
    ) {
        let events: Vec<(u64, &str)> = history.iter().map(|at| (u64::MAX, IDS[*at])).collect();
        let ran = play(Order::Arrival, &events, &steps);
        let mut ids = ran.clone();
        ids.sort_unstable();
        prop_assert_eq!(ids, IDS);
        // Who was handed which event, and as which.
        let mut handed = steps.iter().filter_map(|step| match step {
            Step::Deliver(worker) => Some(*worker),
            _ => None,
        });
        let mut of: HashMap<&str, Vec<(usize, usize)>> = HashMap::new();
        for (place, (_, id)) in events.iter().enumerate() {
            of.entry(id).or_default().push((handed.next().unwrap_or(0), place));
        }
        let pairs = (0..ran.len()).flat_map(|one| (one + 1..ran.len()).map(move |two| (one, two)));
        for (one, two) in pairs {
            let (before, after) = (&of[ran[one].as_str()], &of[ran[two].as_str()]);
            // An event that one worker alone was handed, once, does not overtake another such one of the same worker.
            if let ([(worker, first)], [(other, second)]) = (&before[..], &after[..])
                && worker == other
            {
                prop_assert!(first < second, "{:?}", ran);
            }
        }
        prop_assert_eq!(play(Order::Arrival, &events, &steps), ran, "the same on every run");
    }

    #[test]
    fn by_causes_each_runs_once_and_none_before_what_its_producer_knew(
        history in history(),
        steps in steps(2),
        knows in prop::collection::vec((0..3_usize, any::<bool>(), any::<bool>()), IDS.len()),
    ) {
        let stamps = known(&knows);
        let events: Vec<(u64, &str)> = history.iter().map(|at| (u64::MAX, IDS[*at])).collect();
        let play = || play_stamped(Order::Causal, &events, &steps, |id| stamps.get(id).cloned());
        let ran = play();
        let mut ids = ran.clone();
        ids.sort_unstable();
        prop_assert_eq!(ids, IDS);
        prop_assert_eq!(before_its_cause(&ran, &stamps), None, "{:?}", ran);
        prop_assert_eq!(play(), ran, "the same on every run");
    }

    #[test]
    fn by_causes_what_is_lost_and_filled_is_passed_and_all_else_runs_causes_first(
        history in history(),
        steps in steps(2),
        knows in prop::collection::vec((0..3_usize, any::<bool>(), any::<bool>()), IDS.len()),
        lost in prop::sample::subsequence(IDS.to_vec(), 0..IDS.len()),
        first in any::<bool>(),
    ) {
        let stamps = known(&knows);
        let events: Vec<(u64, &str)> = history.iter().map(|at| (u64::MAX, IDS[*at])).collect();
        let ran = play_filled(Order::Causal, &events, &steps, &stamps, (&lost, first));
        prop_assert_eq!(before_its_cause(&ran, &stamps), None, "{:?}", ran);
        let mut ids = ran;
        ids.sort_unstable();
        let sent: Vec<&str> = IDS.into_iter().filter(|id| !lost.contains(id)).collect();
        prop_assert_eq!(ids, sent);
    }

    #[test]
    fn by_times_two_groups_that_saw_different_arrivals_run_the_same_order(
        history in history(),
        other_history in history(),
        steps in steps(2),
        other_steps in steps(2),
        knows in prop::collection::vec((0..3_usize, 0..3_usize, any::<bool>()), IDS.len()),
    ) {
        let (stamps, seqs) = timed(&knows);
        let joined = ["ada", "bob", "eve"].iter().zip(seqs).map(|(name, last)| (*name, last));
        let joined: Vec<(&str, u64)> = joined.collect();
        let play = |history: &[usize], steps: &[Step]| {
            let events: Vec<(u64, &str)> = history.iter().map(|at| (u64::MAX, IDS[*at])).collect();
            let stamp = |id: &str| stamps.get(id).cloned();
            play_joined(Order::Lamport, &events, steps, stamp, &joined)
        };
        let mut order = IDS.to_vec();
        order.sort_by_key(|id| (stamps[id].time(), stamps[id].producer().to_owned()));
        prop_assert_eq!(play(&history, &steps), order.clone());
        prop_assert_eq!(play(&other_history, &other_steps), order);
    }

    #[test]
    fn by_times_what_runs_is_in_order_though_nobody_says_who_will_send(
        history in history(),
        steps in steps(2),
        knows in prop::collection::vec((0..3_usize, 0..3_usize, any::<bool>()), IDS.len()),
    ) {
        let (stamps, _) = timed(&knows);
        let events: Vec<(u64, &str)> = history.iter().map(|at| (u64::MAX, IDS[*at])).collect();
        let play = || play_stamped(Order::Lamport, &events, &steps, |id| stamps.get(id).cloned());
        let ran = play();
        let at = |id: &String| (stamps[id.as_str()].time(), stamps[id.as_str()].producer());
        prop_assert!(ran.windows(2).all(|pair| at(&pair[0]) < at(&pair[1])), "{ran:?}");
        prop_assert!(!ran.is_empty());
        prop_assert_eq!(play(), ran, "the same on every run");
    }

    #[test]
    fn versions_run_upwards_and_the_newest_of_all_is_the_last(
        history in history(),
        steps in steps(2),
        coalesce in any::<bool>(),
    ) {
        // With gaps.
        let version = |at: usize| 3 * at as u64 + 1;
        let events: Vec<(u64, &str)> = history.iter().map(|at| (version(*at), IDS[*at])).collect();
        let order = Order::Monotonic { coalesce };
        let ran = play(order, &events, &steps);
        prop_assert!(ran.is_sorted(), "{:?}", ran);
        let mut once = ran.clone();
        once.dedup();
        prop_assert_eq!(&once, &ran);
        prop_assert_eq!(ran.last().map(String::as_str), Some("e"));
        prop_assert_eq!(play(order, &events, &steps), ran, "the same on every run");
    }

    #[test]
    fn of_what_is_there_when_a_key_begins_versions_run_all_or_the_newest_alone(history in history()) {
        let events: Vec<(u64, &str)> = history.iter().map(|at| (*at as u64 + 1, IDS[*at])).collect();
        let all = play(Order::Monotonic { coalesce: false }, &events, &[]);
        prop_assert_eq!(all, IDS);
        let newest = play(Order::Monotonic { coalesce: true }, &events, &[]);
        prop_assert_eq!(newest, ["e"]);
    }
}
