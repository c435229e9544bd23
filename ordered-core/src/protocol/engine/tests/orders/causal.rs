use std::collections::{BTreeMap, HashMap};

use super::by_producers::{IDS, PRODUCERS, Sent, check_repair};
use super::seeds;
use super::world::{Broker, Happened, World};
use crate::logical::VectorClock;
use crate::protocol::{Order, Stamp};

/// Some events of a few producers, each of which may know what another one has sent so far; some are published twice.
fn events(seed: u64) -> Sent {
    let mut random = fastrand::Rng::with_seed(!seed);
    let producers = random.usize(1..=PRODUCERS.len());
    let mut clocks: BTreeMap<&str, VectorClock> = BTreeMap::new();
    let (mut events, mut stamps) = (Vec::new(), HashMap::new());
    for id in &IDS[..random.usize(2..=IDS.len())] {
        let producer = PRODUCERS[random.usize(..producers)];
        let other = PRODUCERS[random.usize(..producers)];
        let known = clocks.get(other).cloned().unwrap_or_default();
        let own = clocks.entry(producer).or_default();
        if random.bool() {
            own.merge(&known).expect("they are few");
        }
        let clock = own.send(producer).expect("they are few");
        let stamp = Stamp::causal(producer, clock).expect("it counts itself");
        stamps.insert((*id).to_owned(), stamp);
        events.push((u64::MAX, *id));
        if random.u32(0..4) == 0 {
            let again = events[random.usize(0..events.len())];
            events.push(again);
        }
    }
    (events, stamps)
}

/// Whether `cause` comes before `effect`.
fn is_cause(cause: &Stamp, effect: &Stamp) -> bool {
    effect.vector().of(cause.producer()) >= cause.seq() && cause != effect
}

fn check(seed: u64, broker: Broker) {
    let (events, stamps) = events(seed);
    let world = World::new(seed, Order::Causal, broker, &events);
    check_run(seed, world, stamps);
}

fn check_run(seed: u64, world: World, stamps: HashMap<String, Stamp>) -> u64 {
    let world = world.stamped(stamps.clone()).run();
    let ahead = world.may_run_ahead();
    let (mut done, mut begun): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    for happened in &world.happened {
        let (Happened::Committed(id) | Happened::Started(_, id)) = happened;
        let (id, stamp) = (id.as_str(), &stamps[id.as_str()]);
        let causes = stamps.iter().filter(|(_, other)| is_cause(other, stamp));
        let open: Vec<&String> = causes
            .map(|(cause, _)| cause)
            .filter(|cause| !done.contains(&cause.as_str()))
            .collect();
        match happened {
            Happened::Committed(_) if done.contains(&id) => {}
            Happened::Committed(_) => {
                assert!(open.is_empty(), "seed {seed}: {id} before {open:?}");
                done.push(id);
            }
            Happened::Started(..) => {
                assert!(!done.contains(&id), "seed {seed}: {id} runs again");
                assert!(
                    open.len() <= ahead && open.iter().all(|id| begun.contains(&id.as_str())),
                    "seed {seed}: {id} starts before {open:?}"
                );
                begun.push(id);
            }
        }
    }
    assert_eq!(done.len(), stamps.len(), "seed {seed}: nothing is lost");
    let state = world.state();
    for known in state.producers.known() {
        let sent = stamps
            .values()
            .filter(|stamp| stamp.producer() == known.name());
        assert_eq!(known.released(), sent.count() as u64, "seed {seed}");
    }
    assert_eq!(state.producers.waiting_events(), 0, "seed {seed}");
    world.repaired
}

#[test]
fn what_is_lost_is_asked_for_and_nothing_runs_before_its_cause() {
    check_repair(Order::Causal, events, check_run);
}

#[test]
fn no_effect_runs_before_its_cause_whatever_happens_and_nothing_is_lost() {
    seeds().for_each(|seed| check(seed, Broker::Anyhow));
}

#[test]
fn nor_where_the_queue_keeps_an_order_of_its_own() {
    seeds().for_each(|seed| {
        let broker = [Broker::OneConsumer, Broker::Partition][usize::from(seed % 2 == 0)];
        check(seed, broker);
    });
}
