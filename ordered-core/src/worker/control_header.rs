//! The headers of a message in which a producer says something about a key: see [`Control`](super::Control).

/// The header that tells a control event from an event.
pub const CONTROL: &str = "x-ordered-control";
/// The header with the key of a control event.
pub const KEY: &str = "x-ordered-key";
/// The header with the first seq that will never come.
pub const FROM: &str = "x-ordered-from";
/// The header with the last seq that will never come.
pub const TO: &str = "x-ordered-to";
/// The header with the seq that a key goes on with.
pub const AT: &str = "x-ordered-at";
/// The header that says why events are lost.
pub const WHY: &str = "x-ordered-why";
/// The header with the producer that shows its clock, leaves, or has sent what the message is about.
pub const PRODUCER: &str = "x-ordered-producer";
/// The header with the seq of a producer's last event.
pub const AFTER: &str = "x-ordered-after";
/// The header with the time of a producer's clock.
pub const TIME: &str = "x-ordered-time";
/// The header with the number of the numbering that a reset begins, or that an event belongs to.
pub const EPOCH: &str = "x-ordered-epoch";
