use crate::event::{EventId, Key, Seq};

/// What an event got that was numbered and kept to be published: by the outbox, or by a sequencer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staged {
    /// Its key.
    pub key: Key,
    /// Its place among the events of the key.
    pub seq: Seq,
    /// Its id.
    pub id: EventId,
}
