//! The suite with which a store is certified.

mod model;

pub use model::equals_the_model;
