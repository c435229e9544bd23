use std::time::Duration;

use ordered_testkit::proxy::{Direction, Flow, Proxy};

use super::for_a_while;
use crate::environment::{Environment, Slot};

/// Which connection of a worker.
type To = fn(&Slot) -> Option<&Proxy>;

impl Slot {
    pub(super) fn to_redis(&self) -> Option<&Proxy> {
        self.redis.as_ref()
    }

    pub(super) fn to_rabbit(&self) -> Option<&Proxy> {
        self.rabbit.as_ref()
    }
}

/// A few resets, one after the other.
pub(super) async fn cut(environment: &Environment<'_>, to: To, random: &mut fastrand::Rng) {
    let slots = environment.fleet.pick_some(random).await;
    for _ in 0..random.u32(1..=4) {
        slots
            .iter()
            .filter_map(|slot| to(slot))
            .for_each(Proxy::cut);
        for_a_while(random, 0..400).await;
    }
}

/// What was kept back arrives late, or is lost with the connection.
pub(super) async fn blackhole(
    environment: &Environment<'_>,
    to: To,
    direction: Direction,
    random: &mut fastrand::Rng,
) {
    let slots = environment.fleet.pick_some(random).await;
    let proxies: Vec<&Proxy> = slots.iter().filter_map(|slot| to(slot)).collect();
    for proxy in &proxies {
        proxy.set(direction, Flow::blackhole());
    }
    for_a_while(random, 500..7_000).await;
    let lost = random.bool();
    for proxy in &proxies {
        if lost {
            proxy.cut();
        }
        proxy.heal();
    }
}

pub(super) async fn slow(environment: &Environment<'_>, to: To, random: &mut fastrand::Rng) {
    let slots = environment.fleet.pick_some(random).await;
    let flow = Flow {
        delay: Duration::from_millis(random.u64(10..200)),
        bytes_per_second: Some(random.u32(50_000..500_000)),
        ..Flow::default()
    };
    let proxies: Vec<&Proxy> = slots.iter().filter_map(|slot| to(slot)).collect();
    proxies.iter().for_each(|proxy| proxy.set_both(flow));
    for_a_while(random, 2_000..6_000).await;
    proxies.iter().for_each(|proxy| proxy.heal());
}
