//! The examples of `ordered` are programs: `cargo run --example orders -- --help`.
//!
//! Here is what several of them have in common, so that each of them shows only what it is about.

mod notes;
mod program;
mod running;
mod tally;

pub use notes::Notes;
pub use program::{Example, Outcome, end, log, run};
pub use running::Running;
pub use tally::{Counts, Tally};
