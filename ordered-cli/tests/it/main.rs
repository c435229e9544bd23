//! The command line against real Redis, with real workers.

mod codes;
mod documentation;
mod documents;
mod editing;
mod errors;
mod explaining;
#[cfg(feature = "postgres")]
mod import_postgres;
mod many;
#[cfg(feature = "postgres")]
mod outbox;
mod poison;
mod positions;
mod prompts;
mod queues;
mod racing;
mod redrive;
mod support;
mod verbs;
mod waiting;
