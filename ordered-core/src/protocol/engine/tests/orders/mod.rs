//! The orders besides 1, 2, 3, …: workers, a broker and their faults, as a seed says, around the engine.
//!
//! `ORDERED_RUNS` says how many seeds are run, `ORDERED_SEED` with which one to begin. A single run tells what happens.

mod arrival;
mod by_producers;
mod causal;
mod histories;
mod lamport;
mod monotonic;
mod world;

fn number(variable: &str, default: u64) -> u64 {
    let value = std::env::var(variable);
    value.map_or(default, |value| value.parse().expect("it is a number"))
}

fn runs() -> u64 {
    number("ORDERED_RUNS", 1_000)
}

fn seeds() -> std::ops::Range<u64> {
    let first = number("ORDERED_SEED", 1);
    first..first + runs()
}
