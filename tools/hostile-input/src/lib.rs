//! Input as an enemy, or a mistake, would send it: for tests that say "never a panic, always an answer".
//!
//! The inputs come from a seed that is the same in every run, so a test that passes on one machine passes on all. With
//! [`CASES`] in the environment it tries more, with [`SEED`] others.

mod bytes;
mod json;
mod text;

use std::fmt::Debug;
use std::str::FromStr;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngSeed, TestRunner};

pub use bytes::{mutated, mutated_text};
pub use json::json;
pub use text::{TEXTS, text};

/// The variable with the number of inputs that every property is tried on, in place of its own.
pub const CASES: &str = "ORDERED_CASES";
/// The variable with the seed of the inputs. Default 1.
pub const SEED: &str = "ORDERED_SEED";

/// Tries a property on this many inputs.
///
/// # Panics
/// When the property panics: with the seed, and the simplest input found that shows it.
pub fn check<S: Strategy>(cases: u32, inputs: S, property: impl Fn(S::Value)) {
    let (cases, seed) = (
        variable(CASES).unwrap_or(cases),
        variable(SEED).unwrap_or(1),
    );
    let config = Config {
        cases,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(&inputs, |input| {
        property(input);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{SEED}={seed} {CASES}={cases}: {failure}");
    }
}

fn variable<T: FromStr<Err: Debug>>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|error| panic!("{name} is {text:?}: {error:?}")),
    )
}
