//! A world of workers, a broker, operators and a store, in one thread and without a runtime: whatever a seed makes
//! happen in it, happens again with the same seed.
//!
//! `ORDERED_RUNS` says how many seeds are run, `ORDERED_SEED` with which one to begin.

mod broker;
mod ghost;
mod operators;
mod rest;
mod scenario;
mod steps;
mod worker;
mod world;

use self::scenario::Scenario;
use self::world::World;

fn number(variable: &str, default: u64) -> u64 {
    let value = std::env::var(variable);
    value.map_or(default, |value| value.parse().expect("it is a number"))
}

#[test]
fn whatever_happens_each_key_goes_on_in_order_and_nothing_is_lost() {
    let first = number("ORDERED_SEED", 1);
    for seed in first..first + number("ORDERED_RUNS", 300) {
        let mut world = World::new(Scenario::new(seed));
        world.run_at_random();
        world.come_to_rest();
    }
}
