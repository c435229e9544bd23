//! What travels: the key, the sequence number, the event id, and the bytes and headers around them.

mod envelope;
mod excerpt;
mod id;
mod key;
mod seq;
mod trace;

pub use envelope::{Envelope, EnvelopeError};
pub use id::{EventId, InvalidId};
pub use key::{InvalidKey, Key};
pub use seq::{InvalidSeq, Seq};
pub use trace::TraceParent;
