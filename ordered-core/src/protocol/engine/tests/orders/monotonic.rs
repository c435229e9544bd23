use super::seeds;
use super::world::{Broker, Happened, World};
use crate::protocol::Order;

const IDS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// Versions with gaps, each with an id of its own.
fn events(seed: u64) -> Vec<(u64, &'static str)> {
    let mut random = fastrand::Rng::with_seed(!seed);
    let mut version = 0;
    let mut events = Vec::new();
    for id in &IDS[..random.usize(2..=IDS.len())] {
        version += random.u64(1..=3);
        events.push((version, *id));
        if random.u32(0..4) == 0 {
            events.push((version, *id));
        }
    }
    events
}

fn check(seed: u64, coalesce: bool) {
    let order = Order::Monotonic { coalesce };
    let world = World::new(seed, order, Broker::Anyhow, &events(seed)).run();
    let version = |id: &str| {
        let of = |message: &&super::world::Message| message.id.as_str() == id;
        world
            .messages
            .iter()
            .find(of)
            .map_or(0, |message| message.seq)
    };
    let newest = world.messages.iter().map(|message| message.seq).max();
    let mut last = 0;
    for happened in &world.happened {
        match happened {
            Happened::Started(seq, id) => {
                assert_eq!(*seq, version(id.as_str()));
                assert!(*seq > last, "seed {seed}: version {seq} runs after {last}");
            }
            Happened::Committed(id) => {
                let committed = version(id.as_str());
                assert!(committed > last, "seed {seed}: {committed} after {last}");
                last = committed;
            }
        }
    }
    assert_eq!(Some(last), newest, "seed {seed}: the newest wins");
    assert_eq!(world.state().last_seq, last);
}

#[test]
fn the_newest_version_wins_and_none_runs_after_a_newer_one() {
    seeds().for_each(|seed| check(seed, false));
}

#[test]
fn where_versions_coalesce_the_newest_wins_too() {
    seeds().for_each(|seed| check(seed, true));
}
