//! What several tests need: a broker, a store and workers in memory, what operators do to them, and what they log.

pub(crate) mod by_producers;
pub(crate) mod faulty_store;
pub(crate) mod hooked_store;
pub(crate) mod log_capture;
pub(crate) mod operator;
pub(crate) mod stage;
pub(crate) mod world;
