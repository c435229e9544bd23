//! The protocol, as those around it see it: in which order the events of a key run ([`Order`]), the rules of a group
//! ([`Policy`]), what an operator can do to a key ([`Verb`]) and what is seen of one ([`KeyView`]).
//!
//! Behind it, and no part of the interface: one pure state machine for a key, and the engine that runs one for every
//! key of a worker. No clock, no I/O, no async, no logging and no user code. Time, answers and the ends of runs come in
//! as values; what is to be done goes out as values.

mod codec;
mod dead_letters;
#[doc(hidden)]
pub mod engine;
mod failure;
mod gaps;
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
mod stamped;
mod state;
mod transition;
mod verb;
mod view;
mod waiting;

pub use identity::{DeadCause, Fence, Millis, WorkerId};
pub use order::{Arrival, Causal, Lamport, Monotonic, Order, Sequence};
pub use pause::Pause;
pub use policy::{GapPolicy, Policy, Quota, Start};
pub use stamp::{InvalidStamp, Stamp};
pub use verb::{Effect, Refusal, Verb, Verdict};
pub use view::{
    CauseView, ClaimView, DeadView, HeldView, HolderView, KeyView, LastErrorView, ProducerView,
    RepairView, WaitingView,
};
pub use waiting::{QuotaLimit, WaitReason, Waiting};

// The state of a key and its transitions: see `crate::internal`.
#[doc(hidden)]
pub use self::{
    codec::CorruptBody,
    failure::FailedRun,
    gaps::ABSENT_RANGES,
    note::{DeadNote, HeldNote, stored_event},
    order::Moved,
    place::Placement,
    producers::{Gone, MissingCause, MostProducers, Producer, Producers},
    seq_set::SeqSet,
    state::{Anchor, KeyState, LastError, Phase, RepairAsked, Skipped},
    transition::{RepairWanted, SKIPPED_RANGES, Subject, Transition},
    verb::last_seq_text,
};

#[cfg(test)]
mod tests;
