//! The promises of the protocol, as far as one key decides them.

mod codec;
mod deaths;
mod epochs;
mod failing;
mod gaps;
mod invariants;
mod once;
mod producers;
mod scene;
mod verbs;
