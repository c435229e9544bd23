//! What the clocks say, held against who could have known of whom.

use proptest::prelude::*;

use super::*;

const PRODUCERS: [&str; 3] = ["a", "b", "c"];

/// One after the other: a producer sends an event, or receives one of those that were sent.
#[derive(Debug, Clone, Copy)]
enum Step {
    Send(usize),
    Receive(usize, usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0..3_usize, 0..10_usize, any::<bool>()).prop_map(|(producer, event, sends)| {
        if sends {
            Step::Send(producer)
        } else {
            Step::Receive(producer, event)
        }
    });
    prop::collection::vec(step, 1..25)
}

/// An event with its times, and all events that may be its causes.
struct Event {
    lamport: u64,
    hybrid: HybridTime,
    vector: VectorClock,
    causes: Vec<usize>,
    physical: u64,
}

/// The wall clock of each producer is off by something of its own.
fn play(steps: &[Step], off: [u64; 3]) -> Vec<Event> {
    let mut lamport = [LamportClock::default(); 3];
    let mut hybrid = [HybridClock::default(); 3];
    let mut vector = [const { None }; 3].map(|_: Option<()>| VectorClock::default());
    let mut known: [Vec<usize>; 3] = Default::default();
    let mut events: Vec<Event> = Vec::new();
    for (at, step) in (1_000..).zip(steps) {
        let wall = |producer: usize| at / 3 + off[producer];
        match *step {
            Step::Send(producer) => {
                let number = events.len();
                events.push(Event {
                    lamport: lamport[producer].send(),
                    hybrid: hybrid[producer].send(wall(producer)),
                    vector: vector[producer].send(PRODUCERS[producer]).unwrap(),
                    causes: known[producer].clone(),
                    physical: at / 3 + off.iter().max().unwrap(),
                });
                known[producer].push(number);
            }
            Step::Receive(producer, event) => {
                let Some(received) = events.get(event) else {
                    continue;
                };
                lamport[producer].receive(received.lamport);
                hybrid[producer]
                    .receive(wall(producer), received.hybrid)
                    .unwrap();
                // The receipt is no event that anybody asks about.
                vector[producer].merge(&received.vector).unwrap();
                let mut causes = received.causes.clone();
                causes.push(event);
                known[producer].extend(causes);
                known[producer].sort_unstable();
                known[producer].dedup();
            }
        }
    }
    events
}

proptest! {
    #[test]
    fn a_cause_has_a_smaller_time_and_a_vector_tells_it_from_what_came_earlier(
        steps in steps(),
        off in [0..50_u64, 0..50, 0..50],
    ) {
        let events = play(&steps, off);
        for (one, cause) in events.iter().enumerate() {
            for (other, effect) in events.iter().enumerate() {
                let is_cause = effect.causes.contains(&one);
                if is_cause {
                    prop_assert!(cause.lamport < effect.lamport);
                    prop_assert!(cause.hybrid < effect.hybrid);
                }
                let expected = match (is_cause, cause.causes.contains(&other)) {
                    _ if one == other => Causality::Equal,
                    (true, _) => Causality::Before,
                    (_, true) => Causality::After,
                    _ => Causality::Concurrent,
                };
                prop_assert_eq!(cause.vector.compare(&effect.vector), expected);
            }
        }
    }

    #[test]
    fn a_hybrid_time_is_no_later_than_the_latest_wall_clock(
        steps in steps(),
        off in [0..50_u64, 0..50, 0..50],
    ) {
        for event in play(&steps, off) {
            prop_assert!(event.hybrid.millis() <= event.physical);
        }
    }

    #[test]
    fn a_hybrid_time_is_read_as_it_was_written_and_its_text_is_in_its_order(
        millis in [0..253_402_300_799_999_u64, 0..253_402_300_799_999],
        count in 0..10_u64,
    ) {
        let [one, other] = millis.map(|millis| {
            let mut clock = HybridClock::default();
            for _ in 0..count {
                clock.send(millis);
            }
            clock.send(millis)
        });
        prop_assert_eq!(one.to_string().parse(), Ok(one));
        prop_assert_eq!(one.to_string().cmp(&other.to_string()), one.cmp(&other));
        let json = serde_json::to_string(&one).unwrap();
        prop_assert_eq!(serde_json::from_str::<HybridTime>(&json).unwrap(), one);
    }

    #[test]
    fn what_is_no_hybrid_time_is_refused(text in "[-0-9TZ:.+ ]{0,30}") {
        let time: Result<HybridTime, _> = text.parse();
        prop_assert!(time.is_err() || time.unwrap().to_string() == text);
    }
}

#[test]
fn a_time_that_is_far_ahead_is_refused_and_takes_no_clock_along() {
    let mut wrong = HybridClock::default();
    let time = wrong.send(10_000_000);
    let mut clock = HybridClock::default();
    let before = clock.send(1_000);
    let error = clock.receive(1_000, time).unwrap_err();
    assert_eq!(error.ahead, 9_999_000);
    assert!(
        error
            .to_string()
            .contains("the sender's clock, or this one, is wrong")
    );
    assert_eq!(clock.time(), before);
}

#[test]
fn a_vector_has_so_many_producers_and_drops_none() {
    let mut clock = VectorClock::default();
    for producer in 0..VectorClock::MAX_PRODUCERS {
        clock.send(&producer.to_string()).unwrap();
    }
    let (full, one) = (clock.clone(), VectorClock::default().send("one").unwrap());
    for error in [
        clock.send("one").unwrap_err(),
        clock.merge(&one).unwrap_err(),
        clock.receive("0", &one).unwrap_err(),
    ] {
        assert_eq!(error.producer, "one");
    }
    assert_eq!(clock, full, "nothing is changed");
    clock.send("0").unwrap();
    let mut json = serde_json::to_value(&clock).unwrap();
    json["one"] = 1.into();
    assert!(serde_json::from_value::<VectorClock>(json).is_err());
}

#[test]
fn a_producer_that_has_counted_nothing_is_not_there() {
    let clock: VectorClock = serde_json::from_str(r#"{"a": 0, "b": 2}"#).unwrap();
    assert_eq!(clock.iter().collect::<Vec<_>>(), [("b", 2)]);
    assert_eq!(serde_json::to_string(&clock).unwrap(), r#"{"b":2}"#);
    assert_eq!(clock.of("a"), 0);
}
