//! The command line against real Redis, with real workers.

mod codes;
mod documentation;
mod documents;
mod errors;
mod explaining;
mod halted;
mod many;
mod poison;
mod positions;
mod prompts;
mod racing;
mod redrive;
mod verbs;
mod waiting;
mod world;
