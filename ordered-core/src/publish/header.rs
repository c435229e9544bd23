//! The headers that a published event has besides its own.

/// The header with the key of the event.
pub const KEY: &str = "x-ordered-key";
/// The header with the seq: `#[ordered_handler(seq = "header:x-ordered-seq")]`.
pub const SEQ: &str = "x-ordered-seq";
/// The header with the id: `#[ordered_handler(id = "header:x-ordered-id")]`.
pub const ID: &str = "x-ordered-id";
/// The header with the type of the event.
pub const TYPE: &str = "x-ordered-type";
/// The header with the type of the aggregate.
pub const AGGREGATE: &str = "x-ordered-aggregate";
