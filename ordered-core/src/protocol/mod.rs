//! The protocol: one pure state machine for a key, and the engine that runs one for every key of a worker.
//!
//! No clock, no I/O, no async, no logging and no user code. Time, answers and the ends of runs come in as values; what
//! is to be done goes out as values.

mod codec;
// For the worker, and the model that explores it: it may change with every version.
#[doc(hidden)]
pub mod engine;
mod failure;
mod identity;
mod note;
mod operate;
mod order;
mod pause;
mod place;
mod policy;
mod producers;
mod seq_set;
mod stamp;
mod state;
mod transition;
mod verb;
mod view;
mod waiting;

pub use codec::CorruptBody;
pub use failure::FailedRun;
pub use identity::{DeadCause, Fence, Millis, WorkerId};
#[doc(hidden)]
pub use note::{DeadNote, HeldNote, stored_event};
pub use order::{Arrival, Causal, Lamport, Monotonic, Moved, Order, Sequence};
pub use pause::Pause;
pub use place::Placement;
pub use policy::{GapPolicy, Policy, Quota, Start};
pub use producers::{Gone, MissingCause, MostProducers, Producer, Producers};
pub use seq_set::SeqSet;
pub use stamp::{InvalidStamp, Stamp};
pub use state::{Anchor, KeyState, LastError, Phase, RepairAsked, Skipped};
pub use transition::{ABSENT_RANGES, RepairWanted, SKIPPED_RANGES, Subject, Transition};
#[doc(hidden)]
pub use verb::last_seq_text;
pub use verb::{Effect, Refusal, Verb, Verdict};
pub use view::{
    CauseView, ClaimView, DeadView, HeldView, HolderView, KeyView, LastErrorView, ProducerView,
    RepairView, WaitingView,
};
pub use waiting::{Obstacle, QuotaLimit, Waiting};

#[cfg(test)]
mod tests;
