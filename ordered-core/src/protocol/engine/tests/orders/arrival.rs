use super::seeds;
use super::world::{Broker, Happened, World};
use crate::protocol::Order;

/// Some events, some of them twice: the producer published them again.
fn events(seed: u64) -> Vec<(u64, &'static str)> {
    let mut random = fastrand::Rng::with_seed(!seed);
    let ids = ["a", "b", "c", "d", "e", "f"];
    let mut events = Vec::new();
    for id in &ids[..random.usize(2..=ids.len())] {
        events.push((u64::MAX, *id));
        if random.u32(0..4) == 0 {
            let again = events[random.usize(0..events.len())];
            events.push(again);
        }
    }
    events
}

/// The ids in the order in which they were committed, each once.
fn committed(world: &World) -> Vec<String> {
    let mut ids = Vec::new();
    for happened in &world.happened {
        if let Happened::Committed(id) = happened
            && !ids.contains(&id.to_string())
        {
            ids.push(id.to_string());
        }
    }
    ids
}

fn published(world: &World) -> Vec<String> {
    let mut ids = Vec::new();
    for message in &world.messages {
        if !ids.contains(&message.id.to_string()) {
            ids.push(message.id.to_string());
        }
    }
    ids
}

#[test]
fn what_a_transport_hands_over_in_order_runs_in_order_whatever_happens() {
    for seed in seeds() {
        let broker = [Broker::OneConsumer, Broker::Partition][usize::from(seed % 2 == 0)];
        let world = World::new(seed, Order::Arrival, broker, &events(seed)).run();
        assert_eq!(committed(&world), published(&world), "seed {seed}");
        // No handler starts before everything is committed that was handed over before, but what may run ahead.
        let ahead = world.may_run_ahead();
        let (order, mut done) = (published(&world), Vec::new());
        for happened in &world.happened {
            match happened {
                Happened::Committed(id) => done.push(id.to_string()),
                Happened::Started(_, id) => {
                    let before = order.iter().take_while(|other| **other != *id.as_str());
                    let open = before.filter(|other| !done.contains(*other)).count();
                    assert!(
                        open <= ahead,
                        "seed {seed}: {id} starts before {open} others"
                    );
                }
            }
        }
    }
}

#[test]
fn what_a_transport_hands_over_anyhow_runs_once_and_nothing_is_lost() {
    for seed in seeds() {
        let world = World::new(seed, Order::Arrival, Broker::Anyhow, &events(seed)).run();
        let (mut done, mut all) = (committed(&world), published(&world));
        done.sort_unstable();
        all.sort_unstable();
        assert_eq!(done, all, "seed {seed}");
        let mut done: Vec<String> = Vec::new();
        for happened in &world.happened {
            match happened {
                Happened::Committed(id) => done.push(id.to_string()),
                Happened::Started(_, id) => {
                    assert!(
                        !done.contains(&id.to_string()),
                        "seed {seed}: {id} runs again"
                    );
                }
            }
        }
    }
}
