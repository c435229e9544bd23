//! What the crates of `ordered` use of this one beside its interface. No promise is made about any of it: it may change
//! with every version.

/// The engine of a worker, and the state of a key with its transitions: for the model that explores them, the
/// simulation, and what shows or changes a key.
pub use crate::protocol::{
    ABSENT_RANGES, Anchor, CorruptBody, DeadNote, FailedRun, Gone, HeldNote, KeyState, LastError,
    MissingCause, MostProducers, Moved, Phase, Placement, Producer, Producers, RepairAsked,
    RepairWanted, SKIPPED_RANGES, SeqSet, Skipped, Subject, Transition, engine, last_seq_text,
    stored_event,
};

/// What the code that the macros write calls.
pub use crate::handler::{
    HeaderText, IdValue, IntoOutcome, JsonFields, JsonText, cloud_event, cloud_event_id,
    composite_key, header, json_event, json_field_as_id, json_fields, sns_message,
};
pub use crate::publish::{
    ClockField, HeaderValue, NumberField, TimeField, check_causal, check_lamport, invalid_event,
    new_event, stamp_causal, stamp_lamport, stamp_time,
};

/// A handler as a worker holds it.
pub use crate::handler::{AnyEvent, DynHandler, Handling, Routed, Work};

/// What stores and transports of `ordered` have in common.
pub use crate::credentials::REFUSED_FOR;
pub use crate::error_text::write_with_causes;
pub use crate::store::MemorySnapshot;
pub use crate::worker::ConnectRetry;

/// How a command line writes what it shows.
pub use crate::readable;

pub use crate::clock::wall_clock;

#[cfg(feature = "admin")]
pub use crate::admin::matches_pattern;
