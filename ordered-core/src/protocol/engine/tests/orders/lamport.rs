use std::collections::HashMap;

use super::by_producers::{IDS, PRODUCERS, Sent, check_repair};
use super::seeds;
use super::world::{Broker, Happened, World};
use crate::logical::LamportClock;
use crate::protocol::{Order, Stamp};

/// Some events of a few producers, each of which may have received what another one sent; some are published twice.
fn events(seed: u64) -> Sent {
    let mut random = fastrand::Rng::with_seed(!seed);
    let producers = random.usize(1..=PRODUCERS.len());
    let mut clocks = [LamportClock::default(); 3];
    let mut seqs = [0; 3];
    let (mut events, mut stamps) = (Vec::new(), HashMap::new());
    for id in &IDS[..random.usize(2..=IDS.len())] {
        let (producer, other) = (random.usize(..producers), random.usize(..producers));
        if random.bool() {
            let known = clocks[other].time();
            clocks[producer].receive(known);
        }
        seqs[producer] += 1;
        let time = clocks[producer].send();
        let stamp = Stamp::lamport(PRODUCERS[producer], seqs[producer], time);
        stamps.insert((*id).to_owned(), stamp.expect("it is one"));
        events.push((u64::MAX, *id));
        if random.u32(0..4) == 0 {
            let again = events[random.usize(0..events.len())];
            events.push(again);
        }
    }
    (events, stamps)
}

/// The ids in the order of (time, producer).
fn in_order(stamps: &HashMap<String, Stamp>) -> Vec<String> {
    let mut ids: Vec<&String> = stamps.keys().collect();
    ids.sort_by_key(|id| (stamps[*id].time(), stamps[*id].producer().to_owned()));
    ids.into_iter().cloned().collect()
}

fn check(seed: u64, broker: Broker) {
    let (events, stamps) = events(seed);
    let world = World::new(seed, Order::Lamport, broker, &events);
    check_run(seed, world, stamps);
}

fn check_run(seed: u64, world: World, stamps: HashMap<String, Stamp>) -> u64 {
    // Each producer shows its clock before it sends anything, and leaves behind its last event.
    let mut said = Vec::new();
    for producer in PRODUCERS {
        let sent = stamps.values().filter(|stamp| stamp.producer() == producer);
        said.push((producer, sent.count() as u64));
    }
    let world = world.stamped(stamps.clone()).joined(&said).run();
    let order = in_order(&stamps);
    let (mut done, mut begun): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    for happened in &world.happened {
        let (Happened::Committed(id) | Happened::Started(_, id)) = happened;
        let id = id.as_str();
        let before = order.iter().take_while(|other| *other != id);
        let open: Vec<&String> = before
            .filter(|other| !done.contains(&other.as_str()))
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
                    open.len() <= world.may_run_ahead()
                        && open.iter().all(|id| begun.contains(&id.as_str())),
                    "seed {seed}: {id} starts before {open:?}"
                );
                begun.push(id);
            }
        }
    }
    assert_eq!(done, order, "seed {seed}");
    world.repaired
}

#[test]
fn what_is_lost_is_asked_for_and_all_run_in_their_order() {
    check_repair(Order::Lamport, events, check_run);
}

#[test]
fn all_run_in_the_order_of_time_and_producer_whatever_happens() {
    seeds().for_each(|seed| check(seed, Broker::Anyhow));
}

#[test]
fn also_where_the_queue_keeps_an_order_of_its_own() {
    seeds().for_each(|seed| {
        let broker = [Broker::OneConsumer, Broker::Partition][usize::from(seed % 2 == 0)];
        check(seed, broker);
    });
}
