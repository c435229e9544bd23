//! What the orders have in common that come from the producers.

use std::collections::HashMap;
use std::time::Duration;

use super::seeds;
use super::world::{Broker, World};
use crate::protocol::{GapPolicy, Order, Stamp};

pub(super) const IDS: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];
pub(super) const PRODUCERS: [&str; 3] = ["ada", "bob", "eve"];

/// Events as they are published, and the stamp of each id.
pub(super) type Sent = (Vec<(u64, &'static str)>, HashMap<String, Stamp>);

/// Each event was lost or not; what something waits for is asked for, of its producer, and comes.
pub(super) fn check_repair(
    order: Order,
    events: fn(u64) -> Sent,
    check_run: fn(u64, World, HashMap<String, Stamp>) -> u64,
) {
    let mut repaired = 0;
    for seed in seeds() {
        let (events, stamps) = events(seed);
        let mut random = fastrand::Rng::with_seed(seed);
        let lost: Vec<&str> = IDS.into_iter().filter(|_| random.u32(0..3) == 0).collect();
        let after = Duration::from_millis(random.u64(1..2_000));
        let world = World::with(seed, order, Broker::Anyhow, &events, |policy| {
            policy.on_gap = GapPolicy::Repair { after };
        });
        repaired += check_run(seed, world.losing(&lost), stamps);
    }
    assert!(repaired > 0, "something was asked for");
}
