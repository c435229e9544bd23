//! The ordering protocol, pure: no clock, no I/O, no async.
//!
//! [`decide`] takes the state of one key and a command, changes the state and answers with a verdict. It is the
//! specification: the in-memory store is `decide` behind a lock, and every other store is held equal to it by tests
//! that run the same commands against both.
//!
//! Every command is idempotent under "executed, but the reply was lost": a worker that repeats it gets the same
//! verdict, or [`Verdict::Fenced`] once another worker was granted the key in between.

mod command;
mod decide;
mod policy;
mod state;
mod verdict;
mod view;

pub use command::{Action, Attempt, Command, Event, Verb};
pub use decide::{Situation, decide, is_suspect, runnable, stuck_since};
pub use policy::{GapPolicy, Policy, Quota};
pub use state::{
    BucketState, Claim, Dead, DeadCause, Done, Fence, Granted, Held, KeyState, Millis, Passed,
    Phase, Trouble, WorkerId,
};
pub use verdict::{Effect, Grant, Next, Obstacle, QuotaLimit, Refusal, Verdict, Waiting};
pub use view::{ClaimView, DeadView, HeldView, KeyView, TroubleView};

#[cfg(test)]
mod tests;
