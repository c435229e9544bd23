//! The engine over a store in memory: driven by hand, and at random.

mod by_hand;
mod orders;
mod simulation;
