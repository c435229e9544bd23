//! Clocks that count events in place of seconds, for producers that send events of one thing from several places.
//!
//! They are plain values. Each has two steps: `send` before an event is sent, whose result goes with it, and `receive`
//! when one is received, with what came with it. `#[derive(OrderedEvent)]` writes what `send` gives to the fields of an
//! event: see [`StampedEvent`](crate::publish::StampedEvent).
//!
//! | clock | what its times say | what they cost |
//! |---|---|---|
//! | [`LamportClock`] | a cause has a smaller time than its effect; the converse does not hold | a number |
//! | [`LamportProducer`] | the same, and as which of its producer's events of a key an event was sent | two numbers for each key |
//! | [`HybridClock`] | the same, and its times stay near the wall clock's, so that people can read them | two numbers |
//! | [`VectorClock`] | exactly whether one event may be the cause of another, or neither of the other | a number for each producer |

mod hybrid;
mod lamport;
mod vector;

pub use hybrid::{HybridClock, HybridTime, InvalidTime, TooFarAhead};
pub use lamport::{LamportClock, LamportProducer};
pub use vector::{Causality, TooManyProducers, VectorClock};

#[cfg(test)]
mod tests;
