//! The command line against real Redis, with real workers.

mod codes;
mod documentation;
mod documents;
mod explaining;
#[cfg(feature = "postgres")]
mod outbox;
mod poison;
mod prompts;
mod racing;
mod verbs;
mod waiting;
mod world;
